package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// OutputType is what an output is, by the name in a profile.
type OutputType string

// The output types. Package output has a sink for each.
const (
	EnvOutput      OutputType = "env"
	JSONOutput     OutputType = "json"
	StdoutOutput   OutputType = "stdout"
	TemplateOutput OutputType = "template"
	CommandOutput  OutputType = "command"
	GitHubOutput   OutputType = "github"
)

// outputKind is a type's keys in a profile, and how they are decoded.
type outputKind struct {
	name   OutputType
	keys   []string
	decode func(d *document, o *Output, n *node, fs fields, p Profile)
}

// outputKinds returns a line for each output type.
func outputKinds() []outputKind {
	return []outputKind{
		{EnvOutput, []string{"type", "path", "keys"}, (*document).keys},
		{JSONOutput, []string{"type", "path", "format", "refresh_token"}, (*document).json},
		{StdoutOutput, []string{"type", "format"}, (*document).stdout},
		{TemplateOutput, []string{"type", "path", "template"}, (*document).template},
		{CommandOutput, []string{"type", "command", "value", "when"}, (*document).command},
		{GitHubOutput, []string{"type", "to", "keys"}, (*document).github},
	}
}

// outputWords returns the names of all output types, and every key that one of
// them has.
func outputWords() (types, keys []string) {
	for _, kind := range outputKinds() {
		types = append(types, string(kind.name))
		for _, key := range kind.keys {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return types, keys
}

var stdoutFormats = []string{"token", "header", "env", "export", "fish", "powershell", "json", "seed", "refresh_token"}

// JSONFormats are the formats of json outputs: our own, and the token files of Spotify
// clients, named after the clients.
var JSONFormats = []string{
	"tokenform", "oauth2", "spotipy", "rspotify", "spotify-tui",
	"web-api-ts-sdk", "spotify-web-api-node", "tekore", "SpotifyAPI-NET",
}

// userFormats are the formats that stand for a person's login. A client that finds an
// app's token in such a file logs in anew, or takes the token for the user's: spotipy
// does, because spotipy keeps both in one file.
var userFormats = []string{"spotipy", "spotify-tui", "tekore"}

// outputs decodes the list of outputs of p. All other keys of p must be decoded before.
func (d *document) outputs(f *field, p Profile) []Output {
	var outputs []Output
	var stdout *Output
	for _, item := range d.items(f.node, "outputs", "write each output on a line of its own: - {type: env, path: .env, keys: {access_token: SPOTIFY_ACCESS_TOKEN}}") {
		o, ok := d.output(item, p)
		if !ok {
			continue
		}
		if o.Type == StdoutOutput {
			if stdout != nil {
				d.report(item, "remove one of the two", "the profile already prints to standard output at %s", stdout.Pos)
				continue
			}
			stdout = &o
		}
		outputs = append(outputs, o)
	}
	return outputs
}

func (d *document) output(n *node, p Profile) (o Output, ok bool) {
	kind, ok := d.outputType(n)
	if !ok {
		return o, false
	}
	o.Pos = d.file.at(n)
	o.Type = kind.name
	fs, ok := d.mapping(n, "a "+string(kind.name)+" output", kind.keys, false)
	if !ok {
		return o, false
	}
	if slices.Contains(kind.keys, "path") {
		d.outputPath(&o, n, fs)
	}
	kind.decode(d, &o, n, fs, p)
	return o, true
}

func (d *document) json(o *Output, _ *node, fs fields, p Profile) {
	o.Format = d.format(fs, "json", JSONFormats)
	o.RefreshToken = d.boolean(fs, "refresh_token")
	d.refreshToken(*o, fs, p)
}

func (d *document) stdout(o *Output, _ *node, fs fields, p Profile) {
	o.Format = d.format(fs, "stdout", stdoutFormats)
	if f := fs.get("format"); f != nil && p.Grant == ClientCredentials && (o.Format == "seed" || o.Format == "refresh_token") {
		d.report(f.node, "take it out", "grant client_credentials has no refresh token")
	}
}

// refreshToken checks that json output o, the profile's grant and the wish for a
// refresh token agree.
func (d *document) refreshToken(o Output, fs fields, p Profile) {
	if p.Grant == ClientCredentials && slices.Contains(userFormats, o.Format) {
		d.report(fs.get("format").node, "use a format without a refresh token: "+strings.Join(without(JSONFormats, userFormats), ", "),
			"format %s needs a user's login, and grant client_credentials has none", o.Format)
	}
	f := fs.get("refresh_token")
	switch {
	case f == nil:
	case p.Grant == ClientCredentials:
		if o.RefreshToken {
			d.report(f.node, "take it out", "grant client_credentials has no refresh token")
		}
	case o.Format != "tokenform":
		// Neither answer is right: true has no effect, and false is not true.
		d.report(f.key, "remove it; only format tokenform has this option", "format %s always contains the refresh token", o.Format)
	}
}

func without(list, rest []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(rest, s) })
}

