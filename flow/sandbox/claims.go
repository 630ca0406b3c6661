package sandbox

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// kind keeps one sort of token from being taken for another.
type kind string

const (
	aRequest kind = "q" // what the consent page asks, carried by its form
	aCode    kind = "c"
	aRefresh kind = "r"
	anAccess kind = "a"
)

// claims are what a token says. They travel inside it, sealed, so that the
// server remembers nothing and another one with the same Key understands them.
type claims struct {
	Kind    kind   `json:"k"`
	Client  string `json:"c"`
	User    *User  `json:"u,omitempty"` // nil means client credentials
	Scopes  scopes `json:"s,omitempty"`
	Login   login  `json:"l,omitzero"`
	Consent int64  `json:"t,omitempty"` // Unix milliseconds
	Expires int64  `json:"e,omitempty"` // Unix milliseconds; refresh tokens go by Consent
	Secret  bool   `json:"p,omitempty"` // got with the client secret, which a refresh then needs
	Turn    uint64 `json:"n,omitempty"` // how often a refresh token was rotated

	Redirect  string `json:"r,omitempty"`
	State     string `json:"v,omitempty"`
	Challenge string `json:"h,omitempty"`
}

// login is one run of the authorization code grant, from the consent to the
// last token that comes of it.
type login struct {
	Server string `json:"i"`
	Serial uint64 `json:"n"`
}

// newSeal returns authenticated encryption rather than a bare signature:
// Spotify's tokens are opaque, so nobody should come to read these.
func newSeal(key []byte) cipher.AEAD {
	sum := sha256.Sum256(key)
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// mark is how a token starts: two bytes that come out as "AQ", or as "BQ" for
// access tokens.
func (k kind) mark() []byte {
	if k == anAccess {
		return []byte{0x05, 0x00}
	}
	return []byte{0x01, 0x00}
}

// accessSize pads an access token to the length seen at Spotify, over 580
// characters, because that is what overflows other people's buffers.
const accessSize = 408

func (s *Server) issue(c claims) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers only
	}
	if pad := accessSize - len(text); c.Kind == anAccess && pad > 0 {
		text = append(text, bytes.Repeat([]byte(" "), pad)...)
	}
	raw := s.seal.Seal(c.Kind.mark(), nil, text, c.Kind.mark())
	return base64.RawURLEncoding.EncodeToString(raw)
}

// open returns what a token of ours says; ok is false for any other text.
func (s *Server) open(k kind, token string) (c claims, ok bool) {
	// The decoder skips line breaks, but a token with one at its end, fresh
	// from a file, is a wrong token. Strict refuses a changed last character.
	if strings.ContainsAny(token, "\r\n") {
		return c, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || !bytes.HasPrefix(raw, k.mark()) {
		return c, false
	}
	text, err := s.seal.Open(nil, nil, raw[len(k.mark()):], k.mark())
	if err != nil || json.Unmarshal(text, &c) != nil {
		return c, false
	}
	return c, c.Kind == k
}

// loginEnds is when the refresh tokens of a consent die, however often they
// were refreshed or rotated.
func (s *Server) loginEnds(c claims) time.Time {
	consent := time.UnixMilli(c.Consent).UTC()
	if s.opt.LoginLife == 0 {
		return consent.AddDate(0, 6, 0)
	}
	return consent.Add(s.opt.LoginLife)
}

func (c claims) expired(now time.Time) bool { return now.UnixMilli() >= c.Expires }
