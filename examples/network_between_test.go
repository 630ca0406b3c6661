package examples

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenform/flow/sandbox/faults"
)

// between returns the faults that lie between the program and the server.
func between(again [5]outcome, network string) []row {
	const always = -1
	const ours = "set SSL_CERT_FILE to its CA file"
	insecure := func(message, hint string) [5]outcome {
		return all(failed(1, "its certificate cannot be trusted: "+message, hint).unheard())
	}
	proxied := func(status int) func(*trial) { return func(x *trial) { proxy(x, status) } }
	return []row{
		{"https", faults.Fault{}, 0, secured(leaf{}), all(done(1))},
		{"https, reset before the grant", faults.ResetBeforeGrant(), always, secured(leaf{}), all(later(4, "connection reset by peer").hinting(network))},
		{"https, reset after the grant, once", faults.ResetAfterGrant(), 1, secured(leaf{}), again},
		{"certificate for another host", faults.Fault{}, 0, secured(leaf{host: "other.test"}), insecure("it is for another host", ours)},
		{"certificate expired", faults.Fault{}, 0, secured(leaf{since: -48 * time.Hour}), insecure("it has expired or is not yet valid", "check this machine's clock")},
		{"certificate not yet valid", faults.Fault{}, 0, secured(leaf{since: 24 * time.Hour}), insecure("it has expired or is not yet valid", "check this machine's clock")},
		{"certificate of a stranger", faults.Fault{}, 0, secured(leaf{stranger: true}), insecure("signed by an unknown authority", ours)},
		{"TLS 1.1", faults.Fault{}, 0, secured(leaf{version: tls.VersionTLS11}), all(later(4, "TLS failed: protocol version not supported").hinting(network).unheard())},
		{"http where https is declared", faults.Fault{}, 0, func(x *trial) { x.url = strings.Replace(x.url, "http://", "https://", 1) },
			all(later(4, "it speaks http, not https").hinting("check TOKENFORM_ACCOUNTS_URL").unheard())},

		{"proxy answers 407", faults.Fault{}, 0, proxied(407), all(failed(1, "the proxy answered 407", "put the proxy's user and password into HTTPS_PROXY").unheard())},
		{"proxy answers 503", faults.Fault{}, 0, proxied(503), all(later(4, "the proxy answered 503").hinting(network).unheard())},
		{"no such host", faults.Fault{}, 0, unknown, all(later(4, "no such host").hinting(network).unheard())},
		{"nobody listens", faults.Fault{}, 0, unserved, all(later(4, "connection refused").hinting(network).unheard())},
	}
}

// thief is another host, which must get nothing.
type thief struct {
	*httptest.Server
	requests atomic.Int64
}

func newThief(t *testing.T) *thief {
	th := &thief{}
	th.Server = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { th.requests.Add(1) }))
	t.Cleanup(th.Close)
	return th
}

// proxy puts a proxy that refuses between the program and the server. The proxy must
// see the name of the server and its own password, and nothing else.
func proxy(x *trial, status int) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodConnect || r.Host != "accounts.test:443" || len(body) > 0 || r.Header.Get("Authorization") != "" || r.Header.Get("Proxy-Authorization") == "" {
			x.t.Errorf("the proxy got %s %s with %v and %d bytes", r.Method, r.Host, r.Header, len(body))
		}
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "hush-hush", status)
	}))
	x.t.Cleanup(s.Close)
	x.url = "https://accounts.test"
	x.env = []string{"HTTPS_PROXY=http://user:hush-hush@" + s.Listener.Addr().String()}
}

// unknown points at a name that does not exist (RFC 6761 section 6.4), if this
// machine's resolver says so.
func unknown(x *trial) {
	const host = "no-such-host.invalid"
	ctx, cancel := context.WithTimeout(x.t.Context(), 2*time.Second)
	defer cancel()
	_, err := net.DefaultResolver.LookupHost(ctx, host)
	if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound {
		x.t.Skipf("this machine's resolver does not say that a name does not exist: %v", err)
	}
	x.url = "https://" + host
}

// unserved points at a port on which nobody listens.
func unserved(x *trial) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		x.t.Fatal(err)
	}
	x.url = "http://" + l.Addr().String()
	l.Close()
}

// leaf describes a server's certificate. The zero value is a good certificate.
type leaf struct {
	host     string        // empty means 127.0.0.1
	since    time.Duration // counted from now; the certificate is valid for a day
	stranger bool          // signed by an authority that the program does not know
	version  uint16        // the newest TLS version of the server; zero means any
}

// secured serves the same server over TLS and HTTP/2, and lets the program trust one
// authority only.
func secured(l leaf) func(*trial) {
	return func(x *trial) {
		known, stranger := authorities()
		by := known
		if l.stranger {
			by = stranger
		}
		s := httptest.NewUnstartedServer(x.server)
		s.EnableHTTP2 = true
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{by.issue(x.t, l)}, MinVersion: tls.VersionTLS10, MaxVersion: l.version}
		s.StartTLS()
		x.t.Cleanup(s.Close)
		x.url = s.URL
		write(x.t, x.file("ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: known.cert.Raw})))
		x.env = []string{"SSL_CERT_FILE=" + x.file("ca.pem"), "SSL_CERT_DIR=" + x.dir}
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// authorities returns the authority that the program trusts, and another one.
var authorities = sync.OnceValues(func() (*authority, *authority) { return newAuthority("known"), newAuthority("stranger") })

func newAuthority(name string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-100 * time.Hour), NotAfter: now.Add(100 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	return &authority{c, key}
}

func (a *authority) issue(t *testing.T, l leaf) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(l.since)
	if l.since == 0 {
		since = since.Add(-time.Hour)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: since, NotAfter: since.Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if l.host != "" {
		c.DNSNames = []string{l.host}
	} else {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
