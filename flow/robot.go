package flow

import (
	"context"
	"io"
	"net/http"
	"time"

	"tokenform/config/fault"
	"tokenform/flow/oauth"
)

// AgreeingBrowser is the browser of --sandbox: it opens the address, follows redirects and
// reads the last page, as a person who agrees to everything would. AgreeingBrowser never
// leaves this machine: away is the first address that leads to another machine, to
// be pasted, or "" if no address does.
func AgreeingBrowser(ctx context.Context, address string) (away string, err error) {
	// The login ends, and cancels ctx, before the last page has been read.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, // loopback: no proxy
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			if oauth.Hears(next.URL.String()) {
				return nil
			}
			away = next.URL.String()
			return http.ErrUseLastResponse
		},
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", nil // the listener has its answer, or its own error to report
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if away == "" && resp.Request.URL.Path == "/authorize" {
		return "", &fault.Error{Message: "the sandbox's login page shows an error, as Spotify's would", Hint: "check scopes and redirect_uri, or look at the page yourself: --login browser"}
	}
	return away, nil
}
