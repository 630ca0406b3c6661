package config

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "alpha", "EMPTY": "", "BRACE": "${A}", "_x1": "low"}
	lookup := func(name string) (string, bool) { s, ok := env[name]; return s, ok }
	tests := []struct {
		in, want string
		literal  bool
		fault    string // part of the first flaw's message
	}{
		{in: "plain", want: "plain", literal: true},
		{in: "", want: ""},
		{in: "${A}", want: "alpha"},
		{in: "x${A}y${_x1}z", want: "xalphaylowz"},
		{in: "${EMPTY}", want: ""},
		{in: "${EMPTY:-default}", want: "default", literal: true},
		{in: "${A:-default}", want: "alpha", literal: true}, // the default is written in the file, even if it is not used
		{in: "${NO:-}", want: ""},
		{in: "${NO:-a b:?c$d}", want: "a b:?c$d", literal: true},
		{in: "${A:?message}", want: "alpha"},
		{in: "$$", want: "$", literal: true},
		{in: "$${A}", want: "${A}", literal: true},
		{in: "$$${A}", want: "$alpha"},
		{in: "cost: 5$", want: "cost: 5$", literal: true},
		{in: "$A", want: "$A", literal: true},
		{in: "${BRACE}", want: "${A}"}, // the value of a variable is not expanded
		{in: "${NO}", fault: "the variable NO is not set"},
		{in: "${NO:?ask Ann}", fault: "the variable NO is not set: ask Ann"},
		{in: "${EMPTY:?ask Ann}", fault: "the variable EMPTY is empty: ask Ann"},
		{in: "${NO:?}", fault: "the variable NO is not set"},
		{in: "${NO:?a\nb}", fault: `: a\nb`},
		{in: "${A", fault: "${ without a closing }"},
		{in: "${}", fault: "does not start with a variable name"},
		{in: "${1A}", fault: "does not start with a variable name"},
		{in: "${ A}", fault: "does not start with a variable name"},
		{in: "${A-x}", fault: "not a known form"},
		{in: "${A:+x}", fault: "not a known form"},
		{in: "${A:-${A}}", fault: "inside"},
	}
	for _, tt := range tests {
		got, literal, faults := expand(tt.in, lookup)
		switch {
		case tt.fault == "" && len(faults) > 0:
			t.Errorf("%q: %v", tt.in, faults)
		case tt.fault != "" && (len(faults) == 0 || !strings.Contains(faults[0].message, tt.fault)):
			t.Errorf("%q: faults %v, want %q", tt.in, faults, tt.fault)
		case tt.fault == "" && (got != tt.want || literal != tt.literal):
			t.Errorf("%q: %q, literal %t", tt.in, got, literal)
		}
	}
	if _, _, faults := expand("${NO} ${A} ${NO2}", lookup); len(faults) != 2 {
		t.Errorf("two unset variables are %d faults", len(faults))
	}
}

// FuzzInterpolate checks that a text comes out as it was if every dollar in it is
// doubled, and that no flaw quotes the text or the value of a variable.
func FuzzInterpolate(f *testing.F) {
	for _, s := range []string{"", "$", "$$", "${A}", "${A:-b}", "${A:?b}", "${", "${A:-${B}}", "a$b${c}$$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lookup := func(name string) (string, bool) { return "VALUE-" + name, len(name)%2 == 1 }
		text, _, faults := expand(s, lookup)
		if len(faults) > 0 && text != "" {
			t.Errorf("%q: text and faults", s)
		}
		for _, f := range faults {
			if strings.Contains(f.message, "VALUE-") || strings.ContainsAny(f.message, "\n\r\x1b") {
				t.Errorf("%q: %q", s, f.message)
			}
		}
		if got, _, faults := expand(strings.ReplaceAll(s, "$", "$$"), lookup); faults != nil || got != s {
			t.Errorf("%q comes out as %q", s, got)
		}
	})
}

func TestDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want time.Duration // negative means that the text is refused
	}{
		{"5m", 5 * time.Minute},
		{"180d", 180 * 24 * time.Hour},
		{"1d12h", 36 * time.Hour},
		{"1w2d", 9 * 24 * time.Hour},
		{"1.5d", 36 * time.Hour},
		{"1h30m", 90 * time.Minute},
		{"100ms", 100 * time.Millisecond},
		{"0", 0},
		{"0s", 0},
		{"300", -1},
		{"", -1},
		{"-5m", -1},
		{"+5m", -1},
		{"5 m", -1},
		{"5m ", -1},
		{"m", -1},
		{"5y", -1},
		{"1d-2h", -1},
		{".d", -1},
		{"106751d24h", -1},
		{"99999999w", -1},
		{"9999999999999999999999d", -1},
		{"2562047h2562047h", -1},
	}
	for _, tt := range tests {
		got, wrong := duration(tt.in)
		if (wrong != nil) != (tt.want < 0) || wrong == nil && got != tt.want {
			t.Errorf("%q: %s, %v", tt.in, got, wrong)
		}
	}
}

// FuzzDuration checks that no duration is negative, and that durations without days and
// weeks agree with Go.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"5m", "180d", "1d12h", "1w", "0", "-1h", "1.5h", "1h1", "99999999999w", "µs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, wrong := duration(s)
		if wrong != nil {
			return
		}
		if got < 0 {
			t.Errorf("%q is negative", s)
		}
		if want, err := time.ParseDuration(s); err == nil && got != want {
			t.Errorf("%q: %s, Go says %s", s, got, want)
		}
		if wrong == nil && !strings.ContainsAny(s, "dw") {
			if _, err := time.ParseDuration(s); err != nil {
				t.Errorf("%q is accepted, Go says %s", s, err)
			}
		}
	})
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	fine := []string{
		"http://127.0.0.1:8888/callback", "http://127.0.0.1/callback", "http://127.0.0.1",
		"http://127.0.0.2:8888/", "http://[::1]:8888/callback", "http://[::1]/callback",
		"HTTP://127.0.0.1:1/x", "https://example.com/callback", "https://example.com:8443/cb?x=y",
		"https://127.0.0.1/", "https://localhost.example.com/", "myapp://callback", "com.example.app:/callback",
		"com.example.app:callback", "spotify-app:", "http://127.0.0.1:65535/",
	}
	for _, s := range fine {
		if wrong := checkRedirect(s); wrong != nil {
			t.Errorf("%s: %s", s, wrong.message)
		}
	}
	refused := map[string]string{
		"http://127.0.0.1:8888/../cb":  "browsers remove",
		"https://example.com/a/./b":    "browsers remove",
		"http://localhost/":            "localhost",
		"https://localhost:8888/":      "localhost",
		"http://localhost.:8888/":      "localhost",
		"http://example.com/":          "plain http",
		"http://127.0.0.1.nip.io/":     "plain http",
		"http://192.168.0.1/":          "plain http",
		"http://2130706433/":           "plain http",
		"http://0x7f.1/":               "plain http",
		"http://[::ffff:127.0.0.1]/":   "plain http",
		"http://[::1%25lo]/":           "plain http",
		"http://0.0.0.0:8888/":         "a browser can open",
		"http://[::]:8888/":            "a browser can open",
		"http://127.0.0.1:0/":          "port 0",
		"http://127.0.0.1:00/":         "port 0",
		"http://127.0.0.1:65536/":      "65535",
		"http://127.0.0.1:/":           "colon without",
		"http://127.0.0.1:x/":          "not an address",
		"http://127.0.0.1/#":           "fragment",
		"https://u:p@example.com/":     "password",
		"https://u@example.com/":       "password",
		"https://*/":                   "wildcard",
		"http://127.0.0.1:8888/\u00e9": "ASCII",
		" http://127.0.0.1:8888/":      "white space",
		"http://127.0.0.1:8888/\n":     "white space",
		"localhost:8888/callback":      "scheme",
		"127.0.0.1:8888/callback":      "scheme",
		"example.com:8888/callback":    "scheme",
		"//example.com/":               "scheme",
		"/callback":                    "scheme",
		"http:///":                     "no host",
		"http:127.0.0.1:8888":          "no host",
		"http://:8888/":                "no host",
	}
	for s, part := range refused {
		wrong := checkRedirect(s)
		if wrong == nil || !strings.Contains(wrong.message, part) || wrong.hint == "" {
			t.Errorf("%q: %v, want %q", s, wrong, part)
		}
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct{ ok, loopback bool }{
		"127.0.0.1:8888": {true, true},
		"[::1]:8888":     {true, true},
		"127.9.9.9:1":    {true, true},
		"0.0.0.0:8888":   {true, false},
		"[::]:8888":      {true, false},
		"10.0.0.1:80":    {true, false},
		"localhost:8888": {},
		":8888":          {},
		"8888":           {},
		"0.0.0.0":        {},
		"0.0.0.0:0":      {},
		"0.0.0.0:99999":  {},
		"example.com:80": {},
	} {
		if got := checkListen(s) == nil; got != want.ok || listensOnLoopback(s) != want.loopback {
			t.Errorf("%s: fine %t, loopback %t", s, got, listensOnLoopback(s))
		}
	}
}

