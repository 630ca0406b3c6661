package examples

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokenform/flow/state/keeper/keepertest"
)

// httpEngine is the strict server of the tests, as GitLab keeps locks.
func httpEngine(t *testing.T) engine {
	s := keepertest.NewHTTP(time.Now)
	s.User, s.Password = "ci", "hush-hush-http"
	front := httptest.NewServer(s)
	t.Cleanup(front.Close)
	by := relays(t, strings.TrimPrefix(front.URL, "http://"))
	return engine{
		name: "http",
		state: func(network int) string {
			return "{type: http, address: 'http://" + by[network].Addr().String() + "/state/{profile}', username: ci, password: {env: STORE_PASSWORD}, lock_ttl: 10s}"
		},
		env: []string{"STORE_PASSWORD=hush-hush-http"},
		cut: cutAll(by),
	}
}
