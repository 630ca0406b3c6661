package config

import (
	"slices"
	"strings"
)

// This file decodes the outputs that are neither a file of a known form nor standard
// output: a template, a command, and the files of GitHub Actions.

func (d *document) template(o *Output, n *node, fs fields, _ Profile) {
	f := fs.get("template")
	if f == nil {
		if !fs.has("template") {
			d.report(n, "add template: FILE, a text file with ${access_token} and other fields", "the output has no template")
		}
		return
	}
	if path, ok := d.path(f.node, "template"); ok {
		o.Template, o.TemplateShown = path, f.node.value
		if path == o.Path {
			d.report(f.node, "write the result to another file", "the output would overwrite its own template")
		}
	}
}

func (d *document) command(o *Output, n *node, fs fields, p Profile) {
	const hint = "write command: [PROGRAM, ARGUMENT, …]; no shell is used"
	if f := fs.get("command"); f != nil {
		for _, item := range d.items(f.node, "command", hint) {
			s, ok := d.shown(item, "command")
			if !ok {
				return
			}
			o.Command = append(o.Command, s)
		}
		if len(o.Command) == 0 && f.node.kind == list {
			d.report(f.node, hint, "command is empty")
		}
	} else if !fs.has("command") {
		d.report(n, hint, "the output has no command")
	}
	o.Shown, o.Dir = strings.Join(o.Command, " "), d.file.dir
	o.Value = "access_token"
	known := slices.Concat(Fields, without(stdoutFormats, Fields))
	if f := fs.get("value"); f != nil {
		s, ok := d.shown(f.node, "value")
		switch {
		case !ok:
		case !slices.Contains(known, s):
			d.report(f.node, meant(s, known), "unknown value %s", f.node.quoted())
		default:
			d.available(f.node, s, p)
			o.Value = s
		}
	}
	if f := fs.get("when"); f != nil {
		s, ok := d.shown(f.node, "when")
		switch {
		case !ok:
		case s != "changed":
			d.report(f.node, "write when: changed, or remove it", "unknown when %s", f.node.quoted())
		case o.Value != "refresh_token" && o.Value != "seed":
			d.report(f.node, "set value to refresh_token or seed, or remove it", "when: changed compares the login with the profile's refresh_token, and the command gets another value")
		case p.RefreshToken == nil && p.NoSeed == "":
			d.report(f.node, "give the profile a refresh_token, or remove it", "when: changed compares the login with the profile's refresh_token, and there is none")
		default:
			o.Changed = true
		}
	}
}

func (d *document) github(o *Output, n *node, fs fields, p Profile) {
	f := fs.get("to")
	switch {
	case f != nil:
		s, ok := d.shown(f.node, "to")
		if ok && s != "env" && s != "output" {
			d.report(f.node, "write env for $GITHUB_ENV, or output for $GITHUB_OUTPUT", "to must be env or output, not %s", f.node.quoted())
		}
		o.To = s
	case !fs.has("to"):
		d.report(n, "add to: env for $GITHUB_ENV, or to: output for $GITHUB_OUTPUT", "the output has no to")
	}
	o.Shown = "$GITHUB_" + strings.ToUpper(o.To)
	d.keys(o, n, fs, p)
}

// available refuses a field that tokens of p never have.
func (d *document) available(n *node, field string, p Profile) {
	switch {
	case p.Grant == ClientCredentials && (field == "refresh_token" || field == "authorized_at"):
		d.report(n, "take it out", "grant client_credentials has no %s", field)
	case p.Client.Secret == nil && field == "client_secret":
		d.report(n, "remove it, or add secret to client", "the profile has no client secret")
	}
}
