package config

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// TestSchemaKeys checks that the schema has the keys, types and words that the
// decoder knows, no more and no less.
func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	type words struct {
		Enum     []string
		Meanings []string `json:"markdownEnumDescriptions"`
	}
	type object struct {
		Properties map[string]struct {
			Const string
			AnyOf []words
			Items struct {
				OneOf []json.RawMessage
				AnyOf []words
			}
			Properties map[string]json.RawMessage
		}
	}
	parse := func(raw []byte) (o object) {
		t.Helper()
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	same := func(what string, got, want []string) {
		t.Helper()
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
		if !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %q, the decoder %q", what, got, want)
		}
	}
	meant := func(what string, w words, want []string) {
		t.Helper()
		same(what, w.Enum, want)
		if len(w.Meanings) != len(w.Enum) || slices.Contains(w.Meanings, "") {
			t.Errorf("%s: not every word has a meaning", what)
		}
	}
	root := parse([]byte(Schema))
	same("profile", keys(root.Properties), append(slices.Clone(profileKeys), "defaults"))
	same("defaults", keys(root.Properties["defaults"].Properties), commonKeys())
	same("client", keys(root.Properties["client"].Properties), clientKeys)
	meant("grant", root.Properties["grant"].AnyOf[0], []string{string(AuthorizationCode), string(PKCE), string(ClientCredentials)})
	meant("scopes", root.Properties["scopes"].Items.AnyOf[0], scopeNames())
	var types []string
	for _, raw := range root.Properties["outputs"].Items.OneOf {
		o := parse(raw)
		kind := o.Properties["type"].Const
		types = append(types, kind)
		i := slices.IndexFunc(outputKinds(), func(k outputKind) bool { return string(k.name) == kind })
		if i < 0 {
			t.Errorf("the decoder does not know the output type %q", kind)
			continue
		}
		same(kind, keys(o.Properties), outputKinds()[i].keys)
		switch kind {
		case "env", "github":
			same(kind+" keys", keys(o.Properties["keys"].Properties), Fields)
		case "json":
			meant("json formats", o.Properties["format"].AnyOf[0], JSONFormats)
		case "stdout":
			meant("stdout formats", o.Properties["format"].AnyOf[0], stdoutFormats)
		case "command":
			meant("command values", o.Properties["value"].AnyOf[0], slices.Concat(Fields, without(stdoutFormats, Fields)))
		}
	}
	known, _ := outputWords()
	same("output types", types, known)
}

func keys[V any](m map[string]V) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

// schemaMisses are the mistakes that a schema cannot see: a part of what validate
// says, the reason, and an example.
var schemaMisses = []struct{ message, reason, profile string }{
	{"already writes this file", "a schema compares no paths", "outputs: [{type: json, path: a}, {type: json, path: ./a}]"},
	{"already set at", "a schema compares no paths and no variables", "outputs: [{type: env, path: a, keys: {scope: A, profile: A}}]"},
	{"would overwrite", "a schema compares no paths", "env_file: [testdata/vars.env]\noutputs: [{type: json, path: testdata/vars.env}]"},
	{"is inside a state directory", "a schema compares no paths", "outputs: [{type: json, path: .tokenform/a}]"},
	{"cannot be the previous name of a profile", "a schema compares no two values", "moved_from: a"},
	{"login_warning is longer than login_lifetime", "a schema compares no two values", "login_warning: 20d\nlogin_lifetime: 10d"},
	{"min_ttl must be less than 1h", "a schema adds nothing up", "min_ttl: 50m11m"},
	{"the duration is too long", "a schema adds nothing up", "login_lifetime: 20000w"},
	{"cannot read it", "a schema reads no files", "env_file: [missing.env]"},
	{"is not set", "a schema knows no variables", "account: ${MISSING}"},
	{"the value is a", "a pattern for all that people copy along with a credential would be unreadable", "refresh_token: https://a.example/"},
	{"the value is wrapped in", "a pattern for all that people copy along with a credential would be unreadable", "refresh_token: <abc>"},
	{"the value starts with", "a pattern for all that people copy along with a credential would be unreadable", "refresh_token: '=abc'"},
	{"the value ends with", "a pattern for all that people copy along with a credential would be unreadable", "refresh_token: abc;"},
	{"redirect_uri: a . or .. in the path", "a pattern does not know the parts of an address", "redirect_uri: https://example.com/../a"},
	{"redirect_uri: not an address with a scheme", "a pattern does not know the parts of an address", "redirect_uri: https://example.com/%zz"},
}

