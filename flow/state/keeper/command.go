package keeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"tokenform/config"
	"tokenform/config/fault"
)

// commandStore keeps logins with a program that the profile names. The program gets one of
// these words, and what belongs to the word, as further arguments:
//
//	read KEY               prints the revision on a line of its own, then the data
//	write KEY REVISION     stores standard input if KEY still has REVISION, which is
//	                       empty if there must be none; prints the new revision
//	delete KEY REVISION    deletes KEY if it still has REVISION
//	names                  prints the keys, one per line
//	lock KEY ID            takes the lock for TOKENFORM_LOCK_TTL seconds, on behalf of
//	                       TOKENFORM_LOCK_OWNER
//	unlock KEY ID          releases the lock that was taken with ID
//
// Its exit code says what came of it: 0 done; 4 there is none (read, delete, unlock); 5 the
// revision is another one (write, delete); 6 somebody else has the lock. After 6, lock
// prints the holder's ID, the holder's owner, and the seconds until the lock ends by
// itself, each on a line; it may leave lines out. 75, which sysexits.h calls EX_TEMPFAIL,
// says that the store is away or busy. Anything else is a failure. The last line of
// standard error is the reason for either. During write and delete, TOKENFORM_LOCK_ID is
// the ID of the lock; a program that can checks that the lock still has it, or exits with 6.
//
// No argument is a secret. Data is only ever on standard input and output.
type commandStore struct {
	config.Store
	now func() time.Time
}

// The exit codes.
const (
	exitNone    = 4
	exitChanged = 5
	exitHeld    = 6
	exitAway    = 75
)

func openCommand(s config.Store, o Options) (Keeper, error) { return &commandStore{s, o.Now}, nil }

// run runs the program. The error is about a program that cannot be run, or that took too
// long.
func (s *commandStore) run(ctx context.Context, env []string, data []byte, words ...string) (out []byte, exit int, err error) {
	limited, cancel := context.WithTimeout(ctx, config.CommandTimeout)
	defer cancel()
	cmd := exec.CommandContext(limited, s.Command[0], append(slices.Clone(s.Command[1:]), words...)...)
	cmd.Dir = s.Dir
	cmd.Env = append(cmd.Environ(), env...)
	stdin, err := filled(data)
	if err != nil {
		return nil, 0, err
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	cmd.WaitDelay = time.Second // a process that the program started may hold the pipe open
	if !slices.Contains([]string{"read", "names", "lock"}, words[0]) {
		cmd.SysProcAttr = apart() // Ctrl-C must not hinder a new login from being stored
	}
	var printed capped
	var said fault.Tail
	cmd.Stdout, cmd.Stderr = &printed, &said
	err = cmd.Run()
	exited, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() == context.Canceled:
		return nil, 0, ctx.Err()
	case limited.Err() != nil:
		return nil, 0, &fault.Error{Kind: fault.Temporary, Message: fmt.Sprintf("%s: %s did not end within %s", s, words[0], config.CommandTimeout), Hint: "run it by hand: does it wait for input?"}
	case printed.full:
		return nil, 0, &fault.Error{Kind: fault.Failed, Message: fmt.Sprintf("%s: %s printed more than 1 MiB", s, words[0]), Hint: "it must print only what was stored"}
	case failed && slices.Contains([]int{exitNone, exitChanged, exitHeld}, exited.ExitCode()):
		return printed.printed, exited.ExitCode(), nil
	case failed:
		e := &fault.Error{Kind: fault.Failed, Message: fmt.Sprintf("%s: %s failed (%s)", s, words[0], exited.ProcessState), Hint: "run it by hand to see why"}
		if exited.ExitCode() == exitAway {
			e.Kind, e.Message, e.Hint = fault.Temporary, fmt.Sprintf("%s: %s found the store away or busy", s, words[0]), "try again later"
		}
		if why := fault.LastLine(said.String(), string(data)+string(printed.printed)); why != "" {
			e.Message += ": " + why
		}
		return nil, 0, e
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return nil, 0, &fault.Error{Kind: fault.Failed, Message: s.String() + " cannot be run", Err: fault.Cause(err), Hint: "the first item of command is the program, the others are its arguments; tokenform uses no shell"}
	}
	return printed.printed, 0, nil
}

// filled returns a pipe with data in it. If this process is killed, the program still
// gets all of data: it must not store a part. A pipe takes 64 KiB on Linux and macOS, and
// a login is some KiB. On Windows a pipe may take less, and then filled writes while the
// program reads.
func filled(data []byte) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	fill := func() {
		_, _ = w.Write(data) // a program that does not read all of it says so by its exit code
		w.Close()
	}
	if len(data) <= 16<<10 && runtime.GOOS != "windows" {
		fill()
	} else {
		go fill()
	}
	return r, nil
}

// capped keeps what a program prints, up to 1 MiB. capped is no [io.ReaderFrom], as a
// [bytes.Buffer] within it would make it: io.Copy would read without end.
type capped struct {
	printed []byte
	full    bool
}

func (c *capped) Write(b []byte) (int, error) {
	if len(c.printed)+len(b) > 1<<20 {
		c.full = true
		return 0, errors.New("too much")
	}
	c.printed = append(c.printed, b...)
	return len(b), nil
}

