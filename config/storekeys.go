package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// storeKind is a type's keys in a profile, the ones it needs, and how they are decoded.
type storeKind struct {
	name   StoreType
	keys   []string
	needs  []string
	decode func(d *document, s *Store, fs fields)
}

// storeKinds returns a line for each store type.
func storeKinds() []storeKind {
	return []storeKind{
		{HTTPStore, []string{"type", "address", "lock_address", "unlock_address", "update_method", "lock_method", "unlock_method", "username", "password", "lock_ttl"}, []string{"address"}, (*document).httpStore},
		{S3Store, []string{"type", "bucket", "prefix", "region", "endpoint", "path_style", "access_key", "secret_key", "session_token", "lock_ttl"}, []string{"bucket"}, (*document).s3Store},
		{EtcdStore, []string{"type", "endpoints", "prefix", "ca", "cert", "key", "username", "password", "lock_ttl"}, []string{"endpoints"}, (*document).etcdStore},
		{CommandStore, []string{"type", "command", "lock_ttl"}, []string{"command"}, (*document).commandStore},
	}
}

// store decodes a mapping as the value of state.
func (d *document) store(n *node) *Store {
	kind, ok := d.storeType(n)
	if !ok {
		return nil
	}
	fs, ok := d.mapping(n, "a state of type "+string(kind.name), kind.keys, false)
	if !ok {
		return nil
	}
	s := &Store{Type: kind.name, Pos: d.file.at(n), LockTTL: d.duration(fs, "lock_ttl", DefaultLockTTL)}
	if f := fs.get("lock_ttl"); f != nil && s.LockTTL < minLockTTL {
		d.report(f.node, "write at least 10s, for example 2m", "lock_ttl is shorter than a grant may take")
	}
	complete := true
	for _, key := range kind.needs {
		if !fs.has(key) {
			complete = false
			d.report(n, "add "+key, "the state of type %s has no %s", kind.name, key)
		}
	}
	kind.decode(d, s, fs)
	if !complete {
		return nil
	}
	return s
}

// minLockTTL is the shortest [Store.LockTTL]: of ten seconds, half are left for a grant.
const minLockTTL = 10 * time.Second

// storeType decodes the type before the other keys, because they depend on the type.
func (d *document) storeType(n *node) (storeKind, bool) {
	kinds := storeKinds()
	var names []string
	for _, kind := range kinds {
		names = append(names, string(kind.name))
	}
	of := d.typeField(n)
	if of == nil {
		d.report(n, "add type: "+strings.Join(names[:len(names)-1], ", ")+" or "+names[len(names)-1]+"; or write a directory", "the state has no type")
		return storeKind{}, false
	}
	name, ok := d.shown(of, "type")
	if !ok {
		return storeKind{}, false
	}
	i := slices.Index(names, name)
	if i < 0 {
		d.report(of, meant(name, names), "unknown type of state %s", of.quoted())
		return storeKind{}, false
	}
	return kinds[i], true
}

func (d *document) httpStore(s *Store, fs fields) {
	s.Address = d.address(fs, "address")
	s.LockAddress = d.address(fs, "lock_address")
	s.UnlockAddress = d.address(fs, "unlock_address")
	s.UpdateMethod = d.method(fs, "update_method", "POST")
	s.LockMethod = d.method(fs, "lock_method", "LOCK")
	s.UnlockMethod = d.method(fs, "unlock_method", "UNLOCK")
	d.user(s, fs)
}

func (d *document) s3Store(s *Store, fs fields) {
	s.Bucket = d.word(fs, "bucket")
	s.Prefix = d.word(fs, "prefix")
	s.Region = d.word(fs, "region")
	s.Endpoint = d.address(fs, "endpoint")
	s.PathStyle = d.boolean(fs, "path_style")
	s.AccessKey = d.freeValue(fs, "access_key")
	s.SecretKey = d.freeValue(fs, "secret_key")
	s.SessionToken = d.freeValue(fs, "session_token")
	d.needs(fs, [][2]string{{"access_key", "secret_key"}, {"secret_key", "access_key"}, {"session_token", "access_key"}})
}

// needs reports the first key of each pair if the mapping has it without the second.
func (d *document) needs(fs fields, pairs [][2]string) {
	for _, pair := range pairs {
		if f := fs.get(pair[0]); f != nil && !fs.has(pair[1]) {
			d.report(f.key, "add "+pair[1]+", or remove "+pair[0], "%s needs %s", pair[0], pair[1])
		}
	}
}

