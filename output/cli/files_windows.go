package cli

// enoughFiles has nothing to refuse: Windows has no such limit.
func enoughFiles() error { return nil }
