package oauth

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestA4ProxyAddress checks that a wrong proxy address is refused, that the error names
// the variable, and that the client neither connects directly nor shows the password.
func TestA4ProxyAddress(t *testing.T) {
	request := func(url string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for value, good := range map[string]bool{
		"http://bob:100%sure@127.0.0.1:3128":  false,
		"http://bob:p@ss#w@127.0.0.1:3128":    false,
		"http://bob:a b@127.0.0.1:3128":       false,
		"http://bob:hush?hush@127.0.0.1:3128": false,
		"http://bob:hush/hush@127.0.0.1:3128": false,
		"bob:100%sure@127.0.0.1:3128":         false,
		"http://":                             false,
		"http://:3128":                        false,
		"http://127.0.0.1:99999":              false,
		"http://127.0.0.1:0":                  false,
		"http://127.0.0.1:port":               false,
		"ftp://127.0.0.1:3128":                false,
		"127.0.0.1:3128 ":                     false,
		"http:127.0.0.1:3128":                 false,
		"http://127.0.0.1:3128/":              true,
		"127.0.0.1:3128":                      true,
		"proxy":                               true,
		"bob:hush@proxy:3128":                 true,
		"http://bob:p@ss@127.0.0.1:3128":      true,
		"http://bob:100%25sure@[::1]:3128":    true,
		"https://bob:%40%23%20@proxy":         true,
		"socks5://127.0.0.1:1080":             true,
		"socks5h://127.0.0.1:1080":            true,
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			t.Run(name+"="+strings.ReplaceAll(value, "/", "|"), func(t *testing.T) {
				t.Setenv("HTTPS_PROXY", "")
				t.Setenv("https_proxy", "")
				t.Setenv(name, value)
				_, err := proxyFromEnvironment(request("https://accounts.spotify.com/api/token"))
				if (err == nil) != good {
					t.Fatalf("error %v", err)
				}
				if _, err := proxyFromEnvironment(request("https://127.0.0.1/")); err != nil {
					t.Errorf("refused although no proxy is asked: %v", err)
				}
				if good {
					return
				}
				var requests int
				s := serve(t, func(http.ResponseWriter, *http.Request) { requests++ })
				a := appAt(t, s.URL)
				a.Endpoints.Accounts = strings.Replace(strings.Replace(s.URL, "http:", "https:", 1), "127.0.0.1", "accounts.invalid", 1)
				_, err = a.Refresh(t.Context(), theRefresh)
				e := wireError(t, err)
				if text := e.Message + e.Hint; !strings.Contains(text, named(name)+" is not the address of a proxy") || !strings.Contains(text, "percent-encode") ||
					strings.Contains(text, "bob") || strings.Contains(text, "hush") || strings.Contains(text, "sure") {
					t.Errorf("%s; hint %s", e.Message, e.Hint)
				}
				if requests > 0 {
					t.Error("a request was sent")
				}
			})
		}
	}
}

// named returns the name by which a variable of the environment is found. On Windows the
// case of a name does not matter, and the first name that is looked for is found.
func named(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// TestA9Certificates checks that a variable that names no certificates is blamed, and not
// the server.
func TestA9Certificates(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Go reads these variables on Linux")
	}
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	text := filepath.Join(dir, "text.pem")
	if err := os.WriteFile(text, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, dirs, want string }{
		{"", "", "signed by an unknown authority"},
		{filepath.Join(dir, "missing.pem"), "", "SSL_CERT_FILE names a file that cannot be read: no such file or directory"},
		{dir, "", "SSL_CERT_FILE names a file that cannot be read: is a directory"},
		{text, "", "SSL_CERT_FILE names a file without certificates in PEM"},
		{"", filepath.Join(dir, "missing"), "SSL_CERT_DIR names no directory with certificates"},
		{"", empty + ":" + text, "SSL_CERT_DIR names no directory with certificates"},
		{"", empty + ":" + dir, "signed by an unknown authority"},
	} {
		t.Setenv("SSL_CERT_FILE", c.file)
		t.Setenv("SSL_CERT_DIR", c.dirs)
		err := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		if got := reason(err); got != "its certificate cannot be trusted: "+c.want {
			t.Errorf("%s %s: %s", c.file, c.dirs, got)
		}
		if hint := networkHint(err); strings.HasPrefix(c.want, "SSL_") != strings.Contains(hint, "correct that variable") {
			t.Errorf("%s %s: hint %s", c.file, c.dirs, hint)
		}
	}
}
