package sandbox

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// app finds a registered app by its ID. No app has an empty ID.
func (s *Server) app(id string) (App, bool) {
	if s.opt.AnyApp {
		return App{ID: id}, id != ""
	}
	for _, a := range s.opt.Apps {
		if a.ID == id && id != "" {
			return a, true
		}
	}
	return App{}, false
}

// client is the app that asks the token endpoint.
type client struct {
	id     string
	secret bool // the client sent its secret
}

// client checks the client's credentials. Spotify refuses with 400, although
// RFC 6749, section 5.2, has 401.
func (s *Server) client(r *http.Request) (client, *refusal) {
	id, secret, sent := credentials(r)
	app, ok := s.app(id)
	inBody := r.PostForm.Get("client_id")
	switch {
	case !ok, inBody != "" && inBody != id:
		return client{}, refuse("invalid_client", "Invalid client")
	case !sent:
		return client{id: id}, nil
	case secret == "" || !s.opt.AnyApp && subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) == 0:
		return client{}, refuse("invalid_client", "Invalid client secret")
	}
	return client{id, true}, nil
}

// credentials reads the client's id and secret from the Authorization header, or
// from the body if there is no header; sent says whether there was a secret, even
// an empty one. A header that is not good Basic authentication gives no id, which
// no app has.
func credentials(r *http.Request) (id, secret string, sent bool) {
	if r.Header.Get("Authorization") != "" {
		user, pass, _ := r.BasicAuth()
		// Both halves are form-encoded before base64 (RFC 6749, section 2.3.1),
		// as x/oauth2 does.
		id, err := url.QueryUnescape(user)
		secret, err2 := url.QueryUnescape(pass)
		if err != nil || err2 != nil {
			return "", "", true
		}
		return id, secret, true
	}
	return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), r.PostForm.Has("client_secret")
}
