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

// kind tells the sorts of token apart, so that none passes for another.
type kind string

const (
	aRequest kind = "q" // the question of a consent page, in its form
	aCode    kind = "c"
	aRefresh kind = "r"
	anAccess kind = "a"
)

// claims are the content of a token, sealed. The server stores no tokens, and
// another server with the same Key reads them too.
type claims struct {
	Kind    kind   `json:"k"`
	Client  string `json:"c"`
	User    *User  `json:"u,omitempty"` // nil means client credentials
	Scopes  scopes `json:"s,omitempty"`
	Login   login  `json:"l,omitzero"`
	Consent int64  `json:"t,omitempty"` // Unix milliseconds
	Expires int64  `json:"e,omitempty"` // Unix milliseconds; a refresh token expires by Consent instead
	Secret  bool   `json:"p,omitempty"` // obtained with the client secret, which a refresh then needs
	Turn    uint64 `json:"n,omitempty"` // how often the refresh token was rotated

	Redirect  string `json:"r,omitempty"`
	State     string `json:"v,omitempty"`
	Challenge string `json:"h,omitempty"`
}

// login names one run of the authorization code grant, from the consent to the last
// token.
type login struct {
	Server string `json:"i"`
	Serial uint64 `json:"n"`
}

// newSeal returns authenticated encryption. A signature would leave the claims
// readable, and programs must not read them: Spotify's tokens are opaque.
func newSeal(key []byte) cipher.AEAD {
	sum := sha256.Sum256(key)
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		panic(err) // cannot happen: a SHA-256 has the length of an AES-256 key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// mark returns the first two bytes of a token, which base64 shows as "AQ", or as
// "BQ" for access tokens, like Spotify's.
func (k kind) mark() []byte {
	if k == anAccess {
		return []byte{0x05, 0x00}
	}
	return []byte{0x01, 0x00}
}

// accessSize pads access tokens to more than 580 characters, the length of
// Spotify's, so that a buffer that is too small for Spotify's is too small here.
const accessSize = 408

func (s *Server) issue(c claims) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // cannot happen: claims hold strings and numbers only
	}
	if pad := accessSize - len(text); c.Kind == anAccess && pad > 0 {
		text = append(text, bytes.Repeat([]byte(" "), pad)...)
	}
	raw := s.seal.Seal(c.Kind.mark(), nil, text, c.Kind.mark())
	return base64.RawURLEncoding.EncodeToString(raw)
}

// open returns the claims of a token; ok is false if no server with this Key sealed
// the text as a token of kind k.
func (s *Server) open(k kind, token string) (c claims, ok bool) {
	// The decoder skips line breaks, but Spotify would refuse a token that was read
	// from a file together with its final line break. Strict refuses a changed
	// last character.
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

// loginEnds returns when the refresh tokens of a consent expire. Neither a refresh
// nor a rotation moves the end.
func (s *Server) loginEnds(c claims) time.Time {
	consent := time.UnixMilli(c.Consent).UTC()
	if s.opt.LoginLife == 0 {
		return consent.AddDate(0, 6, 0)
	}
	return consent.Add(s.opt.LoginLife)
}

func (c claims) expired(now time.Time) bool { return now.UnixMilli() >= c.Expires }
