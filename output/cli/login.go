package cli

import (
	"time"
)

// loginFlags says how a person logs in, and how long a command waits for people and
// for locks.
type loginFlags struct {
	mode        string // auto, browser, paste or never; empty means that nobody can log in
	timeout     time.Duration
	lockTimeout time.Duration
}

func (l *loginFlags) flags(f flags) {
	f.choice(&l.mode, "login", "how a person logs in; auto: browser on a terminal, never in CI", "auto", "browser", "paste", "never")
	l.timeout = 5 * time.Minute
	f.long(&l.timeout, "login-timeout", "how long to wait for a login")
	lockTimeoutFlag(f, &l.lockTimeout)
}

// check checks the flags, and takes the arguments for the selection.
func (l *loginFlags) check(s *selection, args []string) error {
	s.files, s.robot = args, l.mode == "auto"
	if err := s.checkMinTTL(); err != nil {
		return err
	}
	if l.mode == "paste" && s.readsStdin() {
		return usage("standard input cannot be both the profile and the pasted address", "write the profile to a file")
	}
	return nil
}

func lockTimeoutFlag(f flags, d *time.Duration) {
	*d = 30 * time.Second
	f.long(d, "lock-timeout", "how long to wait for another tokenform to finish")
}

func parallelismFlag(f flags, n *int) {
	f.IntVar(n, "parallelism", 10, "how many profiles to process at once")
}

func checkParallelism(n int) error {
	if n < 1 {
		return usage("--parallelism: must be at least 1", "leave it out for 10")
	}
	return nil
}

func pruneFlag(f flags, prune *bool) {
	f.BoolVar(prune, "prune", false, "delete the state and outputs of profiles that are no longer declared")
}

func verifyFlag(f flags, verify *bool) {
	f.BoolVar(verify, "verify", false, "ask the Web API whether each token is good")
}
