package keeper

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"tokenform/config"
	"tokenform/flow/oauth"
)

func testOptions() Options {
	return Options{HTTP: func(c *tls.Config) *http.Client {
		return oauth.NewHTTP(oauth.Options{TLS: c, RetryWaitMin: time.Millisecond})
	}, Now: time.Now}
}

func openTestEtcd(t *testing.T, s config.Store) *etcd {
	t.Helper()
	s.Type = config.EtcdStore
	k, err := Open(context.Background(), s, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	return k.(*etcd)
}