// schemaStricter are profiles that validate takes and the schema does not.
var schemaStricter = []struct{ reason, profile string }{
	{"the other keys of an output depend on its type, and a schema does not know the value of a variable", "outputs: [{type: '${T:-json}', path: a}]"},
	{"with a boolean type, editors would offer true and false as an account", "account: true"},
	{"with a boolean type, editors would offer true and false as a name", "moved_from: true"},
	{"Spotify issues no credential with a dollar sign; most likely a variable lacks its braces", "refresh_token: a$b"},
	{"validate warns of this key with client_credentials, and does not look at its value", "grant: client_credentials\nlogin_warning: 14 d"},
	{"the usual spellings of the loopback address are enough for an editor", "redirect_uri: http://[0::1]/"},
}

// schemaValues are values of each key as YAML, right ones and wrong ones.
var schemaValues = map[string][]string{
	"profile":        {"a", "a", "a", "2024", "A", "'${P:-a}'", "a b", "../x"},
	"moved_from":     {"old", "0", "Old", "${O:-old}", "-1", "''"},
	"client":         {"{id: abc}", "{id: abc}", "{id: abc, secret: s}", "{id: abc, secret: s}", "{id: {env: A}}", "{id: 12, secret: {command: [pass, '']}}", "{secret: s}", "{id: ''}", "{id: a b}", "{id: abc, sceret: s}", "{id: {env: A, file: b}}", "{id: {command: []}}", "{id: {command: ['']}}", "{id: {file: ~/a}}", "{id: '${A:-b}', secret: {file: '${A:-b}'}}", "{id: abc, secret: {env: $A}}"},
	"grant":          {"pkce", "authorization_code", "client_credentials", "client_credentials", "implicit", "password", "'$${G}'"},
	"scopes":         {"[]", "[user-read-email]", "[user-read-email, streaming]", "[user-read-emial]", "[streaming, streaming]", "user-read-email", "[soa-create-partner]", "['${S:-streaming}']", "[playlist-read]", "['']", "[1]"},
	"redirect_uri":   {"http://127.0.0.1:8888/callback", "http://127.0.0.1/", "'http://[::1]:80/cb'", "https://example.com/cb?x=1", "app.example:/cb", "myapp://cb", "http://localhost/", "https://LOCALHOST./", "http://example.com/", "http://127.0.0.1:0/", "http://127.0.0.1:70000/", "http://0.0.0.0:1/", "127.0.0.1:8888/cb", "127.0.0.1.nip.io:80/", "'https://a.example/#x'", "https://u:p@a.example/", "https://*.example.com/", "'https:///cb'", "'https://a.example/a b'", "'${R:-https://a.example/}'", "''"},
	"show_dialog":    {"true", "false", "'TRUE'", "yes", "1", "'${D:-true}'"},
	"min_ttl":        {"5m", "59m", "0", "'0'", "90s", "1h", "60m", "0.5h", "1d", "300", "-5m", "five", "1.5.5m", "500ms", "[5m]", "'${M:-5m}'"},
	"login_lifetime": {"180d", "26w", "0", "0d", "400d", "1w2d3h4m5s6ms7us8ns", "10", "'${L:-90d}'"},
	"login_warning":  {"14d", "0", "1h", "-14d", "''", "14 d", ".5d", "5.d", ".d"},
	"refresh_token":  {"AQxyz", "''", "{env: SEED}", "{command: [pass]}", "a b", "[a]", "'${T:-}'", "12", "{}"},
	"authorized_at":  {"2026-11-23", "'2026-11-23T14:03:05Z'", "''", "2026-13-23", "yesterday", "'${W:-}'"},
	"env_file":       {"[]", "[testdata/vars.env]", ".env", "[~/a]", "['']"},
	"verify":         {"true", "'False'", "perhaps", "''"},
	"account":        {"somebody", "1234", "'a b'", "''", "'${A:-b}'", "é"},
	"listen":         {"0.0.0.0:8888", "'[::]:80'", "localhost:80", "0.0.0.0", "127.0.0.1:0", "127.0.0.256:80", "'${L:-0.0.0.0:80}'"},
	"state": {
		".tokenform", "../elsewhere", "~/x", "''", "'${S:-x}'", "7",
		"{type: http, address: 'https://a.example/b/{profile}'}", "{type: http, address: https://a.example/b, username: u, password: {env: P}, lock_method: PUT, lock_ttl: 30s}", "{type: http, address: http://127.0.0.1:1/a}", "{type: http, address: http://a.example/b}", "{type: http, address: https://u:p@a.example/}", "{type: http}", "{type: http, address: ftp://a}", "{type: http, address: https://a.example/, password: p}", "{type: http, address: https://a.example/, lock_method: lock}", "{type: http, bucket: b}",
		"{type: s3, bucket: b, prefix: p/, region: r, endpoint: https://a.example, path_style: true}", "{type: s3, bucket: b, access_key: a, secret_key: {file: b}}", "{type: s3, bucket: b, access_key: a}", "{type: s3, bucket: ''}", "{type: s3}",
		"{type: etcd, endpoints: [https://a:1, https://b:1], prefix: /p/, ca: ca.pem, cert: c.pem, key: k.pem}", "{type: etcd, endpoints: []}", "{type: etcd, endpoints: https://a:1}", "{type: etcd, endpoints: [https://a:1], cert: c}",
		"{type: command, command: [a, b]}", "{type: command, command: ['']}", "{type: command}", "{type: consul}", "{}",
	},
	"encrypt": {"{recipients: [age1abc]}", "{recipients: [age1abc, ssh-ed25519 AAAA], identity: {env: I}}", "{recipients: []}", "{recipients: age1abc}", "{identity: {file: k}}", "{recipients: [AGE-SECRET-KEY-1ABC]}", "{recipients: [age1abc], identity: ''}", "age1abc"},
	"notify":  {"[]", "[{command: [a, '']}]", "[{on: [failing], command: [a]}]", "[{command: ['']}]", "[{command: []}]", "[{on: [fail], command: [a]}]", "[{on: [failing]}]", "[a]"},
}

