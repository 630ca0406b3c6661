package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tokenform/flow/sandbox"
)

// Faults that answer in the server's place. No grant is consumed.

// Says answers with anything at all.
func Says(status int, contentType, text string) Fault {
	return Fault{
		Name:    fmt.Sprintf("%d %s", status, contentType),
		Instead: func(*http.Request) sandbox.Answer { return sandbox.NewAnswer(status, contentType, []byte(text)) },
	}
}

// Outage answers 500, 502, or 503 with a line of plain text.
func Outage(status int) Fault {
	line := "upstream connect error or disconnect/reset before headers"
	if status == http.StatusInternalServerError {
		line = "Internal server error"
	}
	return Says(status, "text/plain", line)
}

// HTML answers with a web page, as a proxy, a hotel's network or an outage
// does, with status 200 or another.
func HTML(status int) Fault {
	return Says(status, "text/html; charset=utf-8",
		"<!DOCTYPE html>\n<html><head><title>Oops! Something went wrong</title></head><body><h1>Sorry</h1><p>Try again later.</p></body></html>\n")
}

// TooManyRequests answers 429. Retry-After is sent as it is given; empty:
// there is none.
func TooManyRequests(retryAfter string) Fault {
	return limited("429", retryAfter, func(r *http.Request) sandbox.Answer {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			return sandbox.APIError(http.StatusTooManyRequests, "API rate limit exceeded")
		}
		return text(http.StatusTooManyRequests, "Too many requests")
	})
}

// QuotaExceeded answers the 429 of an app that has used up its day.
func QuotaExceeded(retryAfter string) Fault {
	return limited("QUOTA_EXCEEDED", retryAfter, func(*http.Request) sandbox.Answer {
		return sandbox.NewAnswer(http.StatusTooManyRequests, "application/json",
			[]byte(`{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}`))
	})
}

func limited(name, retryAfter string, instead func(*http.Request) sandbox.Answer) Fault {
	return Fault{
		Name:    name + " Retry-After: " + retryAfter,
		Instead: instead,
		Change: func(a *sandbox.Answer) {
			if retryAfter != "" {
				a.Header.Set("Retry-After", retryAfter)
			}
		},
	}
}

// OAuthError refuses at the token endpoint with an error of RFC 6749.
func OAuthError(code, description string) Fault {
	return Fault{
		Name: code,
		Instead: func(*http.Request) sandbox.Answer {
			text, _ := json.Marshal(struct {
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}{code, description})
			return sandbox.NewAnswer(http.StatusBadRequest, "application/json", text)
		},
	}
}

// FalseInvalidGrant refuses a good refresh token, as has happened in outages.
func FalseInvalidGrant() Fault { return OAuthError("invalid_grant", "Invalid refresh token") }

// APIError refuses at the Web API. A 401 comes with WWW-Authenticate.
func APIError(status int, message string) Fault {
	return Fault{
		Name: fmt.Sprintf("%d %s", status, message),
		Instead: func(*http.Request) sandbox.Answer {
			return sandbox.APIError(status, message)
		},
	}
}

// PlainForbidden is the 403 of the Web API that is no JSON: the app's owner is
// without Premium, or the user is not on its list.
func PlainForbidden() Fault {
	return Says(http.StatusForbidden, "text/plain; charset=utf-8",
		"Check settings on developer.spotify.com/dashboard, the user may not be registered.")
}

// RedirectTo answers with a redirect, which nobody may follow with credentials.
func RedirectTo(status int, location string) Fault {
	return Fault{
		Name:    fmt.Sprintf("%d", status),
		Instead: func(*http.Request) sandbox.Answer { return redirect(status, location) },
	}
}

// Faults that change the server's own answer. The grant is consumed.

// Dated answers with the wrong Date.
func Dated(t time.Time) Fault {
	return Fault{
		Name:   "Date",
		Change: func(a *sandbox.Answer) { a.Header.Set("Date", t.UTC().Format(http.TimeFormat)) },
	}
}

// Truncated ends the JSON midway in a response that is complete otherwise.
func Truncated() Fault {
	return Fault{Name: "truncated", Change: func(a *sandbox.Answer) { a.Body = a.Body[:len(a.Body)/2] }}
}

// Without leaves a field out of a good JSON answer.
func Without(field string) Fault {
	return edited("without "+field, func(m map[string]json.RawMessage) { delete(m, field) })
}

// With sets a field of a good JSON answer to any value; a [json.RawMessage]
// says it literally, such as 3600.0.
func With(field string, value any) Fault {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // the test's own mistake
	}
	return edited("with "+field, func(m map[string]json.RawMessage) { m[field] = b })
}

// WiderScope grants more than there is.
func WiderScope(more ...string) Fault {
	return rescoped("wider scope", func(names []string) []string { return append(names, more...) })
}

// NarrowerScope grants less.
func NarrowerScope(less ...string) Fault {
	return rescoped("narrower scope", func(names []string) []string {
		return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(less, n) })
	})
}

// ReorderedScope lists the scopes the other way round.
func ReorderedScope() Fault {
	return rescoped("reordered scope", func(names []string) []string { slices.Reverse(names); return names })
}

func rescoped(name string, f func([]string) []string) Fault {
	return edited(name, func(m map[string]json.RawMessage) {
		var text string
		_ = json.Unmarshal(m["scope"], &text) // absent: the empty set
		m["scope"], _ = json.Marshal(strings.Join(f(strings.Fields(text)), " "))
	})
}

// edited changes good answers only: a refusal stays what it is.
func edited(name string, f func(map[string]json.RawMessage)) Fault {
	return Fault{Name: name, Change: func(a *sandbox.Answer) {
		var m map[string]json.RawMessage
		if a.Status != http.StatusOK || json.Unmarshal(a.Body, &m) != nil {
			return
		}
		f(m)
		a.Body, _ = json.Marshal(m) // raw values that were JSON before
	}}
}

func text(status int, line string) sandbox.Answer {
	return sandbox.NewAnswer(status, "text/plain; charset=utf-8", []byte(line))
}

func redirect(status int, location string) sandbox.Answer {
	a := text(status, "")
	a.Header.Set("Location", location)
	return a
}
