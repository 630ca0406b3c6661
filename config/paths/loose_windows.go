package paths

// Loose is always false: Windows has no permission bits.
func Loose(string) bool { return false }
