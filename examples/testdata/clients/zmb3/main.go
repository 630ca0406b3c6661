// Logs in to the Web API with zmb3/spotify and nothing but our file, twice: with
// the access token, and, once that is over, with one that the client gets, which
// is kept in the file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/zmb3/spotify/v2"
	spotifyauth "github.com/zmb3/spotify/v2/auth"
	"golang.org/x/oauth2"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file, clientID, server string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var tok oauth2.Token
	if err := json.Unmarshal(b, &tok); err != nil {
		return err
	}
	to, err := url.Parse(server)
	if err != nil {
		return err
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: standIn{to}})
	auth := spotifyauth.New(spotifyauth.WithClientID(clientID), spotifyauth.WithClientSecret(os.Getenv("CLIENT_SECRET")))
	valid := tok.Valid() && time.Until(tok.Expiry) < time.Hour
	user, err := spotify.New(auth.Client(ctx, &tok)).CurrentUser(ctx)
	if err != nil {
		return err
	}
	over := tok
	over.AccessToken, over.Expiry = "over", time.Now().Add(-time.Hour)
	api := spotify.New(auth.Client(ctx, &over))
	later, err := api.CurrentUser(ctx)
	if err != nil {
		return err
	}
	fresh, err := api.Token()
	if err != nil {
		return err
	}
	if b, err = json.Marshal(fresh); err != nil {
		return err
	}
	valid = valid && fresh.AccessToken != tok.AccessToken && fresh.AccessToken != "over"
	answer := map[string]any{"valid": valid, "user": user.ID, "later": later.ID}
	return errors.Join(os.WriteFile(file, b, 0o600), json.NewEncoder(os.Stdout).Encode(answer))
}

// standIn sends requests for Spotify, whose addresses the client has built in, to
// the stand-in.
type standIn struct{ to *url.URL }

func (s standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "api.spotify.com" && r.URL.Host != "accounts.spotify.com" {
		return nil, fmt.Errorf("a request to %s", r.URL.Host)
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = s.to.Scheme, s.to.Host, s.to.Host
	return http.DefaultTransport.RoundTrip(r)
}
