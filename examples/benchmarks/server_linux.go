package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// server answers every token request, at once or after a delay, with a token of
// Spotify's length. The token lives for a minute, so that the next run refreshes again.
type server struct {
	delay time.Duration
	life  int
	count atomic.Int64
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(s.delay)
	access := fmt.Sprintf("BQ%0582d", s.count.Add(1))
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d,"scope":"user-top-read"}`, access, s.life)
}

// listen serves h on a loopback port, over TLS if cert is given.
func listen(h http.Handler, cert *tls.Certificate) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	url = "http://" + l.Addr().String()
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"http/1.1"}})
		url = "https://" + l.Addr().String()
	}
	go http.Serve(l, h)
	return url, nil
}

// authority makes a certificate for 127.0.0.1, and a bundle file with the issuer after
// the system's own certificates. A program with this bundle as SSL_CERT_FILE reads the
// same files as by default, bundle and directory, and trusts the server.
func authority(bundle string) (*tls.Certificate, error) {
	system := ""
	for _, file := range []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"} {
		if b, err := os.ReadFile(file); err == nil {
			system = string(b)
			break
		}
	}
	if strings.Count(system, "BEGIN CERTIFICATE") < 50 {
		return nil, fmt.Errorf("this system has no bundle of root certificates")
	}
	sign := func(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) ([]byte, error) {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		return x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "benchmark root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER, err := sign(root, root, rootKey, rootKey)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER, err := sign(leaf, root, key, rootKey)
	if err != nil {
		return nil, err
	}
	text := system + "\n" + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}))
	return &tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}, os.WriteFile(bundle, []byte(text), 0o600)
}
