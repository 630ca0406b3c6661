package sandbox

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"time"
)

const (
	codeLife    = 10 * time.Minute
	requestLife = time.Hour // how long a consent page may stay open
)

// authorize answers GET /authorize with the consent page, or with a redirect to the
// app if the user has nothing left to decide.
func (s *Server) authorize(r *http.Request) answer {
	q := r.URL.Query()
	c, wrong := s.request(q)
	if wrong != nil {
		return s.mistakePage(wrong)
	}
	s.mu.Lock()
	user := s.user
	c.User = &user
	before, asked := s.granted[c.pair()]
	s.mu.Unlock()
	// Spotify skips the page if the user has granted all of these scopes before.
	if q.Get("show_dialog") != "true" && (s.opt.AutoConsent || asked && c.Scopes&^before == 0) {
		return redirect(http.StatusFound, s.allow(c))
	}
	return s.consentPage(c)
}

// request checks the parameters. Later checks rely on earlier ones: a redirect URI
// is right or wrong only for its app.
func (s *Server) request(q url.Values) (claims, *mistake) {
	app, ok := s.app(q.Get("client_id"))
	if !ok {
		if q.Get("client_id") == "" {
			return claims{}, missing("client_id")
		}
		return claims{}, unknownClient()
	}
	uri := q.Get("redirect_uri")
	if wrong := s.checkRedirect(app, uri); wrong != nil {
		return claims{}, wrong
	}
	switch q.Get("response_type") {
	case "code":
	case "":
		return claims{}, missing("response_type")
	default:
		const text = "response_type must be code"
		return claims{}, &mistake{text: text, old: text, cure: "Use PKCE: the implicit grant ended on 2025-11-27."}
	}
	set, unknown := parseScopes(q.Get("scope"))
	if unknown != "" && !s.opt.IgnoreUnknownScopes {
		return claims{}, &mistake{"invalid scope", "Illegal scope", "Remove the scope %s, or correct its name. Separate scopes with spaces.", unknown}
	}
	challenge, method := q.Get("code_challenge"), q.Get("code_challenge_method")
	if wrong := checkChallenge(challenge, method); wrong != nil {
		return claims{}, wrong
	}
	return claims{
		Kind: aRequest, Client: app.ID, Scopes: set, Redirect: uri, State: q.Get("state"), Challenge: challenge,
		Expires: s.opt.Now().Add(requestLife).UnixMilli(),
	}, nil
}

// checkChallenge accepts base64url of a SHA-256 without padding (RFC 7636,
// section 4.2), or no challenge, because a client with a secret needs none.
func checkChallenge(challenge, method string) *mistake {
	if challenge == "" && method == "" {
		return nil
	}
	if method != "S256" {
		const text = "code_challenge_method must be S256"
		return &mistake{text: text, old: text, cure: "Use S256: the method plain would send the verifier in the open."}
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(raw) != 32 || len(challenge) != 43 {
		const text = "code_challenge is invalid"
		return &mistake{text: text, old: text, cure: "Send base64url of a SHA-256: 43 characters, without = at the end."}
	}
	return nil
}

// consented answers the consent page's form. The request token in the form was
// sealed after all checks, so a form that no consent page made is refused.
func (s *Server) consented(r *http.Request) answer {
	c, ok := s.open(aRequest, r.PostForm.Get("request"))
	if !ok || c.expired(s.opt.Now()) {
		const text = "This page is too old"
		return s.mistakePage(&mistake{text: text, old: text, cure: "Start the login again from the app."})
	}
	// 303 makes the browser continue with GET. 307 would post the form to the app
	// (RFC 9700, section 4.12).
	switch r.PostForm.Get("answer") {
	case "allow":
		return redirect(http.StatusSeeOther, s.allow(c))
	case "cancel":
		return redirect(http.StatusSeeOther, back(c, "error", "access_denied"))
	default:
		return s.mistakePage(missing("answer"))
	}
}

// allow starts a login with the user's consent and returns the redirect URI with the
// login's code. A login without a page counts as a new consent too: every login
// starts a new six months.
func (s *Server) allow(c claims) string {
	now := s.opt.Now()
	s.mu.Lock()
	s.serial++
	c.Login = login{s.start, s.serial}
	s.granted[c.pair()] |= c.Scopes
	s.mu.Unlock()
	code := c
	code.Kind, code.State = aCode, ""
	code.Consent, code.Expires = now.UnixMilli(), now.Add(codeLife).UnixMilli()
	return back(c, "code", s.issue(code))
}

func back(c claims, name, value string) string {
	q := url.Values{name: {value}}
	if c.State != "" {
		q.Set("state", c.State)
	}
	return withQuery(c.Redirect, q)
}
