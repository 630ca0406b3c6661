package oauth

import (
	"context"
	"encoding/json"
	"net/http"
)

// Me is the account that a token stands for.
type Me struct {
	ID        string
	AccountID string // empty means that the answer had none
	Name      string // display name, without control characters; may be empty
}

// Me asks the Web API whose token access is. A client-credentials token has no account:
// use [App.Search] for it.
func (a App) Me(ctx context.Context, access string) (Me, error) {
	got, err := a.get(ctx, access, "/v1/me")
	if err != nil {
		return Me{}, err
	}
	var me struct {
		ID        string
		AccountID string `json:"account_id"`
		Name      string `json:"display_name"`
	}
	if json.Unmarshal(got.body, &me) != nil || me.ID == "" {
		return Me{}, got.damaged("answer without an account id")
	}
	return Me{
		ID:        oneLine(me.ID, maxText),
		AccountID: oneLine(me.AccountID, maxText),
		Name:      oneLine(me.Name, maxText),
	}, nil
}

// Search checks a client-credentials token: Search asks the Web API for something that
// needs no user. nil means that the token is good.
func (a App) Search(ctx context.Context, access string) error {
	_, err := a.get(ctx, access, "/v1/search?q=a&type=track&limit=1")
	return err
}

func (a App) get(ctx context.Context, access, path string) (*answer, error) {
	return a.ask(ctx, webAPI, secrets{access}, func(ctx context.Context, hc *http.Client) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Endpoints.API+path, nil)
		if err != nil {
			return // there is no answer; ask returns the error
		}
		req.Header.Set("Authorization", "Bearer "+access)
		if resp, err := hc.Do(req); err == nil {
			resp.Body.Close()
		}
	})
}
