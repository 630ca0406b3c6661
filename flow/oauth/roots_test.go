package oauth

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// refreshAt runs in the test binary as another process: refreshAt refreshes at url,
// twenty times in parallel, and prints the results and who vouched for the server.
func refreshAt(url string) int {
	hc := NewHTTP(Options{CertFile: os.Getenv("SSL_CERT_FILE"), Parallel: 20})
	a := App{ID: theID, Secret: theSecret, Endpoints: Endpoints{Accounts: url, API: url}, HTTP: hc}
	var wg sync.WaitGroup
	results := make([]string, 20)
	if os.Getenv("OAUTH_ONCE") != "" {
		results = results[:1]
	}
	for i := range results {
		wg.Go(func() {
			results[i] = "refreshed"
			if _, err := a.Refresh(context.Background(), theRefresh); err != nil {
				results[i] = err.Error()
			}
		})
	}
	wg.Wait()
	for _, r := range results[1:] {
		if r != results[0] {
			results[0] += "; " + r
		}
	}
	by := "the bundle"
	if hc.Transport.(*retrying).inner.Transport.(*attempts).RoundTripper.(*trusting).wide.Load() {
		by = "crypto/x509"
	}
	fmt.Println(results[0], "by", by)
	return 0
}
