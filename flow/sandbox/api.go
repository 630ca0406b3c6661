package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// apiError answers with the Web API's error, whose shape differs from the token
// endpoint's.
func apiError(status int, message string) answer {
	type inner struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}
	return jsonAnswer(status, struct {
		Error inner `json:"error"`
	}{inner{status, message}})
}

// invalidToken answers 401 as RFC 6750, section 3, has it.
func invalidToken(message string) answer {
	a := apiError(http.StatusUnauthorized, message)
	a.header.Set("WWW-Authenticate", `Bearer realm="spotify", error="invalid_token", error_description="`+message+`"`)
	return a
}

func bearer(header string) (token string, ok bool) {
	scheme, token, ok := strings.Cut(header, " ")
	return token, ok && strings.EqualFold(scheme, "Bearer")
}

// caller checks the access token; no is the answer if the token is not good.
func (s *Server) caller(r *http.Request) (c claims, no *answer) {
	refused := func(a answer) (claims, *answer) { return claims{}, &a }
	header := r.Header.Get("Authorization")
	token, ok := bearer(header)
	switch {
	case !reads(r):
		return refused(apiError(http.StatusMethodNotAllowed, "Method not allowed"))
	case header == "":
		return refused(apiError(http.StatusUnauthorized, "No token provided"))
	case !ok:
		return refused(apiError(http.StatusBadRequest, "Only valid bearer authentication supported"))
	}
	c, ok = s.open(anAccess, token)
	switch {
	case !ok:
		return refused(invalidToken("Invalid access token"))
	case c.expired(s.opt.Now()):
		return refused(invalidToken("The access token expired"))
	}
	return c, nil
}

// me answers GET /v1/me, which needs a user but no scope.
func (s *Server) me(r *http.Request) answer {
	c, no := s.caller(r)
	switch {
	case no != nil:
		return *no
	case c.User == nil:
		return apiError(http.StatusUnauthorized, "Valid user authentication required")
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"id":            c.User.ID,
		"account_id":    c.User.AccountID,
		"display_name":  c.User.Name,
		"type":          "user",
		"uri":           "spotify:user:" + c.User.ID,
		"href":          "https://api.spotify.com/v1/users/" + url.PathEscape(c.User.ID),
		"external_urls": map[string]string{"spotify": "https://open.spotify.com/user/" + url.PathEscape(c.User.ID)},
		"images":        []string{},
	})
}

// search answers GET /v1/search to any good token, with no results, because the
// stand-in has no music.
func (s *Server) search(r *http.Request) answer {
	_, no := s.caller(r)
	if no != nil {
		return *no
	}
	q := r.URL.Query()
	limit := 20
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 50 {
			return apiError(http.StatusBadRequest, "Invalid limit")
		}
		limit = n
	}
	switch {
	case q.Get("q") == "":
		return apiError(http.StatusBadRequest, "No search query")
	case q.Get("type") == "":
		return apiError(http.StatusBadRequest, "Missing parameter type")
	}
	found := map[string]any{}
	for t := range strings.SplitSeq(q.Get("type"), ",") {
		switch t {
		case "album", "artist", "audiobook", "episode", "playlist", "show", "track":
			found[t+"s"] = map[string]any{
				"href":   "https://api.spotify.com/v1/search?" + r.URL.RawQuery,
				"limit":  limit,
				"offset": 0, "total": 0, "next": nil, "previous": nil,
				"items": []string{},
			}
		default:
			return apiError(http.StatusBadRequest, "Bad search type field "+t)
		}
	}
	return jsonAnswer(http.StatusOK, found)
}
