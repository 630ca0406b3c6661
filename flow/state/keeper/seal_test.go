package keeper

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"tokenform/config"
	"tokenform/config/fault"
)

const plainLogin = `{"version": 1, "serial": 7, "profile": "dev", "refresh_token": "very secret"}`

// pair returns the public and the secret key of a new pair.
func pair(t *testing.T) (public, secret string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), id.String()
}

func seal(t *testing.T, identity string, recipients ...string) *Seal {
	t.Helper()
	s, err := OpenSeal(t.Context(), recipients, config.Literal(identity))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSeal(t *testing.T) {
	public, secret := pair(t)
	other, otherSecret := pair(t)
	s := seal(t, "# created: today\n"+secret+"\n", public, other)
	sealed, err := s.Seal([]byte(plainLogin))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("very secret")) || bytes.Contains(sealed, []byte("dev")) || !Sealed(sealed) || Sealed([]byte(plainLogin)) {
		t.Errorf("not encrypted: %s", sealed)
	}
	var head struct{ Serial int }
	if err := json.Unmarshal(sealed, &head); err != nil || head.Serial != 7 {
		t.Errorf("serial %d, %v", head.Serial, err)
	}
	for _, identity := range []string{secret, otherSecret} {
		if got, err := seal(t, identity, public).Open(t.Context(), sealed); err != nil || string(got) != plainLogin {
			t.Errorf("opened: %q, %v", got, err)
		}
	}
	_, stranger := pair(t)
	_, err = seal(t, stranger, public).Open(t.Context(), sealed)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tail(public)) || !strings.Contains(err.Error(), tail(other)) || strings.Contains(err.Error(), stranger) {
		t.Errorf("a wrong identity: %v", err)
	}
	if _, err := s.Open(t.Context(), []byte(plainLogin)); fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), "not encrypted") {
		t.Errorf("plaintext: %v", err)
	}
}

func TestSealMistakes(t *testing.T) {
	public, secret := pair(t)
	for _, text := range []string{"", "age1", "ssh-ed25519 AAAA", public + "\n" + public, public[:len(public)-1]} {
		if _, err := OpenSeal(t.Context(), []string{text}, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("recipient %q: %v", text, err)
		}
	}
	sealed, err := seal(t, secret, public).Seal([]byte(plainLogin))
	if err != nil {
		t.Fatal(err)
	}
	for _, identity := range []string{"AGE-SECRET-KEY-1QQ", "hunter2", public, secret + "x"} {
		if _, err := seal(t, identity, public).Open(t.Context(), sealed); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), identity) {
			t.Errorf("identity: %v", err)
		}
	}
	s, err := OpenSeal(t.Context(), []string{public}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), sealed); fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), tail(public)) {
		t.Errorf("no identity: %v, %s", err, fault.HintOf(err))
	}
}

// TestSealDamaged flips each byte of the encrypted file, and cuts the file anywhere: Open
// returns the whole login or an error, and never a part.
func TestSealDamaged(t *testing.T) {
	public, secret := pair(t)
	s := seal(t, secret, public)
	sealed, err := s.Seal([]byte(plainLogin))
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(sealed, &e); err != nil {
		t.Fatal(err)
	}
	file, err := base64.StdEncoding.DecodeString(e.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, file []byte) {
		e.Encrypted = base64.StdEncoding.EncodeToString(file)
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(t.Context(), b); err == nil {
			t.Errorf("%s at %d: opened as %q", what, at, got)
		}
	}
	for i := range file {
		flipped := bytes.Clone(file)
		flipped[i] ^= 1
		try("flipped", i, flipped)
		try("cut", i, file[:i])
	}
}

// TestSealAge lets the age program read what Seal has encrypted, and Open read what age has
// encrypted.
func TestSealAge(t *testing.T) {
	program, err := exec.LookPath("age")
	if err != nil {
		if os.Getenv("TOKENFORM_TEST_STORES") == "require" {
			t.Fatal("age is not installed")
		}
		t.Skip("age is not installed")
	}
	public, secret := pair(t)
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte("# a key\n"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := seal(t, secret, public)
	sealed, err := s.Seal([]byte(plainLogin))
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(sealed, &e); err != nil {
		t.Fatal(err)
	}
	file, err := base64.StdEncoding.DecodeString(e.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	decrypt := exec.Command(program, "--decrypt", "-i", key)
	decrypt.Stdin = bytes.NewReader(file)
	if out, err := decrypt.Output(); err != nil || string(out) != plainLogin {
		t.Errorf("age reads %q, %v", out, err)
	}
	encrypt := exec.Command(program, "--encrypt", "-r", public)
	encrypt.Stdin = strings.NewReader(plainLogin)
	out, err := encrypt.Output()
	if err != nil {
		t.Fatal(err)
	}
	e.Encrypted = base64.StdEncoding.EncodeToString(out)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(t.Context(), b); err != nil || string(got) != plainLogin {
		t.Errorf("Open reads %q, %v", got, err)
	}
}
