package oauth

import (
	"strings"
	"testing"
)

func TestParseEndpoints(t *testing.T) {
	t.Parallel()
	e, err := ParseEndpoints("", "")
	if err != nil || e != (Endpoints{"https://accounts.spotify.com", "https://api.spotify.com"}) {
		t.Fatalf("got %v, %v", e, err)
	}
	for in, want := range map[string]string{
		"https://accounts.example/":  "https://accounts.example",
		"https://accounts.example":   "https://accounts.example",
		"HTTPS://accounts.example":   "https://accounts.example",
		"http://127.0.0.1:8080/":     "http://127.0.0.1:8080",
		"http://127.1.2.3:8080":      "http://127.1.2.3:8080",
		"http://[::1]:8080":          "http://[::1]:8080",
		"http://[::ffff:127.0.0.1]/": "http://[::ffff:127.0.0.1]",
	} {
		if e, err := ParseEndpoints(in, in); err != nil || e.Accounts != want || e.API != want {
			t.Errorf("%s: got %v, %v; want %s", in, e, err, want)
		}
	}
	for in, part := range map[string]string{
		"http://accounts.spotify.com":            "https",
		"http://localhost:8080":                  "https",
		"http://127.0.0.1.example.com":           "https",
		"http://0.0.0.0:80":                      "https",
		"http://192.168.1.1":                     "https",
		"ftp://127.0.0.1":                        "https",
		"127.0.0.1:8080":                         "URL",
		"accounts.spotify.com":                   "URL",
		"https://":                               "URL",
		"https://host:99999":                     "URL",
		"https://host:0":                         "URL",
		"https://ho\nst":                         "URL",
		"https://user:hunter2@host":              "password",
		"https://host/api/token":                 "path",
		"https://host?hunter2":                   "query",
		"https://host?":                          "query",
		"https://host#hunter2":                   "fragment",
		"https://host#":                          "fragment",
		"http://127.0.0.1@evil.example":          "https",
		"http://evil.example#@127.0.0.1":         "https",
		"http://127.0.0.1\\@evil.example":        "URL",
		"http://[::1%25eth0]:80":                 "https",
		"https://accounts.example/hunter2\x7f/b": "URL",
	} {
		for name, parse := range map[string]func() (Endpoints, error){
			"TOKENFORM_ACCOUNTS_URL": func() (Endpoints, error) { return ParseEndpoints(in, "") },
			"TOKENFORM_API_URL":      func() (Endpoints, error) { return ParseEndpoints("", in) },
		} {
			e, err := parse()
			if err == nil || e != (Endpoints{}) {
				t.Errorf("%q: accepted as %v", in, e)
				continue
			}
			if !strings.HasPrefix(err.Error(), name+" ") || !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v", in, err)
			}
		}
	}
}
