package keeper

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"tokenform/config"
	"tokenform/config/fault"
)

// Seal encrypts logins for the recipients that a profile declares, with age
// (age-encryption.org/v1), with the keys that age-keygen makes (X25519). Post-quantum keys
// would add 60 KiB to the program. The authors of age advise programs against keys of SSH,
// whose package is larger still.
type Seal struct {
	recipients []age.Recipient
	names      []string // the ends of the recipients
	identity   *config.Value
}

// OpenSeal parses recipients. The secret key in identity is fetched when it is first
// needed: a machine that only stores logins needs none.
func OpenSeal(_ context.Context, recipients []string, identity *config.Value) (*Seal, error) {
	s := &Seal{identity: identity}
	for _, text := range recipients {
		recipient, err := age.ParseX25519Recipient(text)
		if err != nil {
			return nil, &fault.Error{Kind: fault.Invalid, Message: "encrypt.recipients: " + tail(text) + " is not a public key of age", Hint: "write the public key that age-keygen prints: age1…"}
		}
		s.recipients = append(s.recipients, recipient)
		s.names = append(s.names, tail(text))
	}
	return s, nil
}

// tail returns the end of a public key, by which people recognize it.
func tail(key string) string { return "…" + key[max(len(key)-8, 0):] }

// envelope is an encrypted login: a JSON object, because stores of type http expect one
// with a serial number that rises.
type envelope struct {
	Version    int      `json:"version"`
	Serial     int      `json:"serial"`
	Recipients []string `json:"recipients"` // their ends
	Encrypted  string   `json:"encrypted"`  // base64 of a file of age
}

// Seal encrypts data, a JSON object with a number "serial".
func (s *Seal) Seal(data []byte) ([]byte, error) {
	e := envelope{Version: 1, Recipients: s.names}
	if err := json.Unmarshal(data, &struct {
		Serial *int `json:"serial"`
	}{&e.Serial}); err != nil {
		return nil, errors.New("the login is not a JSON object") // the error of json may quote data
	}
	var file bytes.Buffer
	w, err := age.Encrypt(&file, s.recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	e.Encrypted = base64.StdEncoding.EncodeToString(file.Bytes())
	b, err := json.MarshalIndent(e, "", "  ")
	return append(b, '\n'), err
}

// Sealed reports whether data is an encrypted login.
func Sealed(data []byte) bool {
	var e envelope
	return json.Unmarshal(data, &e) == nil && e.Encrypted != ""
}

// Open decrypts what Seal has encrypted. Open refuses data that is not encrypted: whoever
// can write into the store could put it there.
func (s *Seal) Open(ctx context.Context, data []byte) ([]byte, error) {
	var e envelope
	if json.Unmarshal(data, &e) != nil || e.Encrypted == "" {
		return nil, &fault.Error{Kind: fault.Failed, Message: "not encrypted, although the profile declares encrypt", Hint: "tokenform state migrate encrypts it, if you know that the login is yours"}
	}
	if e.Version > 1 {
		return nil, &fault.Error{Kind: fault.Failed, Message: fmt.Sprintf("encrypted by a newer tokenform (version %d)", e.Version), Hint: "use that tokenform, or a newer one"}
	}
	file, err := base64.StdEncoding.DecodeString(e.Encrypted)
	if err != nil {
		return nil, errDamaged
	}
	if s.identity == nil {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "encrypted, and the profile has no encrypt.identity", Hint: "add identity: {env: TOKENFORM_IDENTITY} with the secret key of one of " + endsOf(e.Recipients)}
	}
	key, err := s.identity.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	identities := parseIdentities(key)
	if identities == nil {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "encrypt.identity, from " + s.identity.From() + ", is not a secret key of age", Hint: "write what age-keygen prints: AGE-SECRET-KEY-1…"}
	}
	r, err := age.Decrypt(bytes.NewReader(file), identities...)
	if _, none := errors.AsType[*age.NoIdentityMatchError](err); none {
		return nil, &fault.Error{Kind: fault.Invalid, Message: "encrypted for " + endsOf(e.Recipients) + "; the identity from " + s.identity.From() + " is none of them", Hint: "use the secret key of one of them, or have its owner add yours to recipients and run tokenform state migrate"}
	}
	if err != nil {
		return nil, errDamaged
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, errDamaged
	}
	return plain, nil
}

// parseIdentities returns the secret keys in text, one on a line, with the comments that
// age-keygen writes. nil means that something else is in text.
func parseIdentities(text string) (list []age.Identity) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		identity, err := age.ParseX25519Identity(line)
		if err != nil {
			return nil // the error may quote the key
		}
		list = append(list, identity)
	}
	return list
}

var errDamaged = &fault.Error{Kind: fault.Failed, Message: "the encrypted login is damaged", Hint: "restore it from a backup, or delete it and log in again"}

// endsOf names recipients in a message. Whoever wrote the login chose the names.
func endsOf(names []string) string {
	var list []string
	for _, name := range names[:min(len(names), 8)] {
		list = append(list, clean(name))
	}
	if len(list) == 0 {
		return "somebody"
	}
	return strings.Join(list, ", ")
}
