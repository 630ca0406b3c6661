package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow"
	"tokenform/flow/atomicfile"
	"tokenform/flow/state"
)

// Imported is what a client's token file holds.
type Imported struct {
	From         string // the json format of the file, or the formats that look alike; for messages
	RefreshToken string
	Access       string    // empty means that the file has none
	Expires      time.Time // of Access; zero means that the file does not say
	Scopes       []string  // granted, sorted; nil means that the file does not say
	ClientID     string    // empty means that the file does not say

	secret  string // the client secret, if the format has one
	several bool   // the file has other refresh tokens beside RefreshToken
}

// Format keeps tokens out of every message, as [state.Token]'s does.
func (i Imported) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "token file of %s (redacted)", i.From) }

// ReadClientFile finds the refresh token in a file that a Spotify client, or this
// program, wrote. The content tells the format; name is for messages. The error never
// quotes the content.
func ReadClientFile(name string, data []byte) (Imported, error) {
	fail := func(message, hint string) (Imported, error) {
		return Imported{}, &fault.Error{Kind: fault.Invalid, Message: name + ": " + message, Hint: hint}
	}
	i := recognise(data)
	switch {
	case i.From == librespot:
		return fail("a login of Spotify's own app, as stored by librespot, spotifyd and ncspot", "it cannot be used with another app: log in with tokenform apply")
	case i.From == "":
		return fail("not a token file of a known client", "known are the files of "+strings.Join(config.JSONFormats, ", "))
	case i.RefreshToken == "" && i.From == "tokenform":
		return fail("it contains no refresh token", "set refresh_token: true in the output to include it; state has it, too: .tokenform/NAME.json")
	case i.RefreshToken == "":
		return fail("it contains no refresh token", "some clients drop it when they refresh: log in there again, or with tokenform apply")
	case i.several:
		return fail("it contains refresh tokens of several users", "make a copy with only one of them")
	case strings.ContainsFunc(i.RefreshToken, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fail("its refresh token contains white space", "was the file edited by hand?")
	}
	return i, nil
}

// ClientTokens implements [flow.Outputs]. ClientTokens reads only files that tokenform
// has written before, in formats that tell when the token ends. Any other file may be
// of somebody else's login, or of another app.
func (f *Files) ClientTokens(p config.Profile, t *state.Token, recorded []state.Written) []flow.Found {
	var list []flow.Found
	for _, o := range p.Outputs {
		if o.Type != config.JSONOutput || o.Format == "tokenform" {
			continue
		}
		data, _, err := atomicfile.Read(o.Path, maxFile)
		before := state.Find(recorded, string(o.Type), o.Path)
		if err != nil || before == nil || before.Wrote(state.Digest(string(data))) {
			continue // the file is as tokenform left it
		}
		i := recognise(data)
		if !strings.Contains(i.From, o.Format) || !IsToken(i.Access) || i.RefreshToken != "" && !IsToken(i.RefreshToken) || i.several {
			continue
		}
		if i.Access != t.Access && i.Expires.After(t.Expires) {
			list = append(list, flow.Found{Shown: o.Shown, Path: o.Path, Digest: state.Digest(string(data)), Access: i.Access, Refresh: i.RefreshToken, Expires: i.Expires, Scopes: i.Scopes})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Expires.After(list[j].Expires) })
	return list
}

// IsToken reports whether s can be a token: printable ASCII without a space
// (RFC 6749 appendix A.12).
func IsToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// librespot means the credentials of Spotify's own apps.
const librespot = "librespot"

// recognise reads the token file of any client. From is empty if data is no such file.
func recognise(data []byte) Imported {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	// A struct would match the names of fields without regard to case, and some formats
	// differ only in case.
	var f object
	if json.Unmarshal(data, &f) != nil {
		return readTekore(string(data))
	}
	switch {
	case f.has("auth_type") && f.has("auth_data"):
		return Imported{From: librespot}
	case f.has("AccessToken") || f.has("RefreshToken"):
		i := Imported{From: "SpotifyAPI-NET", Access: f.text("AccessToken"), RefreshToken: f.text("RefreshToken"), Scopes: parseScopes(f.text("Scope"))}
		if created, life := f.time("CreatedAt"), f.number("ExpiresIn"); !created.IsZero() && life > 0 && life < math.MaxInt32 {
			i.Expires = created.Add(time.Duration(life) * time.Second)
		}
		return i
	case f.has("accessToken") || f.has("refreshToken"):
		return Imported{From: "spotify-web-api-node", Access: f.text("accessToken"), RefreshToken: f.text("refreshToken"), ClientID: f.text("clientId"), secret: f.text("clientSecret")}
	case !f.has("access_token") && !f.has("refresh_token"):
		return Imported{}
	}
	i := Imported{Access: f.text("access_token"), RefreshToken: f.text("refresh_token"), Scopes: parseScopes(f.text("scope")), ClientID: f.text("client_id")}
	switch {
	case f.has("profile"):
		i.From, i.Expires = "tokenform", f.time("expires_at")
	case f.has("expires"):
		i.From, i.Expires = "web-api-ts-sdk", unix(f.number("expires"), time.Millisecond)
	case f.text("expires_at") != "":
		i.From, i.Expires = "rspotify", f.time("expires_at")
	case f.has("expires_at"):
		i.From, i.Expires = "spotipy or spotify-tui", unix(f.number("expires_at"), time.Second)
	default: // the bare answer of a token endpoint looks like a Token without expiry, too
		i.From, i.Expires = "oauth2", f.time("expiry")
	}
	return i
}

// object is a JSON object. A field of another type than asked for counts as missing.
type object map[string]json.RawMessage

func (o object) has(name string) bool { return o[name] != nil }

func (o object) text(name string) (s string) {
	_ = json.Unmarshal(o[name], &s)
	return s
}

func (o object) number(name string) (n float64) {
	_ = json.Unmarshal(o[name], &n)
	return n
}

// time reads a time of RFC 3339, or the same without a zone, as .NET writes a time that
// it does not know to be UTC.
func (o object) time(name string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, o.text(name)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// unix returns the time after n units since 1970, or zero if no client can mean that
// time.
func unix(n float64, unit time.Duration) time.Time {
	if seconds := n * unit.Seconds(); seconds < 1 || seconds > math.MaxUint32 {
		return time.Time{}
	}
	return time.UnixMilli(int64(n) * unit.Milliseconds()).UTC()
}

// parseScopes returns the words of a list as servers write it, or nil if there are none.
func parseScopes(list string) []string {
	words := strings.Fields(list)
	slices.Sort(words)
	if len(words) == 0 {
		return nil
	}
	return words
}

// readTekore reads the file that tekore's config_to_file writes, whatever the name of
// its section.
func readTekore(text string) (i Imported) {
	section := false
	for line := range strings.Lines(text) {
		section = section || strings.HasPrefix(line, "[")
		at := strings.IndexAny(line, "=:")
		if at < 0 || !section {
			continue
		}
		v := strings.ReplaceAll(strings.TrimSpace(line[at+1:]), "%%", "%")
		switch strings.TrimSpace(line[:at]) {
		case "SPOTIFY_USER_REFRESH":
			i.several = i.several || i.RefreshToken != "" && i.RefreshToken != v
			i.RefreshToken = v
		case "SPOTIFY_CLIENT_ID":
			i.ClientID = v
		case "SPOTIFY_CLIENT_SECRET":
			i.secret = v
		case "SPOTIFY_REDIRECT_URI":
		default:
			continue
		}
		i.From = "tekore"
	}
	return i
}