// outputType decodes the type before the other keys, because they depend on the type.
func (d *document) outputType(n *node) (kind outputKind, ok bool) {
	if n.kind != mapping {
		d.report(n, "write for example {type: json, path: token.json}", "an output must be a mapping, not %s", n.noun())
		return kind, false
	}
	f := d.typeField(n)
	if f == nil {
		return kind, false
	}
	s, ok := d.shown(f, "type")
	if !ok {
		return kind, false
	}
	for _, kind := range outputKinds() {
		if string(kind.name) == s {
			return kind, true
		}
	}
	types, _ := outputWords()
	d.report(f, meant(s, types), "unknown output type %s", f.quoted())
	return kind, false
}

// typeField returns the value of an output's type, or nil. A type that is not written
// out may come from a merge. If there is no type at all, the other keys are checked all
// the same.
func (d *document) typeField(n *node) *node {
	for i := 0; i+1 < len(n.items); i += 2 {
		if n.items[i].value == "type" && !n.items[i+1].isNull() {
			n.items[i].shown = true
			return n.items[i+1]
		}
	}
	problems := len(d.problems)
	types, keys := outputWords()
	fs, ok := d.mapping(n, "an output", keys, false)
	if f := fs.get("type"); f != nil {
		d.problems = d.problems[:problems] // the same problems are found again later
		return f.node
	}
	if ok && !fs.has("type") {
		d.report(n, "add type: "+strings.Join(types, ", "), "the output has no type")
	}
	return nil
}

func (d *document) outputPath(o *Output, n *node, fs fields) {
	f := fs.get("path")
	if f == nil {
		if !fs.has("path") {
			d.report(n, "add path: FILE", "the output has no path")
		}
		return
	}
	path, ok := d.path(f.node, "path")
	if !ok {
		return
	}
	if last := f.node.value; strings.HasSuffix(last, "/") || strings.HasSuffix(last, string(os.PathSeparator)) || filepath.Base(last) == "." || filepath.Base(last) == ".." {
		d.report(f.node, "write the path of a file", "path is a directory")
		return
	}
	if !canBeFile(filepath.Base(path)) {
		d.report(f.node, "write another name", "path: on Windows, %s is no name of a file", printable(filepath.Base(path)))
		return
	}
	o.Path, o.Shown = path, f.node.value
}

// DefaultKeys are the variables of an env output without keys, of the formats env and
// export, and of exec.
var DefaultKeys = []Key{
	{Field: "access_token", Variable: "SPOTIFY_ACCESS_TOKEN"},
	{Field: "expires_at", Variable: "SPOTIFY_TOKEN_EXPIRES_AT"},
}

// keys decodes which field goes to which variable.
func (d *document) keys(o *Output, n *node, fs fields, p Profile) {
	const example = "for example keys: {access_token: SPOTIFY_ACCESS_TOKEN}"
	f := fs.get("keys")
	if f == nil {
		if !fs.has("keys") && o.Type == EnvOutput {
			o.Keys, o.keyPos = DefaultKeys, []Pos{o.Pos, o.Pos}
			return
		}
		if !fs.has("keys") {
			d.report(n, example, "the output has no keys")
		}
		return
	}
	keys, ok := d.mapping(f.node, "keys", Fields, false)
	if !ok {
		return
	}
	if len(keys) == 0 && len(f.node.items) == 0 {
		d.report(f.node, example, "keys is empty")
	}
	for _, k := range keys {
		d.available(k.key, k.name, p)
		if k.node == nil {
			continue
		}
		variable, ok := d.shown(k.node, k.name)
		if !ok {
			continue
		}
		if !isName(variable) {
			d.report(k.node, "use letters, digits and underscores; do not start with a digit", "%s is not a valid variable name", k.node.quoted())
			continue
		}
		o.Keys = append(o.Keys, Key{Field: k.name, Variable: variable})
		o.keyPos = append(o.keyPos, d.file.at(k.node))
	}
}

// format returns the format that is declared, or the first known one.
func (d *document) format(fs fields, kind string, known []string) string {
	f := fs.get("format")
	if f == nil {
		return known[0]
	}
	s, ok := d.shown(f.node, "format")
	switch {
	case !ok:
	case slices.Contains(known, s):
		return s
	default:
		d.report(f.node, meant(s, known), "unknown %s format %s", kind, f.node.quoted())
	}
	return known[0]
}
