package output

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"pgregory.net/rapid"

	"tokenform/config/fault"
)

// The tests below use these variables as ours.
const (
	tokenVar = "SPOTIFY_ACCESS_TOKEN"
	scopeVar = "SPOTIFY_SCOPE"
)

func TestMergeDotenv(t *testing.T) {
	t.Parallel()
	set := []assignment{{"T", "new"}}
	for _, c := range []struct {
		name, in, want string
		set            []assignment // nil means T=new
		drop           []string
	}{
		{name: "empty", in: "", want: "T=new\n"},
		{name: "in place", in: "A=1\nT=old\nB=2\n", want: "A=1\nT=new\nB=2\n"},
		{name: "appended", in: "A=1\n", want: "A=1\nT=new\n"},
		{name: "appended in order", in: "A=1\n", set: []assignment{{"Z", "1"}, {"T", "2"}, {"S", "a b"}}, want: "A=1\nZ=1\nT=2\nS='a b'\n"},
		{name: "no change", in: "\n T=new # c\n\n", want: "\n T=new # c\n\n"},

		{name: "comment above", in: "# T=0\n#T=1\nT=old\n", want: "# T=0\n#T=1\nT=new\n"},
		{name: "only commented out", in: "#T=1\n", want: "#T=1\nT=new\n"},
		{name: "comment behind", in: "T=old # why\n", want: "T=new # why\n"},
		{name: "comment behind, blanks", in: "T=old   # why\n", want: "T=new   # why\n"},
		{name: "comment behind quotes", in: "T='o # d' # it's\n", want: "T=new # it's\n"},
		{name: "comment with two signs", in: "T=old # a # b\n", want: "T='new' # a # b\n"},
		{name: "comment behind a tab", in: "T=old\t# why\n", want: "T='new'\t# why\n"},
		{name: "comment behind nothing", in: "T= # why\n", want: "T=new # why\n"},
		{name: "no comment", in: "T=old#1\n", want: "T=new\n"},
		{name: "comment or value", in: "T=a\"b # c\"\n", want: "T=new\n"},
		{name: "empty before a comment", in: "T=old # why\n", set: []assignment{{"T", ""}}, want: "T='' # why\n"},
		{name: "empty", in: "T=old\n", set: []assignment{{"T", ""}}, want: "T=\n"},

		{name: "export", in: "export T=old\n\texport  T='old'\n", want: "export T=new\n\texport  T=new\n"},
		{name: "exports is a word", in: "exportT=old\n", want: "exportT=old\nT=new\n"},
		{name: "export is a variable", in: "export=T=1\n", want: "export=T=1\nT=new\n"},
		{name: "blanks", in: "  T = old\n", want: "  T = new\n"},
		{name: "blanks behind", in: "T=old  \t\n", want: "T=new\n"},
		{name: "nothing but blanks", in: "T=  \n", want: "T=new\n"},
		{name: "CRLF", in: "A=1\r\nT=old\r\n", set: []assignment{{"T", "new"}, {"U", "x"}}, want: "A=1\r\nT=new\r\nU=x\r\n"},
		{name: "mixed endings", in: "A=1\r\nT=old\nB=2\r\nT=old\r\n", set: []assignment{{"T", "new"}, {"U", "x"}}, want: "A=1\r\nT=new\nB=2\r\nT=new\r\nU=x\r\n"},
		{name: "B3 BOM before ours", in: "\ufeffT=old\n", want: "\ufeffT=new\nT=new\n"},
		{name: "B3 BOM before ours, and another line has it", in: "\ufeffT=old\nA=1\nT=old\n", want: "\ufeffT=new\nA=1\nT=new\n"},
		{name: "B3 BOM before another's", in: "\ufeffA=1\nT=old\n", want: "\ufeffA=1\nT=new\n"},
		{name: "B3 BOM before a comment", in: "\ufeff# c\n\nT=old\nA=1\n", want: "\ufeff# c\n\nT=new\nA=1\nT=new\n"},
		{name: "B3 BOM before a comment with =", in: "\ufeff# a=b\nT=old\n", want: "\ufeff# a=b\nT=new\n"},
		{name: "B3 BOM before export and CRLF", in: "\ufeffexport T=old\r\n", want: "\ufeffexport T=new\r\nT=new\r\n"},
		{name: "B3 BOM alone", in: "\ufeff", want: "\ufeffT=new\nT=new\n"},
		{name: "B3 BOM alone, two variables", in: "\ufeff", set: []assignment{{"T", "new"}, {"U", "x"}}, want: "\ufeffT=new\nT=new\nU=x\n"},
		{name: "B3 BOM and a name without =", in: "\ufeffLONE", want: "\ufeffLONE\nT=new\nT=new\n"},
		{name: "B3 BOM in the middle", in: "A=1\n\ufeffT=old\n", want: "A=1\n\ufeffT=old\nT=new\n"}, // two files were joined, the second with a BOM
		{name: "B3 BOM stays", in: "\ufeffT=old\n# c\n", set: []assignment{}, drop: []string{"T"}, want: "\ufeff# c\n"},
		{name: "B3 BOM would hide another's", in: "\ufeffT=old\nA=1\n", set: []assignment{}, drop: []string{"T"}, want: "A=1\n"},
		{name: "B3 BOM would hide what is added", in: "\ufeffT=old\n", set: []assignment{{"U", "x"}}, drop: []string{"T"}, want: "U=x\n"},
		{name: "no final newline, in place", in: "A=1\nT=old", want: "A=1\nT=new"},
		{name: "no final newline, appended", in: "A=1", want: "A=1\nT=new\n"},
		{name: "no final newline, CRLF", in: "A=1\r\nB=2", want: "A=1\r\nB=2\r\nT=new\r\n"},
		{name: "invalid UTF-8", in: "A=\xff\xfe\nT=old\xc3\n# \x80\n", want: "A=\xff\xfe\nT=new\n# \x80\n"},

		{name: "quotes", in: "T='old'\nT=\"old\"\nT=`old`\n", want: "T=new\nT=new\nT=new\n"},
		{name: "quotes needed", in: "T=old\n", set: []assignment{{"T", "a b"}}, want: "T='a b'\n"},
		{name: "empty quotes", in: "T=''\nT=\"\"\n", want: "T=new\nT=new\n"},
		{name: "an escaped quote", in: "T=\"a\\\"b\"\nA=1\n", want: "T=new\nA=1\n"},
		{name: "joined quotes", in: "T='a'\\''b' # c\n", want: "T=new # c\n"},
		{name: "text behind a quote", in: "T='a' b\n", want: "T=new\n"},
		{name: "ours over lines", in: "A=1\nT=\"one\ntwo\nthree\" # c\nB=2\n", want: "A=1\nT=new # c\nB=2\n"},
		{name: "a quote never closed", in: "T=\"old\nA=1\n", want: "T=new\nA=1\n"},
		{name: "an apostrophe", in: "A=it's\nT=old\nB=it's\n", want: "A=it's\nT=new\nB=it's\n"},
		{name: "a backslash at the end", in: "DIR=C:\\x\\\nT=old\n", want: "DIR=C:\\x\\\nT=new\n"},

		{name: "duplicates", in: "T=1\nA=1\nexport T='2'\nT=3", want: "T=new\nA=1\nexport T=new\nT=new"},
		{name: "ours within another value", in: "A='\nT=old\n'\nB=\"\nT=old\n\"\n", want: "A='\nT=old\n'\nB=\"\nT=old\n\"\nT=new\n"},
		{name: "ours within another value, CRLF", in: "A='x\r\nT=old\r\n' # c\r\n", want: "A='x\r\nT=old\r\n' # c\r\nT=new\r\n"},
		{name: "ours within joined quotes", in: "A='x'\\''\nT=old\n'\n", want: "A='x'\\''\nT=old\n'\nT=new\n"},
		{name: "an escaped quote within another value", in: "A=\"x\\\"\nT=old\n\"\n", want: "A=\"x\\\"\nT=old\n\"\nT=new\n"},
		{name: "a key of YAML", in: "K: 'x\nT=old\n'\nT: old\n", want: "K: 'x\nT=old\n'\nT: old\nT=new\n"},
		{name: "other names", in: "TT=1\nt=1\nT\nT.x=1\nT-x=1\nA_T=1\nT+=1\n", want: "TT=1\nt=1\nT\nT.x=1\nT-x=1\nA_T=1\nT+=1\nT=new\n"},

		{name: "removed", in: "A=1\nT=old # c\nB=2\n", set: []assignment{}, drop: []string{"T"}, want: "A=1\nB=2\n"},
		{name: "removed everywhere", in: "export T='a\nb'\r\n#T=1\nT=2", set: []assignment{}, drop: []string{"T", "X"}, want: "#T=1\n"},
		{name: "removed and appended", in: "T=old", set: []assignment{{"U", "x"}}, drop: []string{"T"}, want: "U=x\n"},
		{name: "nothing left", in: "T=1\n", set: []assignment{}, drop: []string{"T"}, want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.set == nil {
				c.set = set
			}
			got, err := mergeDotenv([]byte(c.in), c.set, c.drop)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("%q\nbecame %q\nwant   %q", c.in, got, c.want)
			}
			again, err := mergeDotenv(got, c.set, c.drop)
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("a second time: %q, %v", again, err)
			}
		})
	}
}

