package examples

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenform/config"
)

// TestEditor asks yaml-language-server, which is behind YAML in VS Code, Neovim and
// others, for what an editor shows of a profile that names the schema in its first
// line. `npm ci` in testdata/editor installs the server.
func TestEditor(t *testing.T) {
	t.Parallel()
	editorNeeds(t)
	e := newEditor(t)
	t.Run("completion", func(t *testing.T) {
		for _, c := range []struct {
			name, text string // | is the cursor
			want       map[string]string
			never      []string
		}{
			{"keys", "client: {id: abc}\n|\n", map[string]string{"grant": "How the token is obtained", "scopes": "What the user is asked", "redirect_uri": "exactly as registered", "outputs": "Where the token goes"}, nil},
			{"keys of client", "client:\n  |\n", map[string]string{"id": "client ID", "secret": "public client"}, nil},
			{"grants", "client: {id: abc}\ngrant: |\n", map[string]string{"pkce": "no secret", "client_credentials": "Nobody logs in", "authorization_code": "has a secret"}, nil},
			{"scopes", "client: {id: abc}\nscopes:\n  - |\n", map[string]string{"user-read-email": "e-mail", "streaming": "Premium", "playlist-read-private": "private playlists", "ugc-image-upload": "covers"}, []string{"soa-create-partner", "true"}},
			{"output types", "client: {id: abc}\noutputs:\n  - type: |\n", map[string]string{"env": "env file", "json": "JSON file", "stdout": "Standard output", "template": "template", "command": "standard input", "github": "GitHub"}, nil},
			{"json formats", "client: {id: abc}\noutputs:\n  - type: json\n    path: a.json\n    format: |\n", map[string]string{"tokenform": "own format", "spotipy": "Python", "SpotifyAPI-NET": ".NET"}, []string{"powershell"}},
			{"stdout formats", "client: {id: abc}\noutputs:\n  - type: stdout\n    format: |\n", map[string]string{"export": "bash", "seed": "another machine", "fish": "fish"}, []string{"spotipy"}},
			{"keys of an output", "client: {id: abc}\noutputs:\n  - type: github\n    |\n", map[string]string{"to": "Where the variables go", "keys": "Which field"}, []string{"template"}},
			{"accounts", "client: {id: abc}\naccount: |\n", nil, []string{"true", "false"}},
		} {
			got := e.complete(t, c.text)
			for label, meaning := range c.want {
				if !strings.Contains(got[label], meaning) {
					t.Errorf("%s: %s is %q, want %q in it; all: %q", c.name, label, got[label], meaning, got)
				}
			}
			for _, label := range c.never {
				if _, there := got[label]; there {
					t.Errorf("%s: %s is offered: %q", c.name, label, got)
				}
			}
			t.Logf("%s: %q", c.name, got)
		}
	})
	t.Run("hover", func(t *testing.T) {
		for text, want := range map[string]string{
			"client: {id: abc}\nmin_|ttl: 5m\n":                    "Must be below 1h",
			"client: {id: abc}\nsco|pes: [streaming]\n":            "What the user is asked to allow",
			"client: {id: abc}\nscopes: [strea|ming]\n":            "Premium",
			"client: {id: abc}\ngr|ant: pkce\n":                    "`client_credentials`: The app's own token",
			"client: {id: abc}\noutputs: [{ty|pe: stdout}]\n":      "Standard output",
			"defaults:\n  client: {id: abc}\n  red|irect_uri: a:b": "exactly as registered",
		} {
			got := e.hover(t, text)
			if !strings.Contains(got, want) {
				t.Errorf("%q shows %q, want %q in it", text, got, want)
			}
			t.Logf("%q shows %s", text, got)
		}
	})
	t.Run("diagnostics", func(t *testing.T) {
		files, err := filepath.Glob("../config/testdata/*.yaml")
		if err != nil || len(files) < 30 {
			t.Fatalf("%v, %v", files, err)
		}
		if got := e.refuse(t, "client: {id: abc}\nscope: [streaming]\n"); len(got) == 0 {
			t.Error("the modeline does nothing")
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(filepath.Base(f), ".yaml")
			got, reason := e.diagnose(t, string(text)), editorBlind[name]
			if (len(got) == 0) != (reason != "") {
				t.Errorf("%s: the editor shows %v; known reason to show nothing: %q", f, got, reason)
			}
			golden, err := os.ReadFile(strings.TrimSuffix(f, ".yaml") + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(golden)) {
				rest, ok := strings.CutPrefix(line, "error: "+name+".yaml:")
				number, _, _ := strings.Cut(rest, ":")
				n, err := strconv.Atoi(number)
				if !ok || err != nil || got[n] != nil || reason != "" {
					continue
				}
				if !slices.ContainsFunc(editorUnseen, func(u unseen) bool { return strings.Contains(line, u.message) }) {
					t.Errorf("the editor shows nothing in this line: %s", line)
				}
			}
		}
	})
	t.Run("right profiles", func(t *testing.T) {
		files, err := filepath.Glob("*.yaml")
		if err != nil || len(files) < 4 {
			t.Fatalf("%v, %v", files, err)
		}
		if got := e.diagnose(t, config.Starter{Scopes: []string{"streaming"}}.Text()); len(got) > 0 {
			t.Errorf("init's: %v", got)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.diagnose(t, string(text)); len(got) > 0 {
				t.Errorf("%s: %v", f, got)
			}
		}
	})
}

