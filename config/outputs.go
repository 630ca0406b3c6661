package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var (
	outputTypes = []string{"env", "json", "stdout"}
	outputKeys  = []string{"type", "path", "keys", "format", "refresh_token", "template", "command", "value", "to"}
	envKeys     = []string{"type", "path", "keys"}
	jsonKeys    = []string{"type", "path", "format", "refresh_token"}
	stdoutKeys  = []string{"type", "format"}

	jsonFormats   = []string{"tokenform"}
	stdoutFormats = []string{"token", "env", "export", "json"}

	// What SPEC section 6 has and this version has not is known by name, so that
	// nobody is sent looking for a typing mistake.
	laterTypes   = []string{"template", "command", "github"}
	laterFormats = []string{"oauth2", "spotipy", "rspotify", "spotify-tui", "web-api-ts-sdk", "spotify-web-api-node", "tekore", "SpotifyAPI-NET"}
)

// outputs decodes the list of outputs of p, of which all else is known.
func (d *document) outputs(f *field, p Profile) []Output {
	var outputs []Output
	var stdout *Output
	for _, item := range d.items(f.node, "outputs", "write each output on a line of its own: - {type: env, path: .env, keys: {access_token: SPOTIFY_ACCESS_TOKEN}}") {
		o, ok := d.output(item, p)
		if !ok {
			continue
		}
		if o.Type == "stdout" {
			if stdout != nil {
				d.report(item, "keep one of the two", "the profile already prints to standard output at %s", stdout.Pos)
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
	o.Type = kind
	known := stdoutKeys
	switch kind {
	case "env":
		known = envKeys
	case "json":
		known = jsonKeys
	}
	fs, ok := d.mapping(n, "a "+kind+" output", known, false)
	if !ok {
		return o, false
	}
	if slices.Contains(known, "path") {
		d.outputPath(&o, n, fs)
	}
	switch kind {
	case "env":
		d.keys(&o, n, fs, p)
	case "json":
		o.Format = d.format(fs, "json", jsonFormats)
		o.RefreshToken = d.boolean(fs, "refresh_token")
		if o.RefreshToken && p.Grant == ClientCredentials {
			d.report(fs.get("refresh_token").node, "take it out", "grant client_credentials has no refresh token")
		}
	case "stdout":
		o.Format = d.format(fs, "stdout", stdoutFormats)
	}
	return o, true
}

// outputType looks for the type before the other keys: they depend on it.
func (d *document) outputType(n *node) (string, bool) {
	if n.kind != mapping {
		d.report(n, "write for example {type: json, path: token.json}", "an output must be a mapping, not %s", n.noun())
		return "", false
	}
	f := d.typeField(n)
	if f == nil {
		return "", false
	}
	s, ok := d.shown(f, "type")
	switch {
	case !ok:
	case slices.Contains(outputTypes, s):
		return s, true
	case slices.Contains(laterTypes, s):
		d.report(f, "this version has "+strings.Join(outputTypes, ", "), "output type %s is not available in this version", s)
	default:
		d.report(f, meant(s, outputTypes), "unknown output type %s", f.quoted())
	}
	return "", false
}

// typeField is the value of an output's type. Where it is not written out, it
// may come from a merge; and where it comes from nowhere, the other keys are
// worth a look all the same.
func (d *document) typeField(n *node) *node {
	for i := 0; i+1 < len(n.items); i += 2 {
		if n.items[i].value == "type" && !n.items[i+1].isNull() {
			n.items[i].shown = true
			return n.items[i+1]
		}
	}
	problems := len(d.problems)
	fs, ok := d.mapping(n, "an output", outputKeys, false)
	if f := fs.get("type"); f != nil {
		d.problems = d.problems[:problems] // they are found again
		return f.node
	}
	if ok && !fs.has("type") {
		d.report(n, "add type: env, json or stdout", "the output has no type")
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
		d.report(f.node, "write a file's path", "path names a directory")
		return
	}
	o.Path, o.Shown = path, f.node.value
}

// keys decodes which field goes to which variable.
func (d *document) keys(o *Output, n *node, fs fields, p Profile) {
	const example = "for example keys: {access_token: SPOTIFY_ACCESS_TOKEN}"
	f := fs.get("keys")
	if f == nil {
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
		switch {
		case p.Grant == ClientCredentials && (k.name == "refresh_token" || k.name == "authorized_at"):
			d.report(k.key, "take it out", "grant client_credentials has no %s", k.name)
		case p.Client.Secret == nil && k.name == "client_secret":
			d.report(k.key, "take it out, or add secret to client", "the profile has no client secret")
		}
		if k.node == nil {
			continue
		}
		variable, ok := d.shown(k.node, k.name)
		if !ok {
			continue
		}
		if !isName(variable) {
			d.report(k.node, "use letters, digits and underscores, not beginning with a digit", "%s cannot be a variable's name", k.node.quoted())
			continue
		}
		o.Keys = append(o.Keys, Key{Field: k.name, Variable: variable})
		o.keyPos = append(o.keyPos, d.file.at(k.node))
	}
}

// format is one of the known formats, the first by default.
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
	case kind == "json" && slices.Contains(laterFormats, s):
		d.report(f.node, "this version has "+strings.Join(known, ", "), "%s format %s is not available in this version", kind, s)
	default:
		d.report(f.node, meant(s, known), "unknown %s format %s", kind, f.node.quoted())
	}
	return known[0]
}
