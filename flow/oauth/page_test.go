package oauth

import "testing"

func TestIsolate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Jane <b> (12)":                   "Jane &lt;b&gt; (12)",
		"דנה (12) logged in":              "<bdi>דנה</bdi> (12) logged in",
		"as דנה כהן-לוי, not דוד (7)":     "as <bdi>דנה כהן-לוי</bdi>, not <bdi>דוד</bdi> (7)",
		`דנה "ד" (12)`:                    `<bdi>דנה &#34;ד&#34;</bdi> (12)`,
		`the account "דנה", and no other`: `the account &#34;<bdi>דנה</bdi>&#34;, and no other`,
		"محمد، شركة (الرياض) (12), and":   "<bdi>محمد، شركة (الرياض)</bdi> (12), and",
		"12 דנה 3 לוי 4":                  "12 <bdi>דנה 3 לוי</bdi> 4",
		"DJ \u05d3\u05b8<i>":              "DJ <bdi>\u05d3\u05b8</bdi>&lt;i&gt;",
	} {
		if got := isolate(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