func TestDotenv(t *testing.T) {
	t.Parallel()
	text := "\ufeff# comment\r\n" +
		"BARE=a b#c # comment\r\n" +
		"  export SPACED = x \r\n" +
		"SINGLE='$HOME \\n \"q\"' # comment\n" +
		`DOUBLE="a\nb \"q\" \\ \$HOME 5$ \d"` + "\n" +
		"EMPTY=\nEMPTY2=''\n" +
		"COMMENT= # nothing\n" +
		"MULTI=\"one\ntwo\"\n" +
		"EQUALS=a=b==\n" +
		"export=1\nexported=2\n" +
		"TWICE=1\nTWICE=2\n" +
		"bad line\n1X=2\nTAIL='a'b\nAFTER=ok"
	vars, skipped := parseDotenv([]byte(text))
	want := map[string]string{
		"BARE": "a b#c", "SPACED": "x", "SINGLE": `$HOME \n "q"`, "DOUBLE": "a\nb \"q\" \\ $HOME 5$ \\d",
		"EMPTY": "", "EMPTY2": "", "COMMENT": "", "MULTI": "one\ntwo", "EQUALS": "a=b==", "export": "1",
		"exported": "2", "TWICE": "2", "AFTER": "ok",
	}
	wrong := vars["TAIL"]
	delete(vars, "TAIL")
	for name, value := range want {
		if got, ok := vars[name]; !ok || got.text != value || got.wrong != nil {
			t.Errorf("%s: %q, want %q", name, got.text, value)
		}
	}
	if len(vars) != len(want) {
		t.Errorf("%d variables, want %d", len(vars), len(want))
	}
	if skipped != 16 || wrong.wrong == nil || wrong.wrong.line != 18 {
		t.Errorf("skipped line %d, wrong %v", skipped, wrong.wrong)
	}
	if vars, _ := parseDotenv([]byte("A='open\nB=1\n")); vars["A"].wrong == nil || vars["A"].wrong.line != 1 || vars["B"].text != "1" {
		t.Errorf("an open quote: %v", vars)
	}
	// The scanner for edits sees one value here: see package dotenv.
	if vars, skipped := parseDotenv([]byte("A='x'#it's\nB=`y\nC='z'\n")); skipped != 0 || vars["A"].text != "x" || vars["B"].text != "`y" || vars["C"].text != "z" {
		t.Errorf("where the shell sees one word: %v, %d", vars, skipped)
	}
	if vars, skipped := parseDotenv([]byte("\u00a0A\u00a0=\u00a0'x'\u00a0\r\n\f\n")); skipped != 0 || vars["A"].text != "x" {
		t.Errorf("blanks copied from a page: %v, %d", vars, skipped)
	}
}

// TestDotenvAgreesWithBash checks the forms that tokenform writes: without quotes
// and in single quotes.
func TestDotenvAgreesWithBash(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	text := "A=BQab_-./:@%+,=09\nexport B='a b $c `d` \"e\" \\ #f'\n# c\nC=\nD='ü'\n"
	path := t.TempDir() + "/.env"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	vars, _ := parseDotenv([]byte(text))
	for name, v := range vars {
		got := v.text
		want, err := exec.Command(bash, "-c", `. "$1"; printf %s "${!2}"`, "bash", path, name).Output()
		if err != nil || got != string(want) {
			t.Errorf("%s: %q, bash says %q %v", name, got, want, err)
		}
	}
}
