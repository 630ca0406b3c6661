package sandbox

import (
	"net/url"
	"strconv"
	"strings"
)

// mistake is an error in a request to /authorize. The server shows a mistake on its
// own page and never sends it to the redirect URI, which may be the mistake.
type mistake struct {
	text  string // as Spotify shows it since about May 2026
	old   string // as Spotify showed it before
	cure  string // tells the person in front of the sandbox what to do; %s stands for value
	value string // what the cure quotes from the request; empty means nothing
}

func missing(parameter string) *mistake {
	text := "Missing required parameter: " + parameter
	return &mistake{text: text, old: text, cure: "Add this parameter: every login needs it."}
}

func unknownClient() *mistake {
	const text = "INVALID_CLIENT: Invalid client"
	return &mistake{text: text, old: text, cure: "Copy the client ID from the dashboard again: no app has this one."}
}

func notMatching(uri string) *mistake {
	return &mistake{
		"redirect_uri: Not matching configuration", "INVALID_CLIENT: Invalid redirect URI",
		"Register exactly this redirect URI in the dashboard, and press Save: %s. Path, port and a slash at the end count.", uri,
	}
}

func insecure(string) *mistake {
	return &mistake{
		text: "redirect_uri: Insecure", old: "INVALID_CLIENT: Insecure redirect URI",
		cure: "Use https, or http on 127.0.0.1 or [::1]. Instead of the name localhost, write 127.0.0.1.",
	}
}

// checkRedirect returns why the browser may not go to uri for app, or nil.
func (s *Server) checkRedirect(app App, uri string) *mistake {
	if uri == "" {
		return missing("redirect_uri")
	}
	if wrong := registrable(uri); wrong != nil {
		return wrong(uri)
	}
	if s.opt.AnyApp {
		return nil
	}
	for _, registered := range app.RedirectURIs {
		if uri == registered || onAnyPort(registered, uri) {
			return nil
		}
	}
	return notMatching(uri)
}

// registrable checks what the dashboard has accepted since 2025-11-27: https,
// http on a loopback IP literal, or an app's own scheme. The name localhost is
// refused even with https.
func registrable(uri string) func(string) *mistake {
	for i := range len(uri) {
		if uri[i] <= ' ' || uri[i] >= 0x7f || uri[i] == '\\' {
			return notMatching
		}
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.User != nil || strings.Contains(uri, "#") {
		return notMatching // RFC 6749, section 3.1.2: absolute, no fragment
	}
	host := u.Hostname()
	switch u.Scheme {
	case "https", "http":
		switch {
		case host == "":
			return notMatching
		case strings.EqualFold(strings.TrimSuffix(host, "."), "localhost"), u.Scheme == "http" && !loopback(host):
			return insecure
		}
	case "javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss":
		return insecure // browsers handle these schemes themselves
	}
	return nil
}

func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" }

// onAnyPort reports whether uri is registered apart from its port, and registered is a
// loopback IP literal without a port (RFC 8252, section 7.3). onAnyPort compares texts,
// because two different texts can parse to the same URL.
func onAnyPort(registered, uri string) bool {
	for _, origin := range []string{"http://127.0.0.1", "http://[::1]", "https://127.0.0.1", "https://[::1]"} {
		rest, ok := strings.CutPrefix(registered, origin)
		if !ok || rest != "" && rest[0] != '/' && rest[0] != '?' {
			continue
		}
		port, ok := strings.CutPrefix(uri, origin+":")
		if !ok || !strings.HasSuffix(port, rest) {
			return false
		}
		port = port[:len(port)-len(rest)]
		n, err := strconv.ParseUint(port, 10, 16)
		return err == nil && n > 0 && port[0] != '0'
	}
	return false
}

// withQuery appends parameters to a redirect URI and leaves its own bytes
// as they are.
func withQuery(uri string, q url.Values) string {
	switch {
	case !strings.Contains(uri, "?"):
		return uri + "?" + q.Encode()
	case strings.HasSuffix(uri, "?"), strings.HasSuffix(uri, "&"):
		return uri + q.Encode()
	default:
		return uri + "&" + q.Encode()
	}
}

// formTarget returns the source for form-action in the Content-Security-Policy that
// lets the consent form's answer redirect to uri: Chromium applies form-action to
// redirects too. CSP has no syntax for an IPv6 address, nor for some characters of a
// URL's host; formTarget returns the scheme for these.
func formTarget(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "'none'"
	}
	odd := strings.ContainsFunc(u.Host, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == ':')
	})
	if u.Scheme != "https" && u.Scheme != "http" || odd {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}
