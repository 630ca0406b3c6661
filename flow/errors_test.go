package flow_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"tokenform/flow"
)

func TestSeveralErrors(t *testing.T) {
	of := func(k flow.Kind) error { return &flow.Error{Kind: k, Message: "x"} }
	busy, wrong := of(flow.Temporary), of(flow.Failed)
	for _, c := range []struct {
		err  error
		want flow.Kind
	}{
		{errors.New("x"), flow.Failed},
		{busy, flow.Temporary},
		{errors.Join(busy, busy), flow.Temporary},
		{errors.Join(busy, wrong), flow.Failed},
		{errors.Join(busy, errors.New("x")), flow.Failed},
		{errors.Join(wrong, of(flow.LoginNeeded)), flow.LoginNeeded},
		{errors.Join(of(flow.LoginNeeded), errors.Join(busy, of(flow.Invalid))), flow.Invalid},
		{errors.Join(of(flow.Invalid), fmt.Errorf("x: %w", context.Canceled)), flow.Interrupted},
		{&flow.Error{Kind: flow.Temporary, Err: errors.Join(wrong)}, flow.Temporary},
	} {
		if got := flow.KindOf(c.err); got != c.want {
			t.Errorf("%q: kind %d, want %d", c.err, got, c.want)
		}
	}
	hinted := &flow.Error{Message: "b", Hint: "log in again"}
	for _, err := range []error{
		hinted,
		errors.Join(wrong, hinted),
		errors.Join(errors.New("x"), errors.Join(busy, &flow.Error{Message: "a", Err: errors.Join(wrong, hinted)})),
	} {
		if got := flow.HintOf(err); got != "log in again" {
			t.Errorf("%q: hint %q", err, got)
		}
	}
	if got := flow.HintOf(errors.Join(busy, wrong)) + flow.HintOf(nil); got != "" {
		t.Errorf("hint %q", got)
	}
}
