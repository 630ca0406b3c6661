//go:build !windows

package fault

// plain returns err: its text is lower case, and has no full stop.
func plain(err error) error { return err }