// editorBlind are the files of config/testdata in which a schema sees nothing wrong,
// and why.
var editorBlind = map[string]string{
	"Not A Name":  "the name comes from the file's name",
	"merges":      "the server gives up on a mapping that merges itself",
	"collisions":  "a schema compares no paths, and no documents",
	"moved-twice": "a schema compares no two values, and no documents",
}

// unseen is a mistake that a schema cannot see, by what validate says of it.
type unseen struct{ message, reason string }

// editorUnseen are the lines that validate finds wrong and the editor does not mark.
var editorUnseen = []unseen{
	{"is not set", "a schema knows no variables"},
	{"the variable in it is empty", "a schema knows no variables"},
	{"client.id is empty", "a schema knows no variables"},
	{"client.secret is empty", "a schema knows no variables"},
	{"state is empty", "a schema knows no variables"},
	{"${SECRET}", "a schema knows no variables"},
	{"${SCOPE}", "a schema knows no variables"},
	{"login_warning is longer than login_lifetime", "a schema compares no two values"},
	{"overwrite its own template", "a schema compares no two values"},
	{"would overwrite", "a schema compares no paths"},
	{"already writes this file", "a schema compares no paths"},
	{"already prints to standard output", "marked at the first output"},
	{"cannot read it", "a schema reads no files"},
	{"has no name", "a schema does not count documents"},
	{"has no client", "the client may come from defaults"},
	{"durations.yaml:17:", "a schema adds nothing up"},
	{"interpolation.yaml:9:", "a schema knows no variables"},
	{"interpolation.yaml:10:", "a schema knows no variables"},
	{"redirects.yaml:75:", "a schema knows no variables"},
	{"needs client.secret", "marked at client"},
	{"grant pkce is for clients without a secret", "marked at client"},
	{"missing closing quote", "marked where the text ends"},
	{"tags.yaml:5:", "the server reads !!binary as YAML has it"},
	{"defaults must come before the profiles", "a schema does not count documents"},
}

