package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// bundles are the files in which Linux distributions keep all their trusted
// certificates, in the order of crypto/x509 (root_linux.go). The first file that can be
// read counts.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// trusting is a transport that trusts the same authorities as crypto/x509, and finds
// them faster. On Linux, crypto/x509 reads the bundle and then every file of the
// certificate directories, which mostly hold the same certificates: this takes 16 ms,
// of which the bundle takes 2. So trusting reads the bundle alone, while the connection
// is being made. If the bundle does not vouch for a certificate, crypto/x509 decides;
// by then, only the first message of a handshake has been sent. Without trusting, a
// refresh over https takes twice as long.
//
// On other systems, and if there is no bundle, crypto/x509 does everything.
type trusting struct {
	quick *http.Transport // trusts the bundle; nil means that there is no bundle
	all   *http.Transport // trusts what the system trusts
	roots *x509.CertPool  // the certificates of quick; empty until load has filled it
	load  func() bool     // reads the bundle, once; false means that the bundle has no certificates
	wide  atomic.Bool     // the bundle is known to be insufficient
}

var errNoBundle = errors.New("no bundle of certificates")

// trust returns t with faster roots. certFile replaces the system's bundles, as in
// crypto/x509. An empty certFile replaces nothing.
func trust(t *http.Transport, certFile string) *trusting {
	x := &trusting{all: t}
	if runtime.GOOS != "linux" {
		return x
	}
	files := bundles
	if certFile != "" {
		files = []string{certFile}
	}
	x.roots = x509.NewCertPool()
	x.load = sync.OnceValue(func() bool {
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil {
				return x.roots.AppendCertsFromPEM(data)
			}
		}
		return false
	})
	x.quick = t.Clone()
	x.quick.TLSClientConfig.RootCAs = x.roots
	// Every handshake, with a proxy or the server, comes after DialContext. So
	// DialContext waits until the pool is complete: no code reads the pool before.
	x.quick.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		loaded := make(chan bool, 1)
		go func() { loaded <- x.load() }()
		conn, err := t.DialContext(ctx, network, address)
		if ok := <-loaded; !ok && err == nil {
			conn.Close()
			return nil, errNoBundle
		}
		return conn, err
	}
	return x
}

// CloseIdleConnections closes the idle connections of both transports, as
// [http.Client.CloseIdleConnections] expects.
func (x *trusting) CloseIdleConnections() {
	x.all.CloseIdleConnections()
	if x.quick != nil {
		x.quick.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (x *trusting) RoundTrip(req *http.Request) (*http.Response, error) {
	if x.quick == nil || req.URL.Scheme != "https" || x.wide.Load() {
		return x.all.RoundTrip(req)
	}
	resp, err := x.quick.RoundTrip(req)
	if err == nil || !errors.Is(err, errNoBundle) && !vouched(err) {
		return resp, err
	}
	x.wide.Store(true)
	if req.Body != nil && req.Body != http.NoBody { // the first try has closed the body
		if req.GetBody == nil {
			return nil, err
		}
		body, berr := req.GetBody()
		if berr != nil {
			return nil, err
		}
		req = req.Clone(req.Context())
		req.Body = body
	}
	return x.all.RoundTrip(req)
}

// vouched reports whether crypto/x509 trusts the signer of a certificate that the
// bundle did not vouch for. The next handshake checks everything else.
func vouched(err error) bool {
	refused, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(refused.UnverifiedCertificates) == 0 {
		return false
	}
	if _, name := errors.AsType[x509.HostnameError](refused.Err); name {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range refused.UnverifiedCertificates[1:] {
		between.AddCert(c)
	}
	_, err = refused.UnverifiedCertificates[0].Verify(x509.VerifyOptions{Intermediates: between})
	return err == nil
}
