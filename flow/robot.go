package flow

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Robot is the browser of `--sandbox`: it opens the address, follows where it
// leads and reads the last page, as a person would who agrees to everything.
func Robot(ctx context.Context, url string) error {
	// The login ends, and with it ctx, before the last page has been read.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // loopback: no proxy
	resp, err := client.Do(req)
	if err != nil {
		return nil // the listener has its answer, or its own error to report
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.Request.URL.Path == "/authorize" {
		return &Error{Message: "the sandbox's login page shows an error, as Spotify's would", Hint: "check scopes and redirect_uri, or look at the page yourself: --login browser"}
	}
	return nil
}
