package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestDraw checks that the plot is well-formed, names every row and escapes the names.
func TestDraw(t *testing.T) {
	rows := []row{
		{"a < b & c", "hello", spread{1, 2, 3}, 1.6, "×"},
		{"refresh over http: tokenform", "reference", spread{0.5, 0.6, 0.7}, 1.5, "×"},
		{"refresh over http: peer", "reference", spread{20, 30, 400}, 0, "×"},
	}
	text := draw(rows)
	var words strings.Builder
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if data, ok := token.(xml.CharData); ok {
			words.Write(data)
			words.WriteByte('\n')
		}
	}
	for _, want := range []string{"a < b & c\n", "2.00 × (goal 1.6)\n", "refresh over http: peer\n", "30.0 ×\n", "0.60 ×\n"} {
		if !strings.Contains(words.String(), want) {
			t.Errorf("the plot does not say %q:\n%s", want, &words)
		}
	}
	if n := strings.Count(text, `class="missed"`); n != 1 {
		t.Errorf("%d rows are marked as missed", n)
	}
}

func TestSpread(t *testing.T) {
	if got := spreadOf([]float64{5, 1, 4, 2, 3}); got != (spread{2, 3, 4}) {
		t.Errorf("%v", got)
	}
}
