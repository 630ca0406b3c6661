package output

import (
	"fmt"
	"io"
	"time"
)

// spinner is the line that shows that a wait goes on, and for how long.
type spinner struct {
	until time.Time
	done  chan struct{}
	shown bool // the line is on the screen
}

// start begins a spinner on Err. There is one at most: logins come one at a
// time.
func (p *Printer) start(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spin != nil {
		return
	}
	s := &spinner{until: until, done: make(chan struct{})}
	p.spin = s
	p.spinner.Go(func() {
		tick := time.NewTicker(120 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-s.done:
				return
			case <-tick.C:
				p.mu.Lock()
				if p.spin == s { // stop may have been quicker
					s.draw(p.Err, i, until.Sub(p.Now()))
				}
				p.mu.Unlock()
			}
		}
	})
}

func (s *spinner) draw(w io.Writer, i int, left time.Duration) {
	frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	left = max(left, 0).Round(time.Second)
	fmt.Fprintf(w, "\r\x1b[K%c waiting for the login, %d:%02d left", frames[i%len(frames)], int(left.Minutes()), int(left.Seconds())%60)
	s.shown = true
}

// wipe takes the spinner's line off the screen until it is drawn again. The
// caller holds p.mu.
func (p *Printer) wipe() {
	if p.spin != nil && p.spin.shown {
		fmt.Fprint(p.Err, "\r\x1b[K")
		p.spin.shown = false
	}
}

// stop ends the spinner and leaves no trace of it.
func (p *Printer) stop() {
	p.mu.Lock()
	s := p.spin
	if s == nil {
		p.mu.Unlock()
		return
	}
	close(s.done)
	p.wipe()
	p.spin = nil
	p.mu.Unlock()
	p.spinner.Wait()
}
