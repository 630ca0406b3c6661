package oauth

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRoots checks that authorities which the system trusts are trusted, wherever the
// system keeps their certificates, and no others.
func TestRoots(t *testing.T) {
	t.Parallel()
	var connections, requests atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		says(200, "application/json", goodToken)(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	proxy := connectProxy(t, s.Listener.Addr().String())

	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, sub := range []string{"with", "without"} {
		if err := os.Mkdir(at(sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ours := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for name, data := range map[string][]byte{
		"ours.pem":      ours,
		"empty.pem":     nil,
		"garbage.pem":   []byte("no certificate"),
		"with/ours.pem": ours,
	} {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bundle := at("foreign.pem")
	if err := os.WriteFile(bundle, foreignCertificate(t), 0o600); err != nil {
		t.Fatal(err)
	}

	const refused = "certificate cannot be trusted: signed by an unknown authority by the bundle"
	for _, tt := range []struct {
		name, file, dir, want string
	}{
		{"in the file", at("ours.pem"), at("without"), "refreshed by the bundle"},
		{"in the file and the directory", at("ours.pem"), at("with"), "refreshed by the bundle"},
		{"in the directory", bundle, at("with"), "refreshed by crypto/x509"},
		{"in one directory of two", bundle, at("without") + ":" + at("with"), "refreshed by crypto/x509"},
		{"the file is missing", at("missing.pem"), at("with"), "refreshed by crypto/x509"},
		{"the file is empty", at("empty.pem"), at("with"), "refreshed by crypto/x509"},
		{"the file is no certificate", at("garbage.pem"), at("with"), "refreshed by crypto/x509"},
		{"the system's file, our directory", "", at("with"), "refreshed by crypto/x509"},
		{"nowhere", bundle, at("without"), refused},
		{"not in the system", "", "", refused},
	} {
		for _, way := range []string{"direct", "through a proxy"} {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				url := s.URL
				env := []string{"SSL_CERT_FILE=" + tt.file, "SSL_CERT_DIR=" + tt.dir, "HTTPS_PROXY=", "NO_PROXY="}
				if way != "direct" {
					url = "https://example.com" // a name in the certificate; loopback addresses bypass the proxy
					env = append(env, "HTTPS_PROXY="+proxy)
				}
				if tt.want == refused {
					env = append(env, "OAUTH_ONCE=1")
				}
				connections.Store(0)
				requests.Store(0)
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(append(os.Environ(), env...), "OAUTH_REFRESH_AT="+url)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if got := strings.TrimSpace(string(out)); !strings.HasSuffix(got, tt.want) {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				switch {
				case tt.want != refused && requests.Load() != 20:
					t.Errorf("%d requests", requests.Load())
				case tt.want == refused && (requests.Load() != 0 || connections.Load() != 1):
					t.Errorf("%d connections, %d requests", connections.Load(), requests.Load())
				}
			})
		}
	}
}

// TestRootsUnread checks that no certificate is read without TLS.
func TestRootsUnread(t *testing.T) {
	t.Parallel()
	s := serve(t, says(200, "application/json", goodToken))
	a := appAt(t, s.URL)
	x := a.HTTP.Transport.(*retrying).inner.Transport.(*attempts).RoundTripper.(*trusting)
	x.load = func() bool { t.Error("the certificates are read"); return false }
	if _, err := a.Refresh(t.Context(), theRefresh); err != nil {
		t.Fatal(err)
	}
}

// connectProxy returns a proxy that tunnels every CONNECT to one address.
func connectProxy(t *testing.T, to string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				if req, err := http.ReadRequest(r); err != nil || req.Method != http.MethodConnect {
					return
				}
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
				go func() { _, _ = io.Copy(server, r); server.Close() }()
				_, _ = io.Copy(conn, server)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// foreignCertificate returns a certificate that has signed nothing.
func foreignCertificate(t *testing.T) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "foreign"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
