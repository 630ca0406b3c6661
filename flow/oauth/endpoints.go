package oauth

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// The origins of the real service.
const (
	DefaultAccounts = "https://accounts.spotify.com"
	DefaultAPI      = "https://api.spotify.com"
)

// Endpoints are the two origins, without a slash at the end: https, or http on
// a loopback IP.
type Endpoints struct{ Accounts, API string }

// ParseEndpoints checks the values of TOKENFORM_ACCOUNTS_URL and TOKENFORM_API_URL. An
// empty value means the real service. The errors never quote a value, which may hold a
// password.
func ParseEndpoints(accounts, api string) (Endpoints, error) {
	a, err := origin(cmp.Or(accounts, DefaultAccounts))
	if err != nil {
		return Endpoints{}, errors.New("TOKENFORM_ACCOUNTS_URL " + err.Error())
	}
	b, err := origin(cmp.Or(api, DefaultAPI))
	if err != nil {
		return Endpoints{}, errors.New("TOKENFORM_API_URL " + err.Error())
	}
	return Endpoints{Accounts: a, API: b}, nil
}

func origin(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || !validPort(u.Port()):
		return "", errors.New("is not a URL like https://host or http://127.0.0.1:8080")
	case !safe(u):
		return "", errors.New("must be https, or http on a loopback IP such as http://127.0.0.1:8080")
	case u.User != nil:
		return "", errors.New("must not hold a user or password")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "", errors.New("must end after the host and port: no path, query or fragment")
	}
	return u.Scheme + "://" + u.Host, nil
}

// safe reports whether credentials may be sent to u: over TLS, or to this machine. A
// name such as localhost does not count: a name can resolve to any machine.
func safe(u *url.URL) bool {
	return u.Scheme == "https" || ownMachine(u)
}

// ownMachine reports whether u is plain http to a loopback IP literal.
func ownMachine(u *url.URL) bool { return u.Scheme == "http" && loopback(u.Hostname()) }

// Hears reports whether [Listen] can bind the address of redirectURI itself, because
// redirectURI leads to this machine (RFC 8252 section 7.3).
func Hears(redirectURI string) bool {
	u, err := url.Parse(redirectURI)
	return err == nil && ownMachine(u)
}

// loopback reports whether host is a loopback IP literal (RFC 8252 section 8.3).
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

func validPort(s string) bool {
	if s == "" {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
