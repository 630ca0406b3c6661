package terminal

import (
	"fmt"
	"net"
	"net/url"
	"time"

	"tokenform/flow"
)

// Ask implements [flow.Voice]. Ask prints even under Quiet, because a login needs the
// address.
func (l *lines) Ask(profile string, q flow.Prompt) {
	l.asking.Store(true)
	where := "at this address:"
	if q.Browser {
		where = "in the browser, or open this address yourself:"
	}
	l.line(l.fitted(escaped(profile+": "+q.Reason+"; log in to Spotify "+where), 0))
	l.line("\n  " + q.URL + "\n")
	l.line(l.fitted(escaped("your app "+q.App+" must list this redirect URI: "+q.Registered), 0))
	switch {
	case q.Browser && q.Paste:
		l.line(l.fitted("then wait here, or paste the address from the browser's address bar", 0))
	case q.Paste:
		l.line(l.fitted("then paste the address from the browser's address bar ("+escaped(q.RedirectURI)+"?code=…), even if that page does not load", 0))
	}
	if forward := forwarding(q); forward != "" && l.SSH != "" {
		l.Hint("this is an SSH session; on the machine with the browser, run: ssh -L " + forward + " " + l.SSH)
	}
	if l.Live && !l.Quiet && q.Browser { // the spinner would write over a long paste
		l.stop() // watch may have a line there
		l.start(q.Until, func(left string) string { return "waiting for the login, " + left + " left" })
	}
}

// begun says how to go on with a login that was begun, except for the address.
func (l *lines) begun(profile string, until time.Time, next string) {
	l.line(escaped(profile + ": log in at this address until " + until.Local().Format("15:04") + ", in any browser"))
	l.Hint(next)
}

// forwarding returns the argument of ssh -L that lets the browser of another machine
// reach the listener at the redirect URI. forwarding returns "" if there is no
// listener, or if the redirect URI leads to another machine anyway.
func forwarding(q flow.Prompt) string {
	u, err := url.Parse(q.RedirectURI)
	ip := net.ParseIP(u.Hostname())
	if err != nil || ip == nil || !ip.IsLoopback() {
		return ""
	}
	host, port, err := net.SplitHostPort(q.Listener)
	if err != nil {
		return ""
	}
	if bound := net.ParseIP(host); bound == nil || bound.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("%s:%s", u.Port(), net.JoinHostPort(host, port))
}
