package oauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// callTimeout bounds one call with all its tries.
const callTimeout = 30 * time.Second

// service is one of the two services that answer; both may share an origin.
type service int

const (
	accounts service = iota
	webAPI
)

// answer is what a server sent, read to its end.
type answer struct {
	host     string
	status   int
	header   http.Header
	body     []byte
	fields   map[string]json.RawMessage // nil means that the body is not a JSON object
	lifetime time.Duration              // expires_in; zero means none, or none that can be used
}

// reader stands between x/oauth2 and the network. reader keeps the server's answer,
// which x/oauth2 would reduce to an untyped text, and hands on an answer that x/oauth2
// can read.
type reader struct {
	base   http.RoundTripper
	answer *answer // nil means that the server did not answer
	err    error   // the error of the request, or of reading the answer's body
}

func (r *reader) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		r.err = err
		return nil, err
	}
	defer resp.Body.Close()
	a := &answer{host: req.URL.Host, status: resp.StatusCode, header: resp.Header}
	r.answer = a
	if a.body, r.err = io.ReadAll(io.LimitReader(resp.Body, maxBody)); r.err != nil {
		return nil, r.err
	}
	a.body = bytes.TrimPrefix(a.body, []byte("\ufeff")) // JSON has no byte order mark (RFC 8259 section 8.1)
	plain := *resp
	plain.Header = http.Header{"Content-Type": {"application/json"}}
	plain.Body = io.NopCloser(bytes.NewReader(a.parse()))
	return &plain, nil
}

// parse reads the body as JSON, whatever its Content-Type says, and returns the body
// with an expires_in that x/oauth2 accepts. x/oauth2 takes 3600.0 for a parse error,
// which would cost a rotated refresh token.
func (a *answer) parse() []byte {
	if json.Unmarshal(a.body, &a.fields) != nil {
		a.fields = nil
	}
	raw, ok := a.fields["expires_in"]
	if !ok {
		return a.body
	}
	// x/oauth2 keeps 32 bits of seconds.
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || !(seconds >= 1) || math.IsInf(seconds, 0) {
		seconds = 0
	}
	seconds = math.Floor(min(seconds, math.MaxInt32))
	a.lifetime = time.Duration(seconds) * time.Second
	a.fields["expires_in"] = strconv.AppendInt(nil, int64(seconds), 10)
	body, err := json.Marshal(a.fields)
	if err != nil {
		return a.body
	}
	return body
}

// ask makes one call within callTimeout and returns the answer if it is a JSON object
// with a status of success. The error is always an *Error.
func (a App) ask(ctx context.Context, to service, hide secrets, send func(context.Context, *http.Client)) (*answer, error) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var s callInfo
	r := &reader{base: a.HTTP.Transport}
	send(context.WithValue(limited, seenKey{}, &s), &http.Client{Transport: r, CheckRedirect: neverFollow})

	origin := a.Endpoints.Accounts
	if to == webAPI {
		origin = a.Endpoints.API
	}
	_, host, _ := strings.Cut(origin, "://")
	if a.Secret != "" {
		hide = append(hide, a.Secret, base64.StdEncoding.EncodeToString([]byte(a.ID+":"+a.Secret)))
	}
	var e *Error
	switch got := r.answer; {
	case r.err != nil && (got == nil || got.status < 500 && got.status != http.StatusTooManyRequests):
		e = noAnswer(ctx, limited, host, got, r.err)
	case got == nil:
		e = &Error{Message: "no request could be made for " + host}
	case got.status < 200 || got.status > 299 || got.code() != "":
		e = got.failure(to, hide, s.retryAfter)
	case got.fields == nil:
		e = got.damaged("answer" + got.shape())
	default:
		return got, nil
	}
	e.RetryAfter = s.retryAfter
	a.advise(e, s.reached)
	return nil, e
}

// noAnswer says why there is no answer, or only a part of one.
func noAnswer(ctx, limited context.Context, host string, got *answer, err error) *Error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Kind: Canceled, Message: "interrupted", Err: context.Canceled}
	case limited.Err() != nil:
		return &Error{Kind: Unavailable, Message: "no answer from " + host + " in time", Hint: networkHint(err), Err: context.DeadlineExceeded}
	case got != nil && timedOut(err):
		return got.damaged("answer took too long")
	case got != nil:
		return got.damaged("answer cut short")
	}
	e := &Error{Kind: Unavailable, Message: "no answer from " + host + ": " + reason(err), Hint: networkHint(err)}
	switch {
	case insecure(err):
		e.Kind = Insecure
	case !passing(err):
		e.Kind = Unexpected
	}
	return e
}

// damaged is the error for an answer of success that cannot be used. The error says
// nothing about the tokens at hand.
func (a *answer) damaged(what string) *Error {
	return &Error{Kind: Unavailable, Status: a.status, Message: a.host + ": " + what}
}
