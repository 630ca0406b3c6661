package config

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// checkRedirect applies the rules for redirect URIs that Spotify enforces for every
// app since 2025-11-27: https, http to a loopback IP literal, or a custom scheme.
// The name localhost is refused with https too.
func checkRedirect(s string) *flaw {
	const example = "for example http://127.0.0.1:8888/callback"
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return &flaw{"white space or a non-ASCII character", "write it exactly as it is registered at Spotify"}
	}
	if strings.Contains(s, "*") {
		return &flaw{"a wildcard; Spotify compares the exact address", "write one full address, " + example}
	}
	if strings.Contains(s, "#") {
		return &flaw{"a redirect cannot have a fragment (RFC 6749 3.1.2)", "remove the # and everything after it"}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Scheme == "localhost" || u.Opaque != "" && strings.Contains(u.Scheme, ".") && isPort(u.Opaque) {
		return &flaw{"not an address with a scheme", "write it in full, " + example}
	}
	switch {
	case u.User != nil:
		return &flaw{"a user name or password in the address", "remove everything before the @"}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil // a custom scheme may have any path, and any host or none
	case u.Hostname() == "":
		return &flaw{"no host in the address", "write it in full, " + example}
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == "." || segment == ".." {
			return &flaw{"a . or .. in the path, which browsers remove", "write the path in full, " + example}
		}
	}
	host, port := u.Hostname(), u.Port()
	if wrong := checkPort(u.Host, port); wrong != nil {
		return wrong
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return &flaw{"Spotify refuses the name localhost", "write 127.0.0.1, here and in the Spotify dashboard"}
	}
	if u.Scheme == "https" {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.IsUnspecified():
		return &flaw{"not an address that a browser can open", "write 127.0.0.1, and listen: 0.0.0.0:PORT to bind elsewhere"}
	case err != nil || !ip.IsLoopback() || ip.Zone() != "" || ip.Is4In6():
		return &flaw{"Spotify accepts plain http only for 127.0.0.1 and [::1]", "write https, or http://127.0.0.1:8888/callback"}
	}
	return nil
}

// checkPort checks the port of a URL. host is the URL's host with brackets and
// port. url.Parse has checked that the port consists of digits.
func checkPort(host, port string) *flaw {
	if strings.HasSuffix(host, ":") {
		return &flaw{"a colon without a port", "write the port, or remove the colon"}
	}
	if port == "" {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return &flaw{"the port is above 65535", "for example http://127.0.0.1:8888/callback"}
	case n == 0:
		return &flaw{"port 0 cannot be registered", "leave out the port: the login uses a free one, and Spotify accepts any"}
	}
	return nil
}

// isPort reports whether s, the text behind a colon, begins with a port. If so,
// url.Parse has taken a host for a scheme: "127.0.0.1.nip.io:8888/callback".
func isPort(s string) bool {
	digits, _, _ := strings.Cut(s, "/")
	_, err := strconv.ParseUint(digits, 10, 16)
	return err == nil
}

// airplay reports whether AirPlay uses the port of a loopback address on macOS.
func airplay(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" {
		return false
	}
	return u.Port() == "5000" || u.Port() == "7000"
}

// checkListen checks the address to bind: an IP literal and a port.
func checkListen(s string) *flaw {
	const example = "write an IP address and a port, for example 0.0.0.0:8888 or [::]:8888"
	if strings.HasPrefix(strings.ToLower(s), "localhost:") {
		return &flaw{"a name, not an IP address", "write 127.0.0.1"}
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil || at.Port() == 0 {
		return &flaw{"not an IP address with a port", example}
	}
	return nil
}

// listensOnLoopback reports whether no other machine can reach a listen address.
func listensOnLoopback(listen string) bool {
	at, err := netip.ParseAddrPort(listen)
	return err == nil && at.Addr().IsLoopback()
}
