package output

import (
	"strings"
	"testing"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// newer is the token after someToken.
func newer() *state.Token {
	t := someToken()
	t.Access, t.Refresh = "BQ-newer", "AQ-newer"
	return t
}

func newTemplate(t *testing.T, text string) *disk {
	d := newDisk(t)
	d.declare(config.Output{Type: "template", Shown: "conf.ini", Template: d.path("conf.tmpl"), TemplateShown: "conf.tmpl"})
	d.write("conf.tmpl", text, 0o600)
	d.apply(someToken())
	return d
}

// refuses checks that plan and apply refuse to overwrite a file.
func (d *disk) refuses(t *state.Token, name, words string) {
	d.Helper()
	before := d.read(name)
	_, planned := d.files.Stale(d.p, someToken(), d.recorded, true)
	remembered := d.files.Remembered(d.p, t, d.recorded)
	_, applied := d.files.Write(d.Context(), d.p, t, d.recorded)
	_, again := d.files.Write(d.Context(), d.p, t, remembered)
	for _, err := range []error{planned, applied, again} {
		if err == nil || err.Error() != name+": "+words || fault.HintOf(err) != "move it away or delete it, or name another path in the profile" {
			d.Errorf("%v (%s)", err, fault.HintOf(err))
		}
	}
	d.recorded = remembered
	d.holds(name, before)
	if _, err := d.files.TakeBack(d.Context(), d.p, d.recorded); err != nil {
		d.Error(err)
	}
	d.holds(name, before)
}

const edited = "was changed, and none of tokenform's tokens is in it, so it is not overwritten"

// TestTemplateReplaced checks that a file which somebody has put in the place of a
// template's file is not lost, while an edited one is brought up to date.
func TestTemplateReplaced(t *testing.T) {
	t.Parallel()
	d := newTemplate(t, "token=${access_token}\n")
	d.write("conf.ini", "# a note\ntoken=\""+someToken().Access+"\"\n", 0o600)
	d.says(d.apply(newer()), "update conf.ini: differs")
	d.holds("conf.ini", "token=BQ-newer\n")

	// The edited file has a token that state no longer has.
	d.write("conf.ini", "token=BQ-newer # a note\n", 0o600)
	again := newer()
	again.Access = "BQ-again"
	d.says(d.apply(again), "update conf.ini: differs")

	// An empty file is nobody's loss, and another template is the user's wish.
	d.write("conf.ini", " \n", 0o600)
	d.apply(again)
	d.write("conf.tmpl", "[spotify]\ntoken=${access_token}\n", 0o600)
	d.says(d.apply(again), "update conf.ini: differs")
	d.holds("conf.ini", "[spotify]\ntoken=BQ-again\n")

	d.write("conf.ini", "[mail]\nuser=me\ntoken=BQ-somebody-else\n", 0o600)
	d.refuses(newer(), "conf.ini", edited)
	d.holds("conf.ini", "[mail]\nuser=me\ntoken=BQ-somebody-else\n")
}

// TestTemplateOfAClient checks that a refresh token which a client has put into a text file
// of ours is not lost, even if the access token is still ours.
func TestTemplateOfAClient(t *testing.T) {
	t.Parallel()
	d := newTemplate(t, "token=${access_token}\nrefresh=${refresh_token}\n")
	d.write("conf.ini", "# edited\ntoken=x\nrefresh="+refresh+"\n", 0o600)
	rotated := newer()
	rotated.Retire(refresh)
	d.says(d.apply(rotated), "update conf.ini: differs")
	d.holds("conf.ini", "token=BQ-newer\nrefresh=AQ-newer\n")
	const theirs = "token=BQ-newer\nrefresh=AQclients\n"
	d.write("conf.ini", theirs, 0o600)
	_, planned := d.files.Stale(d.p, rotated, d.recorded, true)
	_, applied := d.files.Write(t.Context(), d.p, rotated, d.recorded)
	for _, err := range []error{planned, applied} {
		if err == nil || !strings.Contains(err.Error(), "conf.ini: was changed, and the refresh token that tokenform wrote is no longer in it") || !strings.Contains(fault.HintOf(err), "tokenform import -p dev") {
			t.Errorf("%v (%s)", err, fault.HintOf(err))
		}
	}
	d.holds("conf.ini", theirs)
}

// TestTemplateWithoutToken checks a template that has no token: nobody can tell an edited
// file from another one.
func TestTemplateWithoutToken(t *testing.T) {
	t.Parallel()
	d := newTemplate(t, "until ${expires_at} for ${profile}\n")
	later := newer()
	later.Expires = later.Expires.AddDate(0, 0, 1)
	d.says(d.apply(later), "update conf.ini: differs")
	d.write("conf.ini", "until further notice for dev\n", 0o600)
	d.refuses(someToken(), "conf.ini", edited)
}

// TestTemplateOfOtherLetters checks tokens with letters that Spotify's have not.
func TestTemplateOfOtherLetters(t *testing.T) {
	t.Parallel()
	d := newTemplate(t, "x=${access_token}\n")
	jwt := newer()
	jwt.Access = "eyJh.eyJz/x+y.sig~"
	d.apply(jwt)
	d.write("conf.ini", "note\nx="+jwt.Access+"\n", 0o600)
	d.apply(newer())
	d.holds("conf.ini", "x=BQ-newer\n")
}

// TestKilledBeforeTheWrite checks that what tokenform wrote stays known if the process is
// killed between the record of the next write and the write, however often.
func TestKilledBeforeTheWrite(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"token=${access_token}\n", "until ${expires_at}\n"} {
		for _, edits := range []bool{false, true} {
			if edits && !strings.Contains(text, "token") {
				continue
			}
			d := newTemplate(t, text)
			n := someToken()
			for i := range 3 {
				n = newer()
				n.Access += strings.Repeat("x", i)
				n.Expires = n.Expires.AddDate(0, 0, i+1)
				d.recorded = d.files.Remembered(d.p, n, d.recorded)
			}
			if edits {
				d.write("conf.ini", "# edited\n"+d.read("conf.ini"), 0o600)
			} else {
				leftovers, err := d.files.Leftovers(d.p, d.recorded)
				if err != nil {
					t.Fatal(err)
				}
				d.says(leftovers, "delete conf.ini")
			}
			d.says(d.apply(n), "update conf.ini: differs")
			if _, err := d.files.TakeBack(t.Context(), d.p, d.recorded); err != nil {
				t.Fatal(err)
			}
			d.lacks("conf.ini")
		}
	}
}

