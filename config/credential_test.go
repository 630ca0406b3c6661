package config

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestB1Credential checks that text copied along with a credential is refused by name
// and place, and that no message quotes the credential.
func TestB1Credential(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		// These are the common cases.
		"\ufeffCANARY":       "U+FEFF BYTE ORDER MARK at the start",
		"CANARY\u200b":       "U+200B ZERO WIDTH SPACE at the end",
		"CANARY\u2011CANARY": "U+2011 NON-BREAKING HYPHEN at character 7",
		`"CANARY"`:           "wrapped in quotes",
		// These are similar cases.
		"\u200bCANARY":                        "U+200B ZERO WIDTH SPACE at the start",
		"CANARY\u200b\u200b":                  "U+200B ZERO WIDTH SPACE at the end",
		"CANARY\u00a0":                        "white space: U+00A0 NO-BREAK SPACE at the end",
		"CANARY ":                             "white space: U+0020 SPACE at the end",
		"CANARY\u2013CANARY":                  "U+2013 EN DASH",
		"\u201cCANARY\u201d":                  "U+201C LEFT DOUBLE QUOTATION MARK at the start",
		"CANARY\u2026":                        "U+2026 HORIZONTAL ELLIPSIS at the end",
		"CANARY\u0430":                        "U+0430, a letter that is not ASCII, at the end", // Cyrillic a
		"\uff21CANARY":                        "U+FF21, a letter that is not ASCII, at the start",
		"CANARY\x00":                          "U+0000 NULL at the end",
		"\x1b[200~CANARY\x1b[201~":            "U+001B ESCAPE at the start", // a bracketed paste
		"CANARY\x7f":                          "U+007F, a control character, at the end",
		"CANARY\xff":                          "not UTF-8 text: a wrong byte at the end",
		"\u202aCANARY\u202c":                  "U+202A LEFT-TO-RIGHT EMBEDDING at the start",
		"'CANARY'":                            "wrapped in quotes",
		"`CANARY`":                            "wrapped in quotes",
		"'CANARY":                             "starts with a quote",
		`CANARY"`:                             "ends with a quote",
		"<CANARY>":                            "wrapped in angle brackets",
		"[CANARY]":                            "wrapped in brackets",
		"(CANARY)":                            "wrapped in parentheses",
		`{"refresh_token":"CANARY"}`:          "wrapped in braces",
		"Bearer CANARY":                       "scheme of an Authorization header",
		"basic CANARY":                        "scheme of an Authorization header",
		"Authorization: Basic CANARY":         "starts with a name",
		"client_secret=CANARY":                "starts with a name",
		"clientId: CANARY":                    "starts with a name",
		"export SPOTIFY_CLIENT_SECRET=CANARY": "starts with a name",
		"grant_type=refresh_token&refresh_token=CANARY": "starts with a name",
		"=CANARY":      `starts with '='`,
		"CANARY,":      `ends with ','`,
		"CANARY;":      `ends with ';'`,
		`CANARY\n`:     `a literal \n`,
		"$CANARY":      "a variable reference",
		"${CANARY}":    "a variable reference",
		"%CANARY%":     "a variable reference",
		"{{ CANARY }}": "a variable reference",
		"http://127.0.0.1:8888/callback?code=CANARY": "an address",
		"CANARY\nCANARY": "spans several lines",
		// These are rare cases.
		"CANARY\U000e0041": "U+E0041, which is invisible, at the end", // a tag character
		"CANARY\ufe0f":     "U+FE0F",
		"\u2066CANARY":     "U+2066 LEFT-TO-RIGHT ISOLATE at the start",
		"${{ secrets.X }}": "a variable reference",
	} {
		wrong := blemish(value)
		switch {
		case wrong == nil:
			t.Errorf("%q is taken", value)
		case !strings.Contains(wrong.message, want) || wrong.hint == "":
			t.Errorf("%q: %s; want %s", value, wrong.message, want)
		case strings.Contains(wrong.message+wrong.hint, "CANARY"):
			t.Errorf("%q is quoted: %s", value, wrong.message)
		}
	}
	for _, value := range []string{
		"0123456789abcdef0123456789abcdef", "AQD-x_y", "abc==", "a.b~c+d/e", "$HOME;echo", "a$b", "50%off", "x=y",
		"a:b", "~!x", "secret", "bearer", "token-abc", "AQ=code=x", "a\"b", "it's",
	} {
		if wrong := blemish(value); wrong != nil {
			t.Errorf("%q: %s", value, wrong.message)
		}
	}
}

