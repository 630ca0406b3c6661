package keeper

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signer signs requests with AWS Signature Version 4
// (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
// AWS's own signer (aws-sdk-go-v2 v1.48.0) brings 28 packages: 76 KiB of program, and more
// work before main than TestGuardInit allows.
type signer struct {
	access, secret string
	session        string // of temporary credentials; empty means none
	region         string
	service        string
}

// sign signs r as it is at the time at: its method, path, query and host, every header that
// is set, and the body, of which payload is the SHA-256 in hex.
func (s *signer) sign(r *http.Request, payload string, at time.Time) {
	stamp := at.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", stamp)
	if s.session != "" {
		r.Header.Set("X-Amz-Security-Token", s.session)
	}
	r.URL.RawQuery = canonicalQuery(r.URL.Query())

	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		trimmed := make([]string, len(values))
		for i, v := range values {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		headers[strings.ToLower(name)] = strings.Join(trimmed, ",")
	}
	names := slices.Sorted(maps.Keys(headers))
	signed := strings.Join(names, ";")
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n" + r.URL.RawQuery + "\n")
	for _, name := range names {
		canonical.WriteString(name + ":" + headers[name] + "\n")
	}
	canonical.WriteString("\n" + signed + "\n" + payload)

	scope := stamp[:8] + "/" + s.region + "/" + s.service + "/aws4_request"
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{stamp[:8], s.region, s.service, "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	toSign := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + digest([]byte(canonical.String()))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.access+"/"+scope+
		", SignedHeaders="+signed+", Signature="+hex.EncodeToString(hmacSHA256(key, toSign)))
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalQuery encodes a query as it is signed: sorted by name, then by value, both as
// encoded.
func canonicalQuery(q url.Values) string {
	encoded := map[string][]string{}
	for name, values := range q {
		name = percent(name, "")
		for _, v := range values {
			encoded[name] = append(encoded[name], name+"="+percent(v, ""))
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(encoded)) {
		pairs = append(pairs, slices.Sorted(slices.Values(encoded[name]))...)
	}
	return strings.Join(pairs, "&")
}

// percent percent-encodes every byte of s that is neither unreserved (RFC 3986 section 2.3)
// nor in keep. The functions of net/url encode fewer.
func percent(s, keep string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
	}
	return b.String()
}