// schemaOutputs are outputs as YAML.
var schemaOutputs = []string{
	"{type: env, path: .env, keys: {access_token: A}}", "{type: env, path: .env, keys: {client_secret: B}}", "{type: env, path: .env, keys: {refresh_token: C}}", "{type: env, path: .env, keys: {scope: '1A'}}", "{type: env, path: .env, keys: {}}", "{type: env, path: .env}", "{type: env, path: .env, keys: {acces_token: A}}",
	"{type: json, path: a.json}", "{type: json, path: b.json, refresh_token: true}", "{type: json, path: c.json, format: spotipy}", "{type: json, path: d.json, format: oauth2}", "{type: json, path: e.json, format: oauth2, refresh_token: false}", "{type: json, path: dir/}", "{type: json, path: a/..}", "{type: json}", "{type: json, path: f.json, format: xml}", "{type: json, path: g.json, format: '${F:-oauth2}'}", "{type: json, path: ''}",
	"{type: stdout}", "{type: stdout, format: export}", "{type: stdout, format: seed}", "{type: stdout, format: exprot}", "{type: stdout, path: a}",
	"{type: template, path: t, template: t.tmpl}", "{type: template, path: t}", "{type: template, template: t}",
	"{type: command, command: [a]}", "{type: command, command: [a, '']}", "{type: command, command: a}", "{type: command, command: [a], value: seed}", "{type: command, command: [a], value: client_secret}", "{type: command, command: [a], value: authorized_at}", "{type: command, command: [a], value: seed, when: changed}", "{type: command, command: [a], when: changed}", "{type: command, command: [a], value: seed, when: always}",
	"{type: github, to: env, keys: {access_token: A}}", "{type: github, to: path, keys: {access_token: A}}", "{type: github, keys: {access_token: A}}", "{type: github, to: output}",
	"{type: jsno, path: a}", "{path: a}", "stdout", "~",
}

