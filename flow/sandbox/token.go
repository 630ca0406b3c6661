package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// refusal is an OAuth error (RFC 6749, section 5.2). Spotify sends every refusal
// with status 400.
type refusal struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func refuse(code, description string) *refusal { return &refusal{code, description} }

// granted is the token endpoint's answer to a good request.
type granted struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	Scope     string `json:"scope,omitempty"`
	ExpiresIn int    `json:"expires_in"`
	Refresh   string `json:"refresh_token,omitempty"`
}

// token answers POST /api/token.
func (s *Server) token(r *http.Request) answer {
	form := r.PostForm
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method != http.MethodPost || err != nil || t != "application/x-www-form-urlencoded" {
		form = nil // Spotify reads no parameters from the URL or from JSON
	}
	var run func(client, url.Values) (*granted, *refusal)
	switch grant := form.Get("grant_type"); grant {
	case "authorization_code":
		run = s.exchange
	case "refresh_token":
		run = s.refresh
	case "client_credentials":
		run = s.clientCredentials
	case "":
		return refused(refuse("unsupported_grant_type", "grant_type parameter is missing"))
	default:
		return refused(refuse("unsupported_grant_type", "grant_type "+grant+" is not supported"))
	}
	c, no := s.client(r)
	if no != nil {
		return refused(no)
	}
	g, no := run(c, form)
	if no != nil {
		return refused(no)
	}
	return jsonAnswer(http.StatusOK, g)
}

func refused(e *refusal) answer { return jsonAnswer(http.StatusBadRequest, e) }

// exchange trades a code for tokens. A refused exchange leaves the code usable.
func (s *Server) exchange(c client, form url.Values) (*granted, *refusal) {
	now, verifier := s.opt.Now(), form.Get("code_verifier")
	if form.Get("code") == "" {
		return nil, refuse("invalid_request", "code must be supplied")
	}
	code, ok := s.open(aCode, form.Get("code"))
	switch {
	case verifier == "" && (!c.secret || ok && code.Challenge != ""):
		return nil, refuse("invalid_request", "code_verifier required")
	case !ok || code.Client != c.id:
		return nil, refuse("invalid_grant", "Invalid authorization code")
	case code.expired(now):
		return nil, refuse("invalid_grant", "Authorization code expired")
	case code.Redirect != form.Get("redirect_uri"):
		return nil, refuse("invalid_grant", "Invalid redirect URI")
	case !matches(code.Challenge, verifier):
		return nil, refuse("invalid_grant", "code_verifier was incorrect")
	case !s.spend(code, now):
		return nil, refuse("invalid_grant", "Invalid authorization code")
	}
	code.Redirect, code.Challenge, code.Secret = "", "", c.secret
	g := s.grant(code, now)
	g.Refresh = s.issueRefresh(code)
	return g, nil
}

// matches compares a verifier with its challenge. matches refuses a verifier if the
// code had no challenge, to prevent downgrades (RFC 9700, section 2.1.1).
func matches(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	for _, r := range verifier {
		if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r)) {
			return false
		}
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}

// refresh answers with a new access token. The refresh token stays valid and the
// answer leaves it out, unless the server rotates.
func (s *Server) refresh(c client, form url.Values) (*granted, *refusal) {
	now := s.opt.Now()
	if form.Get("refresh_token") == "" {
		return nil, refuse("invalid_request", "refresh_token must be supplied")
	}
	old, ok := s.open(aRefresh, form.Get("refresh_token"))
	rotate := s.opt.RotateAll || s.opt.RotatePKCE && !old.Secret
	switch {
	case !ok || old.Client != c.id:
		return nil, refuse("invalid_grant", "Invalid refresh token")
	case old.Secret && !c.secret:
		return nil, refuse("invalid_client", "Invalid client secret")
	case !now.Before(s.loginEnds(old)):
		return nil, refuse("invalid_grant", "Refresh token expired")
	case !s.turn(old, now, rotate):
		return nil, refuse("invalid_grant", "Refresh token revoked")
	}
	if s.opt.UnionScopes {
		s.mu.Lock()
		old.Scopes |= s.granted[old.pair()]
		s.mu.Unlock()
	}
	g := s.grant(old, now)
	if rotate {
		old.Turn++
		g.Refresh = s.issueRefresh(old)
	}
	return g, nil
}

// clientCredentials answers with a token for the app alone: without a user, scopes
// or a refresh token (RFC 6749, section 4.4.3).
func (s *Server) clientCredentials(c client, _ url.Values) (*granted, *refusal) {
	if !c.secret {
		return nil, refuse("invalid_client", "Invalid client secret")
	}
	return s.grant(claims{Client: c.id, Secret: true}, s.opt.Now()), nil
}

// grant makes an access token from c.
func (s *Server) grant(c claims, now time.Time) *granted {
	c.Kind, c.Expires = anAccess, now.Add(s.opt.TokenLife).UnixMilli()
	return &granted{
		Access: s.issue(c), Type: "Bearer", Scope: c.Scopes.String(),
		ExpiresIn: int(s.opt.TokenLife / time.Second),
	}
}

func (s *Server) issueRefresh(c claims) string {
	c.Kind, c.Expires = aRefresh, 0
	return s.issue(c)
}
