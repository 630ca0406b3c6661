package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
)

// code returns the error code of RFC 6749 section 5.2, or "". Some servers send a code
// with status 200.
func (a *answer) code() string {
	var code string
	if json.Unmarshal(a.fields["error"], &code) != nil {
		return ""
	}
	return code
}

// text returns what a JSON answer says about an error: error_description at the
// Accounts service, error.message at the Web API.
func (a *answer) text() string {
	var s string
	if json.Unmarshal(a.fields["error_description"], &s) == nil && s != "" {
		return s
	}
	var e struct{ Message, Reason string }
	if json.Unmarshal(a.fields["error"], &e) != nil {
		return ""
	}
	if e.Reason != "" {
		return e.Message + " (" + e.Reason + ")"
	}
	return e.Message
}

// These texts describe a body that is no JSON object. They follow "answer" or a status.
const (
	noBody      = " without a body"
	htmlPage    = " with an HTML page"
	damagedJSON = " with damaged JSON"
	notJSON     = " that is not JSON"
)

// shape describes a body that cannot be read, without quoting the body.
func (a *answer) shape() string {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	body := bytes.TrimSpace(a.body)
	switch {
	case len(body) == 0:
		return noBody
	case media == "text/html" || body[0] == '<':
		return htmlPage
	case body[0] == '{':
		return damagedJSON
	default:
		return notJSON
	}
}

// words returns what follows "answered 503": the server's own line if the server sent
// one.
func (a *answer) words(hide secrets) string {
	if a.fields != nil {
		if text := hide.clean(a.text()); text != "" {
			return ": " + text
		}
		return ""
	}
	switch shape := a.shape(); {
	case a.status < 400 || shape == noBody:
		return ""
	case shape == notJSON:
		return ": " + hide.clean(string(a.body))
	default:
		return shape
	}
}

// failure turns an error answer into words and a kind. A 429 or 5xx proves nothing,
// whatever its body claims: in an outage, servers have sent false invalid_grant
// answers.
func (a *answer) failure(from service, hide secrets, retryAfter time.Duration) *Error {
	for _, name := range []string{"access_token", "refresh_token"} {
		var s string
		if json.Unmarshal(a.fields[name], &s) == nil {
			hide = append(hide[:len(hide):len(hide)], s)
		}
	}
	e := &Error{Status: a.status, Message: fmt.Sprintf("%s answered %d", a.host, a.status)}
	code := a.code()
	if !codeLike(code) || hide.scrub(code) != code {
		code = ""
	}
	if from == accounts {
		e.Code = code
	}
	switch {
	case a.status == http.StatusTooManyRequests:
		e.Kind = RateLimited
	case a.status == http.StatusRequestTimeout, a.status >= 500, e.Code == "server_error", e.Code == "temporarily_unavailable":
		e.Kind = Unavailable
	case e.Code != "":
		e.Kind = Refused
		e.Message = asClause(hide.clean(a.text()))
		if e.Message == "" {
			e.Message = "refused by " + a.host
		}
		e.Message += " (" + e.Code + ")"
		return e
	case a.status == http.StatusForbidden && from == accounts:
		// The token endpoint itself answers 400, never 403. Something between us and
		// the server refuses this network, which says nothing about the token.
		e.Kind = Unavailable
		e.Hint = "Spotify refuses this network: try another one, and check the proxy"
	case a.status == http.StatusForbidden:
		e.Kind = Forbidden
	case a.status == http.StatusUnauthorized && from == webAPI && !verdict(a.header, a.text()):
		e.Kind = Unavailable // good tokens sometimes get such a 401
	case a.status == http.StatusUnauthorized && from == webAPI:
		e.Kind = Unauthorized
	case a.status >= 300 && a.status < 400:
		e.Message += ", a redirect, which tokenform does not follow"
		return e
	case a.fields == nil && a.shape() == damagedJSON:
		e.Kind = Unavailable // the server may have meant anything
	}
	e.Message += a.words(hide)
	if retryAfter > 0 {
		e.Message += "; try again in " + roughly(retryAfter)
	}
	return e
}

// verdict reports whether a 401 of the Web API says that the token is no longer good
// (RFC 6750 section 3.1, invalid_token). A 401 without an error code means that the
// server saw no token in the request.
func verdict(h http.Header, text string) bool {
	return strings.Contains(h.Get("WWW-Authenticate"), `"invalid_token"`) || text == "The access token expired" || text == "Invalid access token"
}

// codeLike reports whether s looks like an error code. codeLike is narrower than RFC
// 6749 appendix A.7, and wide enough for every code that exists.
func codeLike(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
}

// wrongServer is the hint if something other than Spotify answers.
const wrongServer = "check TOKENFORM_ACCOUNTS_URL and TOKENFORM_API_URL, and the proxy"

// advise adds a hint, if one is known. reached is the number of tries that may have
// reached the server.
func (a App) advise(e *Error, reached int) {
	if e.Hint != "" {
		return
	}
	switch {
	case e.Code == "invalid_client":
		e.Hint = a.clientHint()
	case e.Code == "invalid_grant" && reached > 1:
		e.Hint = "an earlier attempt may have succeeded although its answer was lost: log in again"
	case e.Code == "invalid_grant":
		e.Hint = "log in again"
	case e.Code == "invalid_scope":
		e.Hint = "correct scopes in the profile"
	case e.Code == "unauthorized_client":
		e.Hint = "check grant in the profile, and the app in Spotify's developer dashboard"
	case e.Kind == Forbidden:
		e.Hint = "the token may be valid: the app's owner needs Premium, the account must be on the app's user list, and the scopes must be sufficient"
	case e.Kind == Unauthorized:
		e.Hint = "refresh the token, or log in again"
	case e.Status == http.StatusProxyAuthRequired:
		e.Hint = networkHint(&proxyError{e.Status})
	case e.Kind == Unexpected && e.Status != 0:
		e.Hint = wrongServer
	}
}

// clientHint looks for the most common mistakes in id and secret. Nobody can see that
// id and secret are swapped: both are 32 hexadecimal digits.
func (a App) clientHint() string {
	id, secret := from("client.id", a.IDFrom), from("client.secret", a.SecretFrom)
	switch {
	case strings.TrimSpace(a.ID) != a.ID:
		return "remove the space or newline around " + id
	case strings.TrimSpace(a.Secret) != a.Secret:
		return "remove the space or newline around " + secret
	case a.Secret == "":
		return "check " + id + "; a login made with a client secret needs client.secret for every refresh"
	default:
		return "check " + id + " and " + secret + ": are they swapped, or of two different apps?"
	}
}

// from returns the name of a value with its origin, if the origin is known.
func from(name, origin string) string {
	if origin == "" {
		return name
	}
	return name + " (from " + origin + ")"
}
