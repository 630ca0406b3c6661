package keeper

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSigV4 checks signatures against the AWS Signature Version 4 Test Suite (Apache 2.0,
// vendored for example by botocore in tests/unit/auth/aws4_testsuite), of which the values
// here are.
func TestSigV4(t *testing.T) {
	t.Parallel()
	const sts = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for name, c := range map[string]struct {
		method, target, body string
		header               []string // name, value, …
		session              string
		signed, signature    string
	}{
		"get-vanilla":                           {"GET", "/", "", nil, "", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"get-vanilla-query-order-key-case":      {"GET", "/?Param2=value2&Param1=value1", "", nil, "", "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		"get-vanilla-query-order-value":         {"GET", "/?Param1=value2&Param1=value1", "", nil, "", "host;x-amz-date", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
		"get-vanilla-query-order-key":           {"GET", "/?Param1=value2&Param1=Value1", "", nil, "", "host;x-amz-date", "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
		"get-vanilla-query-order-encoded":       {"GET", "/?Param-3=Value3&Param=Value2&ሴ=Value1", "", nil, "", "host;x-amz-date", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
		"get-special-character":                 {"GET", "/example/$delete", "", nil, "", "host;x-amz-date", "a853c9b21b528b19643d00910d35b83a10c366a10833ceefb45edd6c80e40f27"},
		"get-vanilla-query-unreserved":          {"GET", "/?" + unreserved + "=" + unreserved, "", nil, "", "host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		"get-vanilla-empty-query-key":           {"GET", "/?Param1=value1", "", nil, "", "host;x-amz-date", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		"get-vanilla-utf8-query":                {"GET", "/?ሴ=bar", "", nil, "", "host;x-amz-date", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		"get-utf8":                              {"GET", "/ሴ", "", nil, "", "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		"get-space":                             {"GET", "/example space/", "", nil, "", "host;x-amz-date", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
		"get-unreserved":                        {"GET", "/" + unreserved, "", nil, "", "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		"get-header-value-trim":                 {"GET", "/", "", []string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`}, "", "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		"post-vanilla":                          {"POST", "/", "", nil, "", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-x-www-form-urlencoded":            {"POST", "/", "Param1=value1", []string{"Content-Type", "application/x-www-form-urlencoded"}, "", "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		"post-x-www-form-urlencoded-parameters": {"POST", "/", "Param1=value1", []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}, "", "content-type;host;x-amz-date", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
		"post-sts-header-before":                {"POST", "/", "", nil, sts, "host;x-amz-date;x-amz-security-token", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
		"get-vanilla-with-session-token":        {"GET", "/", "", nil, "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267", "host;x-amz-date;x-amz-security-token", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	} {
		r, err := http.NewRequest(c.method, "https://example.amazonaws.com/", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		path, query, _ := strings.Cut(c.target, "?")
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, percent(path, "/"), query
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		s := signer{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", c.session, "us-east-1", "service"}
		s.sign(r, digest([]byte(c.body)), time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.signature
		if got := r.Header.Get("Authorization"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}