func (d *document) etcdStore(s *Store, fs fields) {
	if f := fs.get("endpoints"); f != nil {
		items := d.items(f.node, "endpoints", "write a list: [https://etcd-1:2379, https://etcd-2:2379]")
		for _, item := range items {
			s.Endpoints = append(s.Endpoints, d.addressAt(item, "endpoints"))
		}
		if f.node.kind == list && len(items) == 0 {
			d.report(f.node, "write for example [https://etcd-1:2379]", "endpoints is empty")
		}
	}
	s.Prefix = d.word(fs, "prefix")
	for _, file := range []struct {
		key  string
		path *string
	}{{"ca", &s.CA}, {"cert", &s.Cert}, {"key", &s.Key}} {
		if f := fs.get(file.key); f != nil {
			*file.path, _ = d.path(f.node, file.key)
		}
	}
	d.needs(fs, [][2]string{{"cert", "key"}, {"key", "cert"}})
	d.user(s, fs)
}

func (d *document) commandStore(s *Store, fs fields) {
	const hint = "write [PROGRAM, ARGUMENT, …]; no shell is used"
	s.Dir = d.file.dir
	f := fs.get("command")
	if f == nil {
		return
	}
	for _, item := range d.items(f.node, "command", hint) {
		word, ok := d.text(item, "command")
		if !ok {
			return // reported, or not to be known because the profile is not selected
		}
		s.Command = append(s.Command, word)
	}
	if f.node.kind == list && (len(s.Command) == 0 || s.Command[0] == "") {
		d.report(f.node, hint, "command names no program")
	}
}

// user decodes the credentials of types http and etcd.
func (d *document) user(s *Store, fs fields) {
	s.Username = d.word(fs, "username")
	s.Password = d.freeValue(fs, "password")
	if f := fs.get("password"); f != nil && !fs.has("username") {
		d.report(f.key, "add username", "password needs username")
	}
}

// word returns the text of a key, or "" if there is none.
func (d *document) word(fs fields, name string) string {
	f := fs.get(name)
	if f == nil {
		return ""
	}
	s, _ := d.shown(f.node, name)
	return s
}

// freeValue is value for text that need not look like Spotify's.
func (d *document) freeValue(fs fields, name string) *Value {
	f := fs.get(name)
	if f == nil {
		return nil
	}
	return d.valueOf(f, name, true)
}

// method returns a method of HTTP. RFC 9110 section 9.1 allows any token; all servers of
// this protocol use letters.
func (d *document) method(fs fields, name, otherwise string) string {
	s := d.word(fs, name)
	if s == "" {
		return otherwise
	}
	if strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		d.report(fs.get(name).node, "write for example "+otherwise, "%s is not a method of HTTP", name)
	}
	return s
}

// address returns the absolute URL of a key, or "" if there is none.
func (d *document) address(fs fields, name string) string {
	f := fs.get(name)
	if f == nil {
		return ""
	}
	return d.addressAt(f.node, name)
}

func (d *document) addressAt(n *node, name string) string {
	s, ok := d.shown(n, name)
	if !ok {
		return ""
	}
	u, err := url.Parse(strings.ReplaceAll(s, ProfilePlaceholder, "x"))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		d.report(n, "write an address such as https://store.example/path", "%s is not an http or https address", name)
	case u.User != nil:
		n.secret = true // the text before an @ is a password
		d.report(n, "write username and password as keys of their own", "%s contains a user", name)
	case u.Scheme == "http" && !net.ParseIP(u.Hostname()).IsLoopback():
		d.report(n, "use https, or a loopback IP such as 127.0.0.1", "%s: plain http to another machine", name)
	case u.RawQuery != "" || u.Fragment != "":
		d.report(n, "remove what follows the path", "%s contains a query or a fragment", name)
	}
	return s
}

// ProfilePlaceholder in the address of a store of type http stands for the profile's
// name.
const ProfilePlaceholder = "{profile}"

// Single reports whether s has room for one login: an address of type http that does not
// have the profile's name in it.
func (s *Store) Single() bool {
	return s.Type == HTTPStore && !strings.Contains(s.Address, ProfilePlaceholder)
}

// encrypt decodes the key encrypt.
func (d *document) encrypt(f *field) *Encryption {
	fs, ok := d.mapping(f.node, "encrypt", []string{"recipients", "identity"}, false)
	if !ok {
		return nil
	}
	const hint = "age-keygen prints a recipient: age1…"
	e := &Encryption{Pos: d.file.at(f.node), Identity: d.freeValue(fs, "identity")}
	if list := fs.get("recipients"); list != nil {
		for _, item := range d.items(list.node, "recipients", "write a list: [age1…]") {
			if s, ok := d.shown(item, "recipients"); ok {
				if strings.HasPrefix(strings.ToUpper(s), "AGE-SECRET-KEY-") {
					item.secret = true
					d.report(item, "write the public key that age-keygen -y prints, and make a new key pair if this file was ever shared", "a recipient is a secret key")
					continue
				}
				e.Recipients = append(e.Recipients, s)
			}
		}
		if len(list.node.items) == 0 {
			d.report(list.node, hint, "recipients is empty")
		}
	} else if !fs.has("recipients") {
		d.report(f.key, "add recipients: [age1…]; "+hint, "encrypt has no recipients")
	}
	return e
}