// TestSchemaAgrees checks that the schema takes what validate takes, and nothing else,
// apart from schemaMisses and schemaStricter, which are checked too.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	takes := schemaTakes(t)
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) (errs []string) {
		src := Sources{Env: func(string) (string, bool) { return "", false }, Dir: here, Stdin: ReadOnce(strings.NewReader(text))}
		_, problems := Load(t.Context(), src, []string{"-"})
		for _, p := range problems.Errors() {
			errs = append(errs, p.Message)
		}
		return errs
	}
	const base = "profile: a\nclient: {id: abc, secret: s}\n"
	for _, k := range schemaMisses {
		if errs := validate(base + k.profile); len(errs) == 0 || !strings.Contains(strings.Join(errs, "\n"), k.message) {
			t.Errorf("%s: validate says %q, not %q", k.profile, errs, k.message)
		} else if err := takes(base + k.profile); err != nil {
			t.Errorf("the schema sees %q now (%s): %v", k.profile, k.reason, err)
		}
	}
	for _, k := range schemaStricter {
		if errs := validate(base + k.profile); errs != nil || takes(base+k.profile) == nil {
			t.Errorf("%q (%s): validate says %q, the schema %v", k.profile, k.reason, errs, takes(base+k.profile))
		}
	}
	if err := takes("defaults: {client: {id: abc}, scopes: [streaming]}"); err != nil {
		t.Error(err)
	}
	seen, right := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		for range 20 {
			text := schemaProfile(r)
			err, errs := takes(text), validate(text)
			seen++
			switch {
			case err == nil && errs == nil:
				right++
			case err != nil && errs == nil:
				r.Fatalf("validate takes it, the schema does not:\n%s\n%v", text, err)
			case err == nil:
				for _, e := range errs {
					if !slices.ContainsFunc(schemaMisses, func(k struct{ message, reason, profile string }) bool { return strings.Contains(e, k.message) }) {
						r.Fatalf("the schema takes it, validate does not: %s\n%s", e, text)
					}
				}
			}
		}
	})
	if !testing.Short() && seen < 1000 || right < seen/20 || right > seen*9/10 {
		t.Errorf("%d of %d profiles are right: the test says little", right, seen)
	}
	t.Logf("%d profiles, %d of them right", seen, right)
}

// schemaProfile draws a profile. Most of them have a mistake.
func schemaProfile(r *rapid.T) string {
	flip := func(of int) bool { return rapid.IntRange(1, of).Draw(r, "one of") == 1 }
	var b strings.Builder
	wrong := 0 // keys that may have any value
	for _, key := range profileKeys {
		if key != "profile" && key != "client" && !flip(5) {
			continue
		}
		ignored := key == "show_dialog" || key == "login_lifetime" || key == "login_warning"
		if ignored && strings.Contains(b.String(), "grant: client_credentials") {
			continue // see schemaStricter
		}
		value := ""
		switch {
		case key == "outputs":
			var items []string
			for range rapid.IntRange(0, 2).Draw(r, "outputs") {
				items = append(items, rapid.SampledFrom(schemaOutputs).Draw(r, "output"))
			}
			value = "[" + strings.Join(items, ", ") + "]"
		case wrong == 0 && flip(40):
			wrong++
			other := rapid.SampledFrom(profileKeys[:len(profileKeys)-1]).Draw(r, "other")
			values := append([]string{"", "~", "[]", "{}", "text", "${"}, schemaValues[other]...)
			values = slices.DeleteFunc(values, func(v string) bool { return strings.Contains(v, ":-") || v == "true" || v == "false" }) // see schemaStricter
			value = rapid.SampledFrom(values).Draw(r, "any")
		case flip(3):
			value = rapid.SampledFrom(schemaValues[key]).Draw(r, key)
		default:
			value = schemaValues[key][0]
		}
		if wrong == 0 && flip(200) {
			wrong++
			key += "s"
		}
		fmt.Fprintf(&b, "%s: %s\n", key, value)
	}
	return b.String()
}

// schemaTakes returns a function that holds a document against the schema.
func schemaTakes(t *testing.T) func(string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("profile.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("profile.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) (err error) {
		if wrong := parse([]byte(text), func(doc tree) { err = s.Validate(plainValue(doc.root)) }); wrong != nil {
			t.Fatalf("%s: %s", text, wrong.message)
		}
		return err
	}
}

// plainValue returns what JSON has for n.
func plainValue(n *node) any {
	switch {
	case n.kind == list:
		l := []any{}
		for _, item := range n.items {
			l = append(l, plainValue(item))
		}
		return l
	case n.kind == mapping:
		m := map[string]any{}
		for i := 0; i < len(n.items); i += 2 {
			m[n.items[i].value] = plainValue(n.items[i+1])
		}
		return m
	case n.isNull():
		return nil
	case n.tag == "!!bool":
		return strings.EqualFold(n.value, "true")
	case n.tag == "!!int", n.tag == "!!float":
		return json.Number(n.value)
	}
	return n.value
}
