package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The following faults answer in the stand-in's place, so no grant is consumed.

// Says answers with any status and text.
func Says(status int, contentType, text string) Fault {
	return Fault{
		name:    fmt.Sprintf("%d %s", status, contentType),
		instead: func(*http.Request) answer { return says(status, contentType, text) },
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

// HTML answers with a web page, like a proxy, a hotel's network or an outage. The
// status may even be 200.
func HTML(status int) Fault {
	return Says(status, "text/html; charset=utf-8",
		"<!DOCTYPE html>\n<html><head><title>Oops! Something went wrong</title></head><body><h1>Sorry</h1><p>Try again later.</p></body></html>\n")
}

// TooManyRequests answers 429 with any text as Retry-After; empty means no
// Retry-After.
func TooManyRequests(retryAfter string) Fault {
	return limited("429", retryAfter, func(r *http.Request) answer {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			return apiError(http.StatusTooManyRequests, "API rate limit exceeded")
		}
		return says(http.StatusTooManyRequests, "text/plain; charset=utf-8", "Too many requests")
	})
}

// QuotaExceeded answers 429 as for an app that has used up its quota of the day.
func QuotaExceeded(retryAfter string) Fault {
	return limited("QUOTA_EXCEEDED", retryAfter, func(*http.Request) answer {
		return says(http.StatusTooManyRequests, "application/json",
			`{"error":{"status":429,"message":"Too many requests","reason":"QUOTA_EXCEEDED"}}`)
	})
}

func limited(name, retryAfter string, instead func(*http.Request) answer) Fault {
	return Fault{
		name:    name + " Retry-After: " + retryAfter,
		instead: instead,
		change: func(a *answer) {
			if retryAfter != "" {
				a.header.Set("Retry-After", retryAfter)
			}
		},
	}
}

// OAuthError refuses at the token endpoint (RFC 6749, section 5.2).
func OAuthError(code, description string) Fault {
	f := Says(http.StatusBadRequest, "application/json", fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, description))
	f.name = code
	return f
}

// FalseInvalidGrant refuses a good refresh token, as Spotify has done in outages.
func FalseInvalidGrant() Fault { return OAuthError("invalid_grant", "Invalid refresh token") }

// APIError refuses at the Web API. A 401 has WWW-Authenticate (RFC 6750, section 3).
func APIError(status int, message string) Fault {
	return Fault{
		name: fmt.Sprintf("%d %s", status, message),
		instead: func(*http.Request) answer {
			a := apiError(status, message)
			if status == http.StatusUnauthorized {
				a.header.Set("WWW-Authenticate", `Bearer realm="spotify", error="invalid_token", error_description="`+message+`"`)
			}
			return a
		},
	}
}

// FalseUnauthorized refuses a good token at the Web API with a 401 that does not say
// invalid_token, as Spotify sometimes does since 2026-07-20.
func FalseUnauthorized() Fault {
	return Says(http.StatusUnauthorized, "application/json", `{"error":{"status":401,"message":"Access token missing"}}`)
}

func apiError(status int, message string) answer {
	return says(status, "application/json", fmt.Sprintf(`{"error":{"status":%d,"message":%q}}`, status, message))
}

// PlainForbidden answers the Web API's 403 in plain text, which Spotify sends if the
// app's owner has no Premium or the user is not on the app's list.
func PlainForbidden() Fault {
	return Says(http.StatusForbidden, "text/plain; charset=utf-8",
		"Check settings on developer.spotify.com/dashboard, the user may not be registered.")
}

// RedirectTo answers with a redirect. No client may follow it with credentials.
func RedirectTo(status int, location string) Fault {
	return Fault{
		name: fmt.Sprintf("%d", status),
		instead: func(*http.Request) answer {
			a := says(status, "text/plain; charset=utf-8", "")
			a.header.Set("Location", location)
			return a
		},
	}
}

// The following faults change the stand-in's answer, so the grant is consumed.

// Dated answers with the wrong Date.
func Dated(t time.Time) Fault {
	return Fault{
		name:   "Date",
		change: func(a *answer) { a.header.Set("Date", t.UTC().Format(http.TimeFormat)) },
	}
}

// Truncated cuts the JSON in half. Content-Length agrees with what is left.
func Truncated() Fault {
	return Fault{name: "truncated", change: func(a *answer) { a.body = a.body[:len(a.body)/2] }}
}

// Without leaves a field out of a good JSON answer.
func Without(field string) Fault {
	return edited("without "+field, func(m map[string]json.RawMessage) { delete(m, field) })
}

// With sets a field of a good JSON answer to any value. A [json.RawMessage] goes out
// as it is, for example 3600.0.
func With(field string, value any) Fault {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // the test passed a value that has no JSON
	}
	return edited("with "+field, func(m map[string]json.RawMessage) { m[field] = b })
}

// WiderScope adds scopes to the answer.
func WiderScope(more ...string) Fault {
	return rescoped("wider scope", func(names []string) []string { return append(names, more...) })
}

// NarrowerScope leaves scopes out of the answer.
func NarrowerScope(less ...string) Fault {
	return rescoped("narrower scope", func(names []string) []string {
		return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(less, n) })
	})
}

// ReorderedScope reverses the order of the scopes.
func ReorderedScope() Fault {
	return rescoped("reordered scope", func(names []string) []string { slices.Reverse(names); return names })
}

func rescoped(name string, f func([]string) []string) Fault {
	return edited(name, func(m map[string]json.RawMessage) {
		var text string
		_ = json.Unmarshal(m["scope"], &text) // an absent scope means no scopes
		m["scope"], _ = json.Marshal(strings.Join(f(strings.Fields(text)), " "))
	})
}

// edited changes good answers only and leaves refusals as they are.
func edited(name string, f func(map[string]json.RawMessage)) Fault {
	return Fault{name: name, change: func(a *answer) {
		var m map[string]json.RawMessage
		if a.status != http.StatusOK || json.Unmarshal(a.body, &m) != nil {
			return
		}
		f(m)
		a.body, _ = json.Marshal(m) // cannot fail: the answer was JSON before
	}}
}
