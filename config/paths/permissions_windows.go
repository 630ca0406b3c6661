package paths

// WithoutPermissions returns false: Windows has no permission bits.
func WithoutPermissions(string) bool { return false }
