package examples

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenform/flow/sandbox/faults"
)

// harm is something that may go wrong with a refresh. weight says how often.
type harm struct {
	weight int
	fault  faults.Fault
	eats   bool // the answer to a consumed grant is lost: nothing can save the login
}

var harms = []harm{
	{60, faults.Fault{}, false},
	{5, faults.Slow(20 * time.Millisecond), false},
	{5, faults.Drip(20 * time.Microsecond), false},
	{4, faults.HTML(200), false},
	{4, faults.FalseInvalidGrant(), false},
	{4, faults.TooManyRequests("3600"), false},
	{1, faults.TooManyRequests("1"), false},
	{2, faults.Outage(503), false},
	{1, faults.HTML(503), false},
	{2, faults.ResetBeforeGrant(), false},
	{2, faults.Truncated(), true},
	{2, faults.CutOff(), true},
	{2, faults.ResetAfterGrant(), true},
}

// tally counts what has happened in a soak.
type tally struct {
	refreshes, done, kills, aimed, faults int
	window, chance                        int // logins lost in the window, by aimed kills and by others
	eaten, lost, torn                     int
}

func (a tally) plus(b tally) tally {
	return tally{a.refreshes + b.refreshes, a.done + b.done, a.kills + b.kills, a.aimed + b.aimed, a.faults + b.faults,
		a.window + b.window, a.chance + b.chance, a.eaten + b.eaten, a.lost + b.lost, a.torn + b.torn}
}

// TestSoak refreshes again and again while the network fails and processes are killed
// at random. TOKENFORM_SOAK is the number of refreshes. TOKENFORM_SOAK_SEED repeats the
// random choices of an earlier run.
func TestSoak(t *testing.T) {
	t.Parallel()
	const workers = 6
	refreshes, seed := 100, rand.Uint64()
	if n, err := strconv.Atoi(os.Getenv("TOKENFORM_SOAK")); err == nil {
		refreshes = n
	}
	if n, err := strconv.ParseUint(os.Getenv("TOKENFORM_SOAK_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("TOKENFORM_SOAK_SEED=%d", seed)
	begun := time.Now()
	tallies := make([]tally, workers)
	var wg sync.WaitGroup
	for i := range tallies {
		wg.Go(func() {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				v, luck := newVictim(t), rand.New(rand.NewPCG(seed, uint64(i)))
				for range (refreshes + i) / workers {
					v.refresh(&tallies[i], luck)
				}
			})
		})
	}
	wg.Wait()
	var all tally
	for _, x := range tallies {
		all = all.plus(x)
	}
	t.Logf("%d refreshes, %d of them done at the first try; %d were killed, %d of these just after the request came; %d met a fault; "+
		"logins lost: %d in the window (%d of them to the kills aimed at it), %d with an answer that never came, %d otherwise; %d torn files; %s",
		all.refreshes, all.done, all.kills, all.aimed, all.faults, all.window+all.chance, all.window, all.eaten, all.lost, all.torn, time.Since(begun).Round(time.Second))
	if all.refreshes != refreshes || all.kills == 0 || all.faults == 0 || all.done == 0 {
		t.Error("that was no soak")
	}
}

// refresh lets the token expire and applies twice, first with bad luck, then without.
func (v *victim) refresh(n *tally, luck *rand.Rand) {
	expire(v.t, v.file(stateFileName))
	before, asked := v.files()[stateFileName], v.server.Count("/api/token")
	h := draw(luck)
	v.server.Inject("/api/token", h.fault, 1)
	cmd, stderr := v.command("apply", "--login", "never")
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	aimed, blind := false, false
	switch luck.IntN(3) {
	case 0:
		aimed = true // soon after the request has arrived
	case 1:
		blind = true
	}
	if nap := time.Duration(luck.Int64N(int64(30 * time.Millisecond))); aimed || blind {
		wg.Go(func() {
			if aimed {
				nap /= 10
				for v.server.Count("/api/token") == asked && !closed(over) {
					time.Sleep(50 * time.Microsecond)
				}
			}
			select {
			case <-over:
			case <-time.After(nap):
				_ = cmd.Process.Kill()
			}
		})
	}
	code, said := v.end(cmd, stderr)
	close(over)
	wg.Wait()
	n.refreshes++
	if code == -1 && aimed {
		n.aimed++
	}
	if code == -1 {
		n.kills++
	}
	if h.fault.String() != "none" {
		n.faults++
	}

	// All files must be whole, and the next apply must restore the token.
	state, outputs := v.tokens()
	for _, token := range append(outputs[:], state) {
		if token == "" {
			n.torn++
			v.t.Errorf("a file is torn or gone; %s", h.fault)
		}
	}
	if code == -1 {
		v.readable()
	}
	forgive(v.t, v.file(stateFileName))
	left := v.files()
	after := left[stateFileName]
	written := strings.Contains(left[stateTemporary], `"refresh_token"`)
	v.server.Inject("/api/token", faults.Fault{}, 0)
	if code == 0 {
		n.done++
	} else if next, complaint := v.apply("never"); next != 0 {
		// A login may be lost only if its refresh token was used up at the server, and
		// the new one is written nowhere.
		sent := v.server.Count("/api/token") - asked - 1 // without the request that was just refused
		unsaved := after == before || h.eats && compare(before, after) == "marked"
		switch excused := next == 4 && sent > 0 && unsaved && !written; {
		case excused && h.eats:
			n.eaten++
		case excused && code == -1 && aimed:
			n.window++
		case excused && code == -1:
			n.chance++
		default:
			n.lost++
			v.t.Errorf("exit %d, then %d; fault: %s; state is %s\n%s\n%s", code, next, h.fault, compare(before, after), said, complaint)
		}
		v.must("browser")
	}
	v.settled(fmt.Sprintf("exit %d, fault: %s", code, h.fault))
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func draw(luck *rand.Rand) harm {
	sum := 0
	for _, h := range harms {
		sum += h.weight
	}
	n := luck.IntN(sum)
	for _, h := range harms {
		if n -= h.weight; n < 0 {
			return h
		}
	}
	panic("unreachable")
}
