package config

import "strings"

var (
	clientKeys = []string{"id", "secret"}
	originKeys = []string{"env", "file", "command"}
)

// client decodes the app's credentials.
func (d *document) client(root *node, fs fields) Client {
	const hint = "client: then, one per line and indented, id: ${SPOTIFY_CLIENT_ID} and, with a secret, secret: ${SPOTIFY_CLIENT_SECRET}"
	f := fs.get("client")
	if f == nil {
		if !fs.has("client") {
			d.report(root, hint, "the profile has no client")
		}
		return Client{}
	}
	keys, ok := d.mapping(f.node, "client", clientKeys, false)
	if !ok {
		return Client{}
	}
	var c Client
	if id := keys.get("id"); id != nil {
		c.ID = d.clientValue(id, "client.id")
	} else if !keys.has("id") {
		d.report(f.key, "add id: ${SPOTIFY_CLIENT_ID}; the dashboard at developer.spotify.com shows it", "client has no id")
	}
	if secret := keys.get("secret"); secret != nil {
		c.Secret = d.clientValue(secret, "client.secret")
	}
	if keys.has("secret") && c.Secret == nil {
		c.Secret = Literal("") // the error is reported; a secret, even a wrong one, decides the default grant
	}
	return c
}

// clientValue is value, but for the stand-in of --sandbox invents what a variable, a file
// or a command would give: somebody who tries tokenform may not have an app yet.
func (d *document) clientValue(f *field, name string) *Value {
	if !d.src.Sandbox {
		return d.value(f, name)
	}
	if f.node.kind == scalar {
		_, _, flaws := expand(f.node.value, d.lookup)
		if len(flaws) == 0 || !strings.Contains(flaws[0].message, " is not set") {
			return d.value(f, name)
		}
		f.node.secret = true
		return Literal("sandbox")
	}
	v := d.value(f, name)
	if v != nil {
		v.text, v.done = "sandbox", true // the origin stays: no output may overwrite it
	}
	return v
}

// value decodes a text, or the origin of one: {env: NAME}, {file: PATH} or
// {command: [ARGV…]}. value reports an error and returns nil if the node is
// neither. An empty refresh_token means no refresh token: nil without an error.
func (d *document) value(f *field, name string) *Value {
	return d.valueOf(f, name, false)
}

// valueOf is value. free says that the text need not look like one of Spotify's
// credentials.
func (d *document) valueOf(f *field, name string, free bool) *Value {
	v := &Value{Pos: d.file.at(f.node), Key: name, free: free}
	switch f.node.kind {
	case scalar:
		f.node.secret = !onlyVariable(f.node.value) && (name != "client.id" || !IsClientID(f.node.value))
		f.node.shown = f.node.plain()
		s, literal, ok := d.expand(f.node, name)
		if !ok {
			return nil
		}
		if s == "" {
			if name != "refresh_token" {
				hint := emptyHint(f.node.value)
				if name == "client.secret" {
					hint = "give it a value, or leave the key out for a public client (PKCE)"
				}
				d.report(f.node, hint+d.forks(), "%s is empty", name)
			}
			return nil
		}
		if wrong := blemish(s); wrong != nil && !free {
			d.report(f.node, wrong.hint, "%s: %s", name, wrong.message)
			return nil
		}
		v.text, v.done, v.literal, v.names = s, true, literal, variables(f.node.value)
		if name == "client.id" && d.src.Spotify && !IsClientID(s) {
			d.warn(f.node, "copy the client ID from the app's settings at https://developer.spotify.com/dashboard", "client.id: "+ClientIDForm)
		}
		return v
	case mapping:
		v.origin = &origin{dir: d.file.dir, timeout: CommandTimeout, lookup: d.lookup}
		return d.fetched(v, f, name)
	default:
		d.report(f.node, "write the text, or {env: NAME}, {file: PATH} or {command: [PROGRAM, …]}", "%s must be text or its source, not %s", name, f.node.noun())
		return nil
	}
}

// onlyVariable reports whether a text of a profile is one variable without a default.
func onlyVariable(s string) bool {
	name, ok := strings.CutPrefix(s, "${")
	name, closed := strings.CutSuffix(strings.TrimSuffix(name, ":-}"), "}")
	return ok && isName(name) && (closed || strings.HasSuffix(s, ":-}"))
}

// ClientIDForm says what a client ID looks like.
const ClientIDForm = "a client ID has 32 hexadecimal digits, in lower case"

// IsClientID reports whether Spotify may have given s to an app: 32 hexadecimal digits.
func IsClientID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// forks returns the end of a hint about a variable without a value. In CI, a secret may
// be missing because the run is for a fork.
func (d *document) forks() string {
	if ci, _ := d.src.Env("CI"); ci == "" {
		return ""
	}
	return "; CI does not pass secrets to pull requests from forks"
}

// fetched decodes the origin of v.
func (d *document) fetched(v *Value, f *field, name string) *Value {
	const hint = "write one of {env: NAME}, {file: PATH} and {command: [PROGRAM, ARGUMENT, …]}"
	before := len(d.problems)
	keys, ok := d.mapping(f.node, name, originKeys, true)
	if !ok || len(d.problems) > before {
		return nil
	}
	if len(keys) != 1 {
		d.report(f.node, hint, "%s needs exactly one source", name)
		return nil
	}
	n, key := keys[0].node, name+"."+keys[0].name
	switch keys[0].name {
	case "env":
		s, ok := d.text(n, key)
		if !ok {
			return nil
		}
		if !isName(s) {
			d.report(n, "write only the name, without $", "%s is not a valid variable name", key)
			return nil
		}
		v.env, n.shown = s, true
		d.lookup(s) // reports what is wrong with the variable
	case "file":
		if v.file, ok = d.path(n, key); !ok {
			return nil
		}
		v.shown = n.value
	case "command":
		for _, item := range d.items(n, key, "write [PROGRAM, ARGUMENT, …]; no shell is used") {
			s, ok := d.text(item, key)
			if !ok {
				return nil
			}
			v.command = append(v.command, s)
		}
		if len(v.command) == 0 || v.command[0] == "" {
			if n.kind == list {
				d.report(n, hint, "%s names no program", key)
			}
			return nil
		}
		v.shown = n.items[0].value
	}
	return v
}
