package terminal

import (
	"fmt"
	"io"
	"time"
)

// spinner is the line that shows that a wait continues, and for how long.
type spinner struct {
	text  func(left string) string
	until time.Time
	done  chan struct{}
	shown bool // the line is on the screen
}

// start begins a spinner on Err, with a text about the time that is left until then. At
// most one spinner exists, because logins come one at a time.
func (l *lines) start(until time.Time, text func(left string) string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spin != nil {
		return
	}
	s := &spinner{text: text, until: until, done: make(chan struct{})}
	l.spin = s
	l.spinner.Go(func() {
		tick := time.NewTicker(120 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-s.done:
				return
			case <-tick.C:
				l.mu.Lock()
				if l.spin == s { // stop may have been called before
					s.draw(l.Err, i, until.Sub(l.Now()), l.UTF8)
				}
				l.mu.Unlock()
			}
		}
	})
}

func (s *spinner) draw(w io.Writer, i int, left time.Duration, utf8 bool) {
	frames := []rune(`|/-\`)
	if utf8 {
		frames = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	}
	left = max(left, 0).Round(time.Second)
	fmt.Fprintf(w, "\r\x1b[K%c %s", frames[i%len(frames)], s.text(fmt.Sprintf("%d:%02d", int(left.Minutes()), int(left.Seconds())%60)))
	s.shown = true
}

// wipe removes the spinner's line from the screen until the line is drawn again. The
// caller must hold l.mu.
func (l *lines) wipe() {
	if l.spin != nil && l.spin.shown {
		fmt.Fprint(l.Err, "\r\x1b[K")
		l.spin.shown = false
	}
}

// stop ends the spinner and removes its line.
func (l *lines) stop() {
	l.mu.Lock()
	s := l.spin
	if s == nil {
		l.mu.Unlock()
		return
	}
	close(s.done)
	l.wipe()
	l.spin = nil
	l.mu.Unlock()
	l.spinner.Wait()
}
