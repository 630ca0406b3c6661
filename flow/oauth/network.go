package oauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tokenform/config/fault"
)

var errPlainHTTP = errors.New("plain http to another machine is refused")

// proxyError is the error for a proxy that refuses the connection.
type proxyError struct{ status int }

func (e *proxyError) Error() string { return fmt.Sprintf("the proxy answered %d", e.status) }

// proxyURLError is the error for a variable that should name a proxy and does not. The
// error does not show the value: a password may be in it.
type proxyURLError struct{ variable string }

func (e *proxyURLError) Error() string { return e.variable + " is not the address of a proxy" }

// proxyFromEnvironment is [http.ProxyFromEnvironment], but refuses values that it
// silently ignores, to connect directly, or takes for another host.
func proxyFromEnvironment(r *http.Request) (*url.URL, error) {
	names := []string{"HTTP_PROXY", "http_proxy"}
	if r.URL.Scheme == "https" {
		names = []string{"HTTPS_PROXY", "https_proxy"}
	}
	for _, name := range names {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if host := r.URL.Hostname(); host != "localhost" && !loopback(host) && !isProxy(value) { // localhost and loopback IPs are asked without a proxy
			return nil, &proxyURLError{name}
		}
		break
	}
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, &proxyURLError{names[0]} // the error of net/http quotes the password
	}
	return u, nil
}

// isProxy reports whether s is the address of a proxy. In a user or a password, every
// character with a meaning in an address must be percent-encoded (RFC 3986 section
// 3.2.1).
func isProxy(s string) bool {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") || strings.Trim(u.Path, "/") != "" || u.Opaque != "" {
		return false
	}
	return slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) && validPort(u.Port())
}

// proxyAnswered keeps the status of a refused CONNECT; net/http would keep the proxy's
// own words only.
func proxyAnswered(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &proxyError{resp.StatusCode}
	}
	return nil
}

// passing reports whether a request that failed with err may succeed when sent
// again.
func passing(err error) bool {
	if p, ok := errors.AsType[*proxyError](err); ok {
		return p.status >= 500
	}
	_, unreadable := errors.AsType[*proxyURLError](err)
	return !unreadable && !insecure(err)
}

func insecure(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok || errors.Is(err, errPlainHTTP)
}

// reason says in our own words why a request got no answer. Go's texts quote URLs and
// data from the server.
func reason(err error) string {
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate cannot be trusted: " + certificateReason(cert.Err)
	}
	if p, ok := errors.AsType[*proxyError](err); ok {
		return p.Error()
	}
	if p, ok := errors.AsType[*proxyURLError](err); ok {
		return p.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "no such host"
		}
		return "the DNS lookup failed"
	}
	if code, ok := errors.AsType[syscall.Errno](err); ok {
		return fault.Cause(code).Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		// A TLS alert is a number; its words come from Go, not from the server.
		return "TLS failed: " + strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	switch {
	case timedOut(err):
		return "it took too long"
	case errors.Is(err, errPlainHTTP):
		return errPlainHTTP.Error()
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it speaks http, not https"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection"
	case strings.Contains(err.Error(), "malformed HTTP"):
		return "the answer is not HTTP"
	}
	return "the connection failed"
}

// Explain says in our own words why a request got no answer, whether the request may
// succeed when sent again, and what to do. The words quote neither URL nor server.
func Explain(err error) (why, hint string, temporary bool) {
	return reason(err), networkHint(err), passing(err)
}

func timedOut(err error) bool {
	wait, ok := errors.AsType[net.Error](err)
	return ok && wait.Timeout()
}

// networkHint returns the hint for the failure err, or "" if none is known.
func networkHint(err error) string {
	if p, ok := errors.AsType[*proxyError](err); ok && p.status == http.StatusProxyAuthRequired {
		return "put the proxy's user and password into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT"
	}
	if _, ok := errors.AsType[*proxyURLError](err); ok {
		return "write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT; in a user and a password, percent-encode every character that is not a letter or digit: %25 for %, %40 for @, %23 for #, %20 for a blank"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" || !passing(err) && !insecure(err) {
		return "check HTTPS_PROXY; its form is http://HOST:PORT"
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		switch invalid, ok := errors.AsType[x509.CertificateInvalidError](cert.Err); {
		case ok && invalid.Reason == x509.Expired:
			return "check this machine's clock"
		case unknownAuthority(cert.Err) && noCertificates() != "":
			return "correct that variable, or unset it to use the system's certificates"
		case runtime.GOOS == "darwin" || runtime.GOOS == "windows": // Go reads no SSL_CERT_FILE there
			return "if a proxy signs the certificates, add its CA to the system's trusted certificates"
		default:
			return "if a proxy signs the certificates, set SSL_CERT_FILE to its CA file"
		}
	}
	if insecure(err) {
		return "use https, or a loopback IP such as 127.0.0.1"
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return wrongServer
	}
	return "check the network connection, and HTTPS_PROXY if you use a proxy"
}

// certificateReason uses only the type of the error: whoever made the certificate chose
// the names in it.
func certificateReason(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "it has expired or is not yet valid"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "it is for another host"
	}
	if unknownAuthority(err) {
		return cmp.Or(noCertificates(), "signed by an unknown authority")
	}
	return "it is not valid"
}

func unknownAuthority(err error) bool {
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// noCertificates names the variable that should lead to trusted certificates and does
// not, or returns "".
func noCertificates() string {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return ""
	}
	if file := os.Getenv("SSL_CERT_FILE"); file != "" {
		switch b, err := os.ReadFile(file); {
		case err != nil:
			return "SSL_CERT_FILE names a file that cannot be read: " + fault.Cause(err).Error()
		case !x509.NewCertPool().AppendCertsFromPEM(b):
			return "SSL_CERT_FILE names a file without certificates in PEM"
		}
		return ""
	}
	dirs := os.Getenv("SSL_CERT_DIR")
	for _, dir := range strings.Split(dirs, ":") {
		if files, err := os.ReadDir(dir); err == nil && len(files) > 0 {
			return ""
		}
	}
	if dirs != "" {
		return "SSL_CERT_DIR names no directory with certificates"
	}
	return ""
}

// retryAfter reads Retry-After in both its forms (RFC 9110 section 10.2.3). Zero means
// that the header is missing or makes no sense. A date is compared with the same
// answer's Date, so that a wrong local clock does not matter.
func retryAfter(h http.Header, now func() time.Time) time.Duration {
	const most = 365 * 24 * time.Hour
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0
	}
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > int64(most/time.Second) {
			return most
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		if now == nil {
			return 0
		}
		from = now()
	}
	return min(max(at.Sub(from), 0), most)
}
