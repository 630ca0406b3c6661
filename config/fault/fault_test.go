package fault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"tokenform/config/fault"
)

func TestSeveralErrors(t *testing.T) {
	of := func(k fault.Kind) error { return &fault.Error{Kind: k, Message: "x"} }
	busy, wrong := of(fault.Temporary), of(fault.Failed)
	for _, c := range []struct {
		err  error
		want fault.Kind
	}{
		{errors.New("x"), fault.Failed},
		{busy, fault.Temporary},
		{errors.Join(busy, busy), fault.Temporary},
		{errors.Join(busy, wrong), fault.Failed},
		{errors.Join(busy, errors.New("x")), fault.Failed},
		{errors.Join(wrong, of(fault.LoginNeeded)), fault.LoginNeeded},
		{errors.Join(of(fault.LoginNeeded), errors.Join(busy, of(fault.Invalid))), fault.Invalid},
		{errors.Join(of(fault.Invalid), fmt.Errorf("x: %w", context.Canceled)), fault.Interrupted},
		{&fault.Error{Kind: fault.Temporary, Err: errors.Join(wrong)}, fault.Temporary},
		{&fault.Error{Message: "refreshing", Err: busy}, fault.Temporary},
		{&fault.Error{Message: "refreshing", Err: errors.Join(wrong, busy)}, fault.Failed},
		{&fault.Error{Message: "x"}, fault.Failed},
	} {
		if got := fault.KindOf(c.err); got != c.want {
			t.Errorf("%q: kind %d, want %d", c.err, got, c.want)
		}
	}
	hinted := &fault.Error{Message: "b", Hint: "log in again"}
	for _, err := range []error{
		hinted,
		errors.Join(wrong, hinted),
		errors.Join(errors.New("x"), errors.Join(busy, &fault.Error{Message: "a", Err: errors.Join(wrong, hinted)})),
	} {
		if got := fault.HintOf(err); got != "log in again" {
			t.Errorf("%q: hint %q", err, got)
		}
	}
	if got := fault.HintOf(errors.Join(busy, wrong)) + fault.HintOf(nil); got != "" {
		t.Errorf("hint %q", got)
	}
}

func TestCause(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "missing"))
	if got := fault.Cause(err); !errors.Is(got, syscall.ENOENT) || got.Error() != "no such file or directory" {
		t.Errorf("cause %v", got)
	}
	plain := errors.New("x")
	if got := fault.Cause(plain); got != plain {
		t.Errorf("cause %v", got)
	}
}