// unexpected is the error for an exit code that the word has no use for.
func (s *commandStore) unexpected(word string, exit int) error {
	return &fault.Error{Kind: fault.Failed, Message: fmt.Sprintf("%s: %s exited with %d, which means nothing here", s, word, exit), Hint: "tokenform help stores says what each exit code means"}
}

func (s *commandStore) Read(ctx context.Context, key string) (Item, error) {
	out, exit, err := s.run(ctx, nil, nil, "read", key)
	switch {
	case err != nil:
		return Item{}, err
	case exit == exitNone:
		return Item{}, nil
	case exit != 0:
		return Item{}, s.unexpected("read", exit)
	}
	revision, data, _ := bytes.Cut(out, []byte("\n"))
	if len(bytes.TrimSpace(revision)) == 0 {
		return Item{}, &fault.Error{Kind: fault.Failed, Message: s.String() + ": read printed no revision", Hint: "the first line must be the revision; exit with 4 if there is nothing"}
	}
	return Item{data, string(bytes.TrimSpace(revision))}, nil
}

func (s *commandStore) change(ctx context.Context, word, key, revision string, data []byte, lease *Lease) ([]byte, error) {
	if lease.Left(s.now()) == 0 {
		return nil, ErrLost
	}
	out, exit, err := s.run(ctx, []string{"TOKENFORM_LOCK_ID=" + lease.ID}, data, word, key, revision)
	switch {
	case err != nil:
		return nil, err
	case exit == exitChanged:
		return nil, ErrChanged
	case exit == exitHeld:
		return nil, ErrLost
	case exit == exitNone && word == "delete":
		return nil, nil
	case exit != 0:
		return nil, s.unexpected(word, exit)
	}
	return out, nil
}

func (s *commandStore) Write(ctx context.Context, key string, data []byte, revision string, lease *Lease) (string, error) {
	out, err := s.change(ctx, "write", key, revision, data, lease)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(out), "\n")
	if now := strings.TrimSpace(line); now != "" {
		return now, nil
	}
	return "", &fault.Error{Kind: fault.Failed, Message: s.String() + ": write printed no revision", Hint: "it must print the new revision"}
}

func (s *commandStore) Delete(ctx context.Context, key, revision string, lease *Lease) error {
	_, err := s.change(ctx, "delete", key, revision, nil, lease)
	return err
}

func (s *commandStore) Names(ctx context.Context) ([]string, error) {
	out, exit, err := s.run(ctx, nil, nil, "names")
	switch {
	case err != nil:
		return nil, err
	case exit != 0:
		return nil, s.unexpected("names", exit)
	}
	names := strings.Fields(string(out))
	slices.Sort(names)
	return names, nil
}

func (s *commandStore) Lock(ctx context.Context, key string, owner Owner) (*Lease, error) {
	start, id := s.now(), lockID()
	env := []string{
		"TOKENFORM_LOCK_TTL=" + strconv.Itoa(int(owner.TTL/time.Second)),
		"TOKENFORM_LOCK_OWNER=tokenform " + owner.Command + " by " + owner.Who,
	}
	out, exit, err := s.run(ctx, env, nil, "lock", key, id)
	switch {
	case err != nil:
		if kind := fault.KindOf(err); kind == fault.Interrupted || kind == fault.Temporary {
			// The program may have been stopped after it took the lock, which nobody else
			// can release. If this fails, the lock ends by itself.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTime)
			defer cancel()
			_, _ = s.unlock(ctx, key, id)
		}
		return nil, err
	case exit == exitHeld:
		lines := append(strings.Split(string(out), "\n"), "", "", "")
		held := &HeldError{ID: clean(strings.TrimSpace(lines[0])), By: clean(strings.TrimSpace(lines[1]))}
		if seconds, err := strconv.Atoi(strings.TrimSpace(lines[2])); err == nil {
			held.Until = s.now().Add(time.Duration(seconds) * time.Second)
		}
		return nil, held
	case exit != 0:
		return nil, s.unexpected("lock", exit)
	}
	return &Lease{ID: id, Until: start.Add(owner.TTL), Release: func(ctx context.Context) error {
		_, err := s.unlock(ctx, key, id)
		return err
	}}, nil
}

// unlockTime is how long a lock may take to be released whose program was stopped.
const unlockTime = 5 * time.Second

// unlock releases a lock. found is false if the lock does not have this id any more.
func (s *commandStore) unlock(ctx context.Context, key, id string) (found bool, err error) {
	_, exit, err := s.run(ctx, nil, nil, "unlock", key, id)
	switch {
	case err != nil:
		return false, err
	case exit == exitNone || exit == exitHeld:
		return false, nil
	case exit != 0:
		return false, s.unexpected("unlock", exit)
	}
	return true, nil
}

func (s *commandStore) Unlock(ctx context.Context, key, id string) error {
	found, err := s.unlock(ctx, key, id)
	if err == nil && !found {
		return &fault.Error{Kind: fault.Failed, Message: s.String() + " has no lock with this id", Hint: "the error of a run that waits shows the id"}
	}
	return err
}
