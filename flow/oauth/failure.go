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

// code is the error code of RFC 6749 section 5.2, or empty. Some servers send
// one with status 200.
func (a *answer) code() string {
	var code string
	if json.Unmarshal(a.fields["error"], &code) != nil {
		return ""
	}
	return code
}

// text is what a JSON answer says about an error: error_description at the
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

// The shapes of a body that is no JSON object, to follow "answer" or a status.
const (
	noBody      = " without a body"
	htmlPage    = " with an HTML page"
	damagedJSON = " with damaged JSON"
	notJSON     = " that is not JSON"
)

// shape says what a body is that cannot be read, without quoting it.
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

// words is what follows "answered 503": the server's own line if it sent one.
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

// failure turns an error answer into words and a kind. A 429 or 5xx proves
// nothing, whatever its body claims: false invalid_grant answers have happened
// in an outage.
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
		// The token endpoint itself answers 400. Something in between does not let this
		// network through, which says nothing about the token.
		e.Kind = Unavailable
		e.Hint = "this network is refused: try from another one, and check the proxy"
	case a.status == http.StatusForbidden:
		e.Kind = Forbidden
	case a.status == http.StatusUnauthorized && from == webAPI && !verdict(a.header, a.text()):
		e.Kind = Unavailable // good tokens get such a 401 now and then
	case a.status == http.StatusUnauthorized && from == webAPI:
		e.Kind = Unauthorized
	case a.status >= 300 && a.status < 400:
		e.Message += ", a redirect, which is never followed"
		return e
	case a.fields == nil && a.shape() == damagedJSON:
		e.Kind = Unavailable // it may have said anything
	}
	e.Message += a.words(hide)
	if retryAfter > 0 {
		e.Message += "; try again in " + roughly(retryAfter)
	}
	return e
}

// verdict reports whether a 401 of the Web API says that the token is no longer good
// (RFC 6750 section 3.1, invalid_token). Without an error code the request carried no
// token, in the server's eyes.
func verdict(h http.Header, text string) bool {
	return strings.Contains(h.Get("WWW-Authenticate"), `"invalid_token"`) || text == "The access token expired" || text == "Invalid access token"
}

// codeLike is narrower than RFC 6749 appendix A.7, and wide enough for every
// code that exists.
func codeLike(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
}

// wrongServer is the cure if something else than Spotify answers.
const wrongServer = "check TOKENFORM_ACCOUNTS_URL and TOKENFORM_API_URL, and the proxy"

// advise adds the cure, if one is known. reached is the number of tries that
// may have got to the server.
func (a App) advise(e *Error, reached int) {
	if e.Hint != "" {
		return
	}
	switch {
	case e.Code == "invalid_client":
		e.Hint = a.clientHint()
	case e.Code == "invalid_grant" && reached > 1:
		e.Hint = "an earlier try may have counted although its answer was lost: log in again"
	case e.Code == "invalid_grant":
		e.Hint = "log in again"
	case e.Code == "invalid_scope":
		e.Hint = "correct scopes in the profile"
	case e.Code == "unauthorized_client":
		e.Hint = "check grant in the profile, and the app in Spotify's developer dashboard"
	case e.Kind == Forbidden:
		e.Hint = "the token may be fine: the app's owner needs Premium, the account must be on the app's list of users, and the scopes must suffice"
	case e.Kind == Unauthorized:
		e.Hint = "refresh the token, or log in again"
	case e.Status == http.StatusProxyAuthRequired:
		e.Hint = networkHint(&proxyError{e.Status})
	case e.Kind == Unexpected && e.Status != 0:
		e.Hint = wrongServer
	}
}

// clientHint looks for what people get wrong most. That id and secret are
// swapped cannot be seen: both are 32 hexadecimal digits.
func (a App) clientHint() string {
	switch {
	case strings.TrimSpace(a.ID) != a.ID:
		return "remove the space or newline around client.id"
	case strings.TrimSpace(a.Secret) != a.Secret:
		return "remove the space or newline around client.secret"
	case a.Secret == "":
		return "check client.id; a login made with a client secret needs client.secret for every refresh"
	default:
		return "check client.id and client.secret: are they swapped, or of two different apps?"
	}
}