// editorNeeds skips if the server is not installed, or fails if
// TOKENFORM_TEST_EDITOR says that it must be there.
func editorNeeds(t *testing.T) {
	t.Helper()
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node is not installed"
	} else if _, err := os.Stat("testdata/editor/node_modules/yaml-language-server"); err != nil {
		missing = "npm ci has not been run in examples/testdata/editor"
	}
	switch {
	case missing == "":
	case os.Getenv("TOKENFORM_TEST_EDITOR") == "require":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// editor is a client of yaml-language-server: JSON-RPC over standard input and output.
type editor struct {
	in       io.Writer
	received chan message
	dir      string
	next     int
}

type message struct {
	ID     *int            `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

type position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

func newEditor(t *testing.T) *editor {
	t.Helper()
	e := &editor{dir: t.TempDir(), received: make(chan message, 100)}
	schema := filepath.Join(e.dir, "config", "profile.schema.json")
	for _, err := range []error{os.Mkdir(filepath.Dir(schema), 0o700), os.WriteFile(schema, []byte(config.Schema), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/editor/node_modules/yaml-language-server/bin/yaml-language-server", "--stdio")
	cmd.Env = append(surroundings(e.dir, ""), "NODE_PATH=")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.in = in
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		for range e.received { // until the output ends
		}
		_ = cmd.Wait()
	})
	go func() {
		defer close(e.received)
		r := textproto.NewReader(bufio.NewReader(out))
		for {
			header, err := r.ReadMIMEHeader()
			if err != nil {
				return
			}
			size, err := strconv.Atoi(header.Get("Content-Length"))
			if err != nil {
				return
			}
			body := make([]byte, size)
			var m message
			if _, err := io.ReadFull(r.R, body); err != nil || json.Unmarshal(body, &m) != nil {
				return
			}
			e.received <- m
		}
	}()
	e.ask(t, "initialize", map[string]any{
		"processId": nil, "rootUri": nil,
		"capabilities": map[string]any{"workspace": map[string]any{"configuration": true}, "textDocument": map[string]any{
			"hover":      map[string]any{"contentFormat": []string{"markdown"}},
			"completion": map[string]any{"completionItem": map[string]any{"documentationFormat": []string{"markdown"}, "snippetSupport": true}},
		}},
	}, nil)
	e.send(t, map[string]any{"method": "initialized", "params": map[string]any{}})
	e.send(t, map[string]any{"method": "workspace/didChangeConfiguration", "params": map[string]any{"settings": nil}})
	return e
}

func (e *editor) send(t *testing.T, m map[string]any) {
	t.Helper()
	m["jsonrpc"] = "2.0"
	b, err := json.Marshal(m)
	if err == nil {
		_, err = fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(b), b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// receive returns the first message that fits, and answers what the server asks.
func (e *editor) receive(t *testing.T, fits func(message) bool) message {
	t.Helper()
	end := time.After(30 * time.Second)
	for {
		select {
		case m, ok := <-e.received:
			switch {
			case !ok:
				t.Fatal("the server has ended")
			case fits(m):
				return m
			case m.ID != nil && m.Method != "":
				e.send(t, map[string]any{"id": *m.ID, "result": e.settings(m)})
			}
		case <-end:
			t.Fatal("the server does not answer")
		}
	}
}

// settings returns what the server asks for. The schema is the one that the modeline or
// a setting names: no catalog, no network.
func (e *editor) settings(m message) any {
	if m.Method != "workspace/configuration" {
		return nil
	}
	var asked struct{ Items []struct{ Section string } }
	_ = json.Unmarshal(m.Params, &asked)
	answer := make([]any, len(asked.Items))
	for i, item := range asked.Items {
		if item.Section == "yaml" {
			answer[i] = map[string]any{
				"validate": true, "hover": true, "completion": true, "schemaStore": map[string]any{"enable": false},
				"schemas": map[string]any{"file://" + e.dir + "/config/profile.schema.json": "*.profiles.yaml"},
			}
		} else {
			answer[i] = map[string]any{}
		}
	}
	return answer
}

func (e *editor) ask(t *testing.T, method string, params, result any) {
	t.Helper()
	e.next++
	id := e.next
	e.send(t, map[string]any{"id": id, "method": method, "params": params})
	m := e.receive(t, func(m message) bool { return m.ID != nil && *m.ID == id && m.Method == "" })
	if m.Error != nil {
		t.Fatalf("%s: %s", method, m.Error)
	}
	if result != nil {
		if err := json.Unmarshal(m.Result, result); err != nil {
			t.Fatalf("%s: %v in %s", method, err, m.Result)
		}
	}
}

// open opens text, with the modeline before it, and returns what a request about the
// cursor has for parameters. The cursor is where | is.
func (e *editor) open(t *testing.T, text string) map[string]any {
	t.Helper()
	return e.show(t, ".yaml", "# yaml-language-server: $schema=../config/profile.schema.json\n"+text)
}

// show is open for a file whose name ends in ext.
func (e *editor) show(t *testing.T, ext, text string) map[string]any {
	t.Helper()
	before, after, _ := strings.Cut(text, "|")
	e.next++
	document := map[string]any{"uri": fmt.Sprintf("file://%s/examples/%d%s", e.dir, e.next, ext), "languageId": "yaml", "version": 1, "text": before + after}
	e.send(t, map[string]any{"method": "textDocument/didOpen", "params": map[string]any{"textDocument": document}})
	at := position{strings.Count(before, "\n"), len(before) - strings.LastIndex(before, "\n") - 1}
	return map[string]any{"textDocument": document, "position": at}
}

// complete returns what is offered at the cursor, with its meaning.
func (e *editor) complete(t *testing.T, text string) map[string]string {
	t.Helper()
	var list struct {
		Items []struct {
			Label         string
			Documentation any
		}
	}
	e.ask(t, "textDocument/completion", e.open(t, text), &list)
	offered := map[string]string{}
	for _, item := range list.Items {
		offered[item.Label] = fmt.Sprint(item.Documentation)
	}
	return offered
}

func (e *editor) hover(t *testing.T, text string) string {
	t.Helper()
	var result struct{ Contents struct{ Value string } }
	e.ask(t, "textDocument/hover", e.open(t, text), &result)
	return result.Contents.Value
}

// diagnose returns what is wrong with text, by its lines, which count from one.
//
// A modeline counts for its own document only, so a setting names the schema for all
// documents of the file.
func (e *editor) diagnose(t *testing.T, text string) map[int][]string {
	t.Helper()
	return e.diagnostics(t, e.show(t, ".profiles.yaml", "# |\n"+strings.TrimPrefix(text, "\ufeff")))
}

// refuse is diagnose with a modeline.
func (e *editor) refuse(t *testing.T, text string) map[int][]string {
	t.Helper()
	return e.diagnostics(t, e.open(t, text+"|"))
}

func (e *editor) diagnostics(t *testing.T, shown map[string]any) map[int][]string {
	t.Helper()
	uri := shown["textDocument"].(map[string]any)["uri"]
	var p struct {
		URI         string
		Diagnostics []struct {
			Message string
			Range   struct{ Start, End position }
		}
	}
	e.receive(t, func(m message) bool {
		return m.Method == "textDocument/publishDiagnostics" && json.Unmarshal(m.Params, &p) == nil && p.URI == uri
	})
	wrong := map[int][]string{}
	for _, d := range p.Diagnostics {
		for line := d.Range.Start.Line; line <= d.Range.End.Line; line++ {
			wrong[line] = append(wrong[line], d.Message) // line zero is a comment
		}
	}
	return wrong
}