func TestMergeDotenvRefuses(t *testing.T) {
	t.Parallel()
	const secret = "do-not-show"
	for _, c := range []struct{ name, in, value, want string }{
		{"line feed", "", secret + "\n", "a dotenv file cannot represent the value of T: it contains a line break"},
		{"carriage return", "", secret + "\r", "a dotenv file cannot represent the value of T: it contains a line break"},
		{"NUL", "", secret + "\x00", "a dotenv file cannot represent the value of T: it contains a NUL"},
		{"single quote", "", secret + "'", "a dotenv file cannot represent the value of T: it contains a single quote"},
		{"backslash at the end", "", secret + `\`, "a dotenv file cannot represent the value of T: it contains a backslash, which readers interpret differently"},
		{"two backslashes", "", secret + `\\x`, "a dotenv file cannot represent the value of T: it contains a backslash, which readers interpret differently"},
		{"expansion", "", secret + "${x}", "a dotenv file cannot represent the value of T: it contains ${, which python-dotenv replaces even between single quotes"},
		{"an assignment", "", secret + `="x`, `a dotenv file cannot represent the value of T: it contains =", which begins a value over several lines for phpdotenv even between single quotes`},
		{"white space and a backslash", "", " " + secret + `\x`, "a dotenv file cannot represent the value of T: it contains a backslash behind white space at its start, which gotenv may take for one before the closing quote"},
		{"not UTF-8", "", secret + "\xff", "a dotenv file cannot represent the value of T: it contains bytes that are not UTF-8"},
		{"UTF-16", "\xff\xfeA\x00=\x001\x00\n\x00", "x", "is not a UTF-8 text file"},
		{"open quote, new", "A=1\nB='" + secret + "\n", "a b", "line 2: missing closing quote"},
		{"open double quote", "B=\"" + secret + "\n", "a\"b", "line 1: missing closing quote"},
		{"open quote, in place", "A='x\ny''" + secret + "\n", "a b", "line 2: missing closing quote"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mergeDotenv([]byte(c.in), []assignment{{"T", c.value}}, nil)
			if err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Hint == "" {
				t.Error("no hint")
			}
		})
	}
	// None of our values has a quote that could close this one.
	if got, err := mergeDotenv([]byte("A='x\n"), []assignment{{"T", "new"}}, nil); err != nil || string(got) != "A='x\nT=new\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDotenvValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in     string
		values []string
		plain  bool
	}{
		{"A=1\n", nil, true},
		{"T=x\nexport T='a b' # c\nT=\"a 'b'\"\nT=\nT=''", []string{"x", "a b", "a 'b'", "", ""}, true},
		{"A='\nT=x\n'\n", nil, true},
		{"T='one\ntwo'\n", []string{"one\ntwo"}, true},
		{"T=\"$HOME\"\n", []string{`"$HOME"`}, false},
		{"T=\"a\\\"b\"\n", []string{`"a\"b"`}, false},
		{"T=a b\n", []string{"a b"}, false},
		{"T='a'b\n", []string{"'a'b"}, false},
		{"T='\n", []string{"'"}, false},
	} {
		values, plain := dotenvValues([]byte(c.in), "T")
		if !slices.Equal(values, c.values) || plain != c.plain {
			t.Errorf("%q: %q %v, want %q %v", c.in, values, plain, c.values, c.plain)
		}
	}
}

func TestMergeDotenvLarge(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"NAME=value\n", "T=old\n", "A='x\n", "A=\"x\n", "A=`\\`\n", "T=\"\"'\n", "\n", "#"} {
		in := []byte(strings.Repeat(line, (1<<20)/len(line)))
		got, err := mergeDotenv(in, []assignment{{"T", "new"}}, nil)
		if err != nil || !bytes.Contains(got, []byte("T=new")) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// piece is a part of a generated env file, with the text that it must become.
type piece struct {
	name           string // the name of our variable; empty means that the piece must not change
	pre, old, post string
}

// envFile is a generated file.
type envFile struct {
	pieces []piece
	bom    bool
	crlf   bool
	cut    bool // the file does not end with a newline
}

func (f envFile) render(values map[string]string) string {
	var b strings.Builder
	if f.bom {
		b.WriteString("\ufeff")
	}
	for _, p := range f.pieces {
		text := p.old
		if v, ok := values[p.name]; ok {
			text, _ = dotenvValue(assignment{p.name, v}, strings.TrimRight(p.post, "\n"))
		}
		b.WriteString(p.pre + text + p.post)
	}
	s := b.String()
	if f.cut {
		s = strings.TrimSuffix(s, "\n")
	}
	if f.crlf {
		s = strings.ReplaceAll(s, "\n", "\r\n")
	}
	return s
}

// merged returns what the file must become once values are set. merged is the model for
// checking mergeDotenv.
func (f envFile) merged(set []assignment) string {
	values := map[string]string{}
	for _, a := range set {
		values[a.name] = a.value
	}
	s := f.render(values)
	eol := "\n"
	if strings.Contains(f.render(nil), "\r\n") {
		eol = "\r\n"
	}
	first := -1 // the piece that is hidden by the byte order mark
	if f.bom {
		first = slices.IndexFunc(f.pieces, func(p piece) bool { return strings.Contains(p.pre+p.old+p.post, "=") })
	}
	hidden := f.bom && first < 0
	for _, a := range set {
		if i := slices.IndexFunc(f.pieces, func(p piece) bool { return p.name == a.name }); i >= 0 &&
			(i != first || slices.ContainsFunc(f.pieces[i+1:], func(p piece) bool { return p.name == a.name })) {
			continue
		}
		if strings.TrimPrefix(s, "\ufeff") != "" && !strings.HasSuffix(s, "\n") {
			s += eol
		}
		text, _ := dotenvValue(a, "")
		s += a.name + "=" + text + eol
		if hidden {
			s += a.name + "=" + text + eol
			hidden = false
		}
	}
	return s
}

// These are lines of other programs: docker, too, reads the first ones as intended,
// shells and dotenv readers the next, and readers differ on the last.
var (
	plainLines = []string{
		"FOO=bar\n", "URL=https://example.org/?a=b\n", "EMPTY=\n", "\n", "# comment, don't touch \"it\n",
		"#" + tokenVar + "=commented\n", "# " + tokenVar + "='commented\n", "X" + tokenVar + "=1\n", tokenVar + "_2=1\n",
	}
	quotedLines = []string{
		"export FOO=bar\n", "FOO='a b'\n", "FOO=\"it's\" # that's it\n", "FOO='say \"'\n", "  FOO=indented\n",
		"KEY='-----BEGIN\n" + tokenVar + "=inside\n-----END'\n", "KEY=\"one\n\n" + scopeVar + "=inside\n\"\n",
	}
	wildLines = []string{
		"FOO=it's\n", "FOO = 'spaced'\n", "FOO: \"yaml\n" + tokenVar + "=inside\"\n", tokenVar + "\n", tokenVar + ": yaml\n", "source other.env\n", "=\n",
		"A=`cmd\n" + scopeVar + "=inside\n`\n", "\xff\xfe\n", "A=\xc3(\n", "A=\"x\\\"\n" + tokenVar + "=inside\"\n", "ÄÖ=1\n", "A='x'\"'\"'y'\n", "B=x\\\n", "\t \n",
	}
)

// generate makes files from the given foreign lines and assignments of ours.
func generate(plain bool, foreign ...[]string) *rapid.Generator[envFile] {
	lines := slices.Concat(foreign...)
	return rapid.Custom(func(t *rapid.T) envFile {
		f := envFile{cut: rapid.Bool().Draw(t, "cut")}
		for range rapid.IntRange(0, 8).Draw(t, "pieces") {
			if rapid.IntRange(0, 2).Draw(t, "kind") > 0 {
				f.pieces = append(f.pieces, piece{old: rapid.SampledFrom(lines).Draw(t, "line")})
				continue
			}
			p := piece{name: rapid.SampledFrom([]string{tokenVar, scopeVar}).Draw(t, "name"), old: "old", post: "\n"}
			p.pre = p.name + "="
			if !plain {
				p.pre = rapid.SampledFrom([]string{"", "export ", "  "}).Draw(t, "pre") + p.pre
				p.old = rapid.SampledFrom([]string{"", "old", "'old value'", `"old"`, "\"two\nlines\"", "'two\n\nlines'", `"a \" b"`, "`x`"}).Draw(t, "old")
				p.post = rapid.SampledFrom([]string{"\n", " # comment\n", "  # it's \"this\n", " # a # b\n", "\t# tab\n"}).Draw(t, "post")
			}
			f.pieces = append(f.pieces, p)
		}
		return f
	})
}

// tokens makes values like Spotify's; texts makes any value that a dotenv file can
// have.
var (
	tokens = rapid.StringMatching(`BQ[A-Za-z0-9_-]{1,40}`)
	texts  = rapid.OneOf(
		tokens,
		rapid.StringMatching(`[a-z-]{1,20}( [a-z-]{1,20}){0,4}`),
		rapid.StringMatching(`[ -~]{0,20}`),
		rapid.StringMatching(`(a|\\|\$\{HOME\}){1,4}`), // most of these are refused
		rapid.StringMatching("[ \t$\"`#;&|<>()*?!~\\\\é☃{}=]{1,8}"),
	).Filter(func(s string) bool {
		_, err := dotenvValue(assignment{"V", s}, "")
		return err == nil
	})
)

func TestMergeDotenvProperty(t *testing.T) {
	t.Parallel()
	files := generate(false, plainLines, quotedLines, wildLines)
	rapid.Check(t, func(t *rapid.T) {
		f := files.Draw(t, "file")
		f.bom, f.crlf = rapid.Bool().Draw(t, "bom"), rapid.Bool().Draw(t, "crlf")
		set := []assignment{{tokenVar, tokens.Draw(t, "token")}, {scopeVar, texts.Draw(t, "scope")}}
		before := f.render(nil)
		got, err := mergeDotenv([]byte(before), set, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := f.merged(set); string(got) != want {
			t.Fatalf("%q\nbecame %q\nwant   %q", before, got, want)
		}
		checkMerged(t, []byte(before), got, set)
	})
}

// checkMerged checks what must be true for every file.
func checkMerged(t interface{ Fatalf(string, ...any) }, before, after []byte, set []assignment) {
	again, err := mergeDotenv(after, set, nil)
	if err != nil || !bytes.Equal(again, after) {
		t.Fatalf("a second time: %v\n%q\nbecame %q", err, after, again)
	}
	var names []string
	for _, a := range set {
		names = append(names, a.name)
		values, plain := dotenvValues(after, a.name)
		if len(values) == 0 || !plain || slices.ContainsFunc(values, func(v string) bool { return v != a.value }) {
			t.Fatalf("%s reads %q (%v), want %q, in %q", a.name, values, plain, a.value, after)
		}
	}
	// Without our lines, the files differ in a newline at the end at most.
	a, errA := mergeDotenv(before, nil, names)
	b, errB := mergeDotenv(after, nil, names)
	if errA != nil || errB != nil {
		t.Fatalf("removing: %v, %v", errA, errB)
	}
	if !bytes.Equal(a, b) && !bytes.Equal(append(slices.Clone(a), '\n'), b) && !bytes.Equal(append(slices.Clone(a), "\r\n"...), b) {
		t.Fatalf("foreign lines changed:\n%q\n%q", a, b)
	}
}

func FuzzDotenvMerge(f *testing.F) {
	f.Add([]byte("A=1\n"+tokenVar+"=old # c\r\nB='x\n"+scopeVar+"=y'\n"), "BQnew", "a b")
	f.Add([]byte("\ufeffexport "+tokenVar+" = \"a\\\"b\"\nA='"), "", "x")
	f.Add([]byte("A=\"\\\n"+scopeVar+"=`'\n"), "#", "'")
	f.Fuzz(func(t *testing.T, content []byte, token, scope string) {
		set := []assignment{{tokenVar, token}, {scopeVar, scope}}
		before := slices.Clone(content)
		got, err := mergeDotenv(content, set, nil)
		if !bytes.Equal(before, content) {
			t.Fatal("the argument was changed")
		}
		if err != nil {
			for _, a := range set {
				if len(a.value) > 20 && strings.Contains(err.Error(), a.value) {
					t.Fatalf("the error quotes a value: %v", err)
				}
			}
			return
		}
		checkMerged(t, content, got, set)
	})
}

func FuzzDotenvValue(f *testing.F) {
	for _, s := range []string{"", "BQabc_-", "a b", "$HOME `id` \"x\" !!", "~", "#x", `a\b`, "é"} {
		f.Add(s)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		f.Skip("no bash to agree with")
	}
	f.Fuzz(func(t *testing.T, v string) {
		text, err := dotenvValue(assignment{"V", v}, "")
		if err != nil {
			return
		}
		cmd := exec.Command(bash, "-c", `. /dev/stdin && printf %s "$V"`)
		cmd.Stdin = strings.NewReader("V=" + text + "\n")
		out, err := cmd.Output()
		if err != nil || string(out) != v {
			t.Fatalf("%q is read as %q (%v)", v, out, err)
		}
	})
}

// TestB3Readers asks the real readers what they see of files that begin with a
// byte order mark. godotenv is not among them: it refuses such a file.
func TestB3Readers(t *testing.T) {
	t.Parallel()
	set := []assignment{{tokenVar, "BQx_-"}, {scopeVar, "a"}}
	var paths []string
	dir := t.TempDir()
	for i, in := range []string{
		"", tokenVar + "=old\n", "\n" + tokenVar + "=old\n", "# c\n\n" + scopeVar + "=old\n" + tokenVar + "=old\n",
		scopeVar + "=old\r\nA=1\r\n", "LONE\n", "A=1\n" + scopeVar + "=old\n", "export " + tokenVar + "=old\nA=1",
	} {
		b, err := mergeDotenv([]byte("\ufeff"+in), set, nil)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.Join(dir, strconv.Itoa(i)))
		if err := os.WriteFile(paths[i], bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, read := range map[string]reader{
		"bash": shell("bash"), "dash": shell("dash"), "node": node, "python-dotenv": python,
		"docker":  inProcess(dockerUnmarshal),
		"compose": inProcess(func(s string) (map[string]string, error) { return compose.ParseWithLookup(strings.NewReader(s), nil) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, got := range read(t, paths) {
				switch content, _ := os.ReadFile(paths[i]); {
				case got == nil && (bytes.Contains(content, []byte("LONE")) || bytes.Contains(content, []byte("export"))): // the reader refuses the file without our change, too
				case len(got) != 2 || got[0] != "BQx_-" || got[1] != "a":
					t.Errorf("%q is read as %q", content, got)
				}
			}
		})
	}
}