// TestB1Account checks that an account's name may have any letters, and nothing
// invisible.
func TestB1Account(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"jörg": "", "マリ": "", "a’b": "", "21abc\u200b": "U+200B ZERO WIDTH SPACE at the end", "\ufeff21abc": "BYTE ORDER MARK", "a b": "white space"} {
		wrong := blemishInAccount(value)
		if (wrong == nil) != (want == "") || wrong != nil && !strings.Contains(wrong.message, want) {
			t.Errorf("%q: %v, want %q", value, wrong, want)
		}
	}
}

func utf16File(order binary.AppendByteOrder, bom bool, text string) string {
	var b []byte
	if bom {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

// TestB1Sources checks every way in which a credential can be given.
func TestB1Sources(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the commands are those of unix")
	}
	files := func(s string) map[string]string { return map[string]string{"s": s} }
	for name, tt := range map[string]struct {
		yaml  string
		files map[string]string
		want  string // the value, or after ! a part of the error
	}{
		"B1 BOM of a file":                  {"{file: s}", files("\ufeffabc\n"), "abc"},
		"B1 two BOMs of a file":             {"{file: s}", files("\ufeff\ufeffCANARY\n"), "!U+FEFF BYTE ORDER MARK at the start"},
		"B1 only a BOM":                     {"{file: s}", files("\ufeff\n"), "!the value is empty"},
		"B1 BOM of a command":               {`{command: [printf, '\357\273\277abc\n']}`, nil, "abc"},
		"B1 UTF-16 file":                    {"{file: s}", files(utf16File(binary.LittleEndian, true, "CANARY\r\n")), "!s is UTF-16"},
		"B1 UTF-16 file, big-endian":        {"{file: s}", files(utf16File(binary.BigEndian, true, "CANARY\r\n")), "!s is UTF-16"},
		"B1 UTF-16 file without a BOM":      {"{file: s}", files(utf16File(binary.LittleEndian, false, "CANARY")), "!s is UTF-16"},
		"B1 UTF-16 from a command":          {"{command: [cat, s]}", files(utf16File(binary.LittleEndian, true, "CANARY\r\n")), "!the output of cat is UTF-16"},
		"B1 Latin-1 file":                   {"{file: s}", files("CANARY\xe9\n"), "!not UTF-8 text"},
		"B1 file with quotes":               {"{file: s}", files("\"CANARY\"\n"), "!wrapped in quotes"},
		"B1 file with the whole env file":   {"{file: s}", files("SPOTIFY_CLIENT_SECRET=CANARY\n"), "!starts with a name"},
		"B1 zero-width space in a file":     {"{file: s}", files("CANARY\u200b\n"), "!U+200B ZERO WIDTH SPACE at the end"},
		"B1 zero-width space in a variable": {"{env: HIDDEN}", nil, "!U+200B ZERO WIDTH SPACE at the end"},
		"B1 quotes in a variable":           {"{env: QUOTED}", nil, "!wrapped in quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.files == nil {
				tt.files = map[string]string{}
			}
			tt.files["dev.yaml"] = "client:\n  id: abc\n  secret: " + tt.yaml + "\n"
			env := func(name string) (string, bool) {
				s, ok := map[string]string{"HIDDEN": "CANARY\u200b", "QUOTED": `"CANARY"`}[name]
				return s, ok
			}
			v := load(t, Sources{Dir: write(t, tt.files), Env: env}, "dev.yaml")[0].Client.Secret
			got, err := v.Resolve(t.Context())
			wrong, refused := strings.CutPrefix(tt.want, "!")
			switch {
			case !refused && (err != nil || got != tt.want):
				t.Errorf("%q, %v", got, err)
			case refused && (err == nil || !strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "CANARY")):
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestB1EveryKey checks that all three credentials are looked at, wherever their
// text comes from.
func TestB1EveryKey(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"dev.yaml": "client:\n  id: CANARY\u200b\n  secret: \"CANARY\\u2011CANARY\"\nrefresh_token: ${SEED}\nenv_file: [vars.env]\n",
		"vars.env": "\ufeffSEED=\"'CANARY'\"\n",
	})
	_, problems := Load(t.Context(), Sources{Dir: dir, Env: testEnv}, []string{"dev.yaml"})
	got := show(problems)
	for _, want := range []string{
		"dev.yaml:2:7: client.id: the value contains U+200B ZERO WIDTH SPACE at the end",
		"dev.yaml:3:11: client.secret: the value contains U+2011 NON-BREAKING HYPHEN at character 7",
		"dev.yaml:4:16: refresh_token: the value is wrapped in quotes",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "CANARY") {
		t.Errorf("a secret is shown:\n%s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "vars.env"), []byte(utf16File(binary.LittleEndian, true, "SEED=CANARY\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, problems = Load(t.Context(), Sources{Dir: dir, Env: testEnv}, []string{"dev.yaml"})
	if got := show(problems); !strings.Contains(got, "vars.env: the file is UTF-16") {
		t.Errorf("an env_file in UTF-16:\n%s", got)
	}
}

// TestB2TrailingNewline checks that one newline at the end of a variable is
// dropped, whichever way the variable is named, and no more than one.
func TestB2TrailingNewline(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) {
		s, ok := map[string]string{
			"LF": "abc\n", "CRLF": "abc\r\n", "CR": "abc\r", "TWO": "CANARY\n\n", "INSIDE": "CANARY\nCANARY", "NOTHING": "\n",
		}[name]
		return s, ok
	}
	for name, tt := range map[string]struct{ yaml, want string }{
		"B2 ${}":                             {"${LF}", "abc"},
		"B2 ${}, CRLF":                       {"${CRLF}", "abc"},
		"B2 ${}, CR of a sourced CRLF file":  {"${CR}", "abc"},
		"B2 ${:?}":                           {"'${LF:?message}'", "abc"},
		"B2 ${:-} of a newline":              {"${NOTHING:-abc}", "abc"},
		"B2 {env:}":                          {"{env: LF}", "abc"},
		"B2 {env:}, CRLF":                    {"{env: CRLF}", "abc"},
		"B2 env_file":                        {"${FROM_FILE}", "abc"},
		"B2 {env:} of an env_file":           {"{env: FROM_FILE}", "abc"},
		"B2 in the midst of a text":          {"${LF}${LF}", "abcabc"},
		"B2 two newlines":                    {"${TWO}", ""},
		"B2 a newline inside":                {"{env: INSIDE}", ""},
		"B2 nothing but a newline":           {"${NOTHING}", ""},
		"B2 nothing but a newline in {env:}": {"{env: NOTHING}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, map[string]string{
				"dev.yaml": "client:\n  id: abc\n  secret: " + tt.yaml + "\nenv_file: [vars.env]\n",
				"vars.env": "FROM_FILE=\"abc\n\"\n",
			})
			ps, problems := Load(t.Context(), Sources{Dir: dir, Env: env}, []string{"dev.yaml"})
			got, text := "", show(problems)
			if len(ps) > 0 {
				var err error
				if got, err = ps[0].Client.Secret.Resolve(t.Context()); err != nil {
					text = err.Error()
				}
			}
			if got != tt.want || (got == "") == (text == "") || strings.Contains(text, "CANARY") {
				t.Errorf("%q, %s", got, text)
			}
		})
	}
}
