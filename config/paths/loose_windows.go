package paths

// Loose returns false: Windows has no permission bits.
func Loose(string) bool { return false }
