package sandbox

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// app finds a registered app.
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

// client is who asks the token endpoint.
type client struct {
	id     string
	secret bool // it knew the secret
}

// How a client can show who it is; see [Request].
const (
	AuthNone   = "none"   // at most a client_id in the body
	AuthBasic  = "basic"  // Authorization: Basic
	AuthBody   = "body"   // client_id and client_secret in the body
	AuthBearer = "bearer" // an access token
	AuthOther  = "other"
)

// client checks the client's credentials. Spotify answers 400, although RFC 6749,
// section 5.2, has 401.
func (s *Server) client(r *http.Request) (client, *refusal) {
	id, secret, auth := credentials(r)
	app, ok := s.app(id)
	inBody := r.PostForm.Get("client_id")
	switch {
	case !ok, inBody != "" && inBody != id:
		return client{}, refuse("invalid_client", "Invalid client")
	case auth == AuthNone:
		return client{id: id}, nil
	case secret == "" || !s.opt.AnyApp && subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) == 0:
		return client{}, refuse("invalid_client", "Invalid client secret")
	}
	return client{id, true}, nil
}

// credentials reads them from the Authorization header or else from the body.
func credentials(r *http.Request) (id, secret, auth string) {
	if h := r.Header.Get("Authorization"); h != "" {
		if _, ok := bearer(h); ok {
			return "", "", AuthBearer
		}
		user, pass, ok := r.BasicAuth()
		if !ok {
			return "", "", AuthOther
		}
		// Both halves are form-encoded before base64 (RFC 6749, section 2.3.1),
		// as x/oauth2 does.
		id, err := url.QueryUnescape(user)
		secret, err2 := url.QueryUnescape(pass)
		if err != nil || err2 != nil {
			return "", "", AuthOther
		}
		return id, secret, AuthBasic
	}
	if r.PostForm.Has("client_secret") {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), AuthBody
	}
	return r.PostForm.Get("client_id"), "", AuthNone
}