// TestRecordFromBefore checks the record of an older tokenform, which has no digests of
// tokens.
func TestRecordFromBefore(t *testing.T) {
	t.Parallel()
	d := newTemplate(t, "token=${access_token}\n")
	d.recorded[0].Tokens = nil
	d.says(d.apply(newer()), "update conf.ini: differs")
	d.recorded[0].Tokens = nil
	d.write("conf.ini", "# edited\ntoken=BQ-newer\n", 0o600)
	d.says(d.apply(newer()), "update conf.ini: differs")
}

// TestJSONReplaced checks that a JSON file of another kind with a token of somebody else
// is not lost.
func TestJSONReplaced(t *testing.T) {
	t.Parallel()
	for _, theirs := range []string{
		`{"access_token": "ghp_x", "note": "mine"}`,
		`{"accessToken": "x", "settings": [1, 2, 3]}`,
		`{"report": [1, 2, 3]}`,
	} {
		d := newDisk(t, jsonFile("token.json"))
		d.apply(someToken())
		d.write("token.json", theirs, 0o600)
		d.refuses(newer(), "token.json", "its content is no longer a token, so it is not overwritten")
	}
	oauth2 := jsonFile("token.json")
	oauth2.Format = "oauth2"
	d := newDisk(t, oauth2)
	d.apply(someToken())
	d.write("token.json", `{"access_token": "ghp_x", "note": "mine"}`, 0o600)
	d.refuses(newer(), "token.json", "its content is no longer a token, so it is not overwritten")
	d = newDisk(t, oauth2)
	d.apply(someToken())
	d.write("token.json", `{"access_token": "BQclients", "token_type": "Bearer", "expiry": "2026-01-01T00:00:00Z"}`, 0o600) // a client has dropped the refresh token
	d.says(d.apply(newer()), "update token.json: its refresh token is missing")
	d = newDisk(t, jsonFile("token.json"))
	d.apply(someToken())
	d.write("token.json", `{"access_token": "`+someToken().Access+`", "expires_at": 17}`, 0o600) // edited
	d.says(d.apply(newer()), "update token.json: differs")
}

// TestD12Variable checks that a refresh token which tokenform never had is not lost in an
// env file either.
func TestD12Variable(t *testing.T) {
	t.Parallel()
	const other = "AQothers"
	retired := newer()
	retired.Retire("AQretired")
	seeded := newer()
	seeded.Seed, seeded.RefusedSeed = state.Digest("AQseed"), state.Digest("AQrefused")
	for name, c := range map[string]struct {
		first bool // tokenform has written the variable before
		value string
		token *state.Token
		seed  string // the profile's refresh_token
		lost  bool   // the value would be lost
	}{
		"written by a client":                   {true, other, newer(), "", true},
		"another server's, written by a client": {true, "opaque.token", newer(), "", true},
		"somebody's":                            {false, other, newer(), "", true},
		"a placeholder":                         {false, "your-refresh-token", newer(), "", false},
		"no token":                              {true, "'two words'", newer(), "", false},
		"empty":                                 {true, "", newer(), "", false},
		"as tokenform wrote it":                 {true, refresh, newer(), "", false},
		"retired":                               {false, "AQretired", retired, "", false},
		"the seed":                              {false, "AQseed", seeded, "", false},
		"a refused seed":                        {false, "AQrefused", seeded, "", false},
		"a new seed of the profile":             {true, other, newer(), other, false},
		"a new seed, with its date":             {true, other, newer(), config.Seed{Refresh: other}.Encode(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, env(".env", "access_token=T", "refresh_token=R"))
			if c.seed != "" {
				d.p.RefreshToken = config.Literal(c.seed)
			}
			if c.first {
				d.apply(someToken())
			}
			before := "A=1\nR=" + c.value + "\n"
			d.write(".env", before, 0o600)
			if !c.lost {
				d.apply(c.token)
				d.holds(".env", "A=1\nR=AQ-newer\nT=BQ-newer\n")
				return
			}
			_, planned := d.files.Stale(d.p, someToken(), d.recorded, true)
			_, applied := d.files.Write(t.Context(), d.p, c.token, d.recorded)
			for _, err := range []error{planned, applied} {
				if err == nil || err.Error() != ".env: R is a refresh token that tokenform did not write, so it is not overwritten" || !strings.Contains(fault.HintOf(err), "tokenform import -p dev") {
					t.Errorf("%v (%s)", err, fault.HintOf(err))
				}
			}
			if _, err := d.files.TakeBack(t.Context(), d.p, d.recorded); err != nil {
				t.Error(err)
			}
			d.holds(".env", before)
		})
	}
}
