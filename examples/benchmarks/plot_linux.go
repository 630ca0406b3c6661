package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The plot shows rows with a goal as a share of the goal, with a line at the goal. It
// shows the other rows, which are peers of a row, on a logarithmic scale. The colours
// suit light and dark pages.
const (
	width, left, right = 920, 330, 200
	line, head         = 24, 34
	style              = `<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.figure { fill: #57606a }
.axis { stroke: #8c959f; stroke-width: 1 }
.goal { stroke: #57606a; stroke-width: 1.5; stroke-dasharray: 4 3 }
.met { fill: #2da44e } .missed { fill: #cf222e } .peer { fill: #8c959f } .ours { fill: #2da44e }
.spread { stroke: #24292f; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .figure { fill: #9198a1 }
  .axis, .goal { stroke: #9198a1 } .spread { stroke: #e6edf3 } .peer { fill: #6e7681 }
}
</style>`
)

// draw returns the table as an SVG.
func draw(rows []row) string {
	var goals, refreshes []row
	for _, r := range rows {
		if r.goal > 0 {
			goals = append(goals, r)
		}
		if strings.HasPrefix(r.work, "refresh over ") {
			refreshes = append(refreshes, r)
		}
	}
	var body strings.Builder
	y := 0
	if len(goals) > 0 {
		share := func(r row, v float64) float64 { return v / r.goal }
		y = panel(&body, y, "Measured, as a share of the goal (less is better)", goals, share, 0, 1.25, "goal")
	}
	if len(refreshes) > 0 {
		log := func(_ row, v float64) float64 { return math.Log10(v) }
		y = panel(&body, y+head/2, "One refresh, as a multiple of an x/oauth2 program that stores nothing (logarithmic)", refreshes, log, math.Log10(0.3), math.Log10(60), "1 ×")
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="What tokenform costs, beside its references">%s
%s</svg>
`, width, y+8, width, y+8, style, body.String())
}

// panel draws rows from y on and returns the y at which it ends. mark names the dashed
// line, at which scale is one (a share) or zero (a logarithm).
func panel(b *strings.Builder, y int, title string, rows []row, scale func(row, float64) float64, from, to float64, mark string) int {
	x := func(v float64) float64 {
		return left + (width-left-right)*(min(max(v, from), to)-from)/(to-from)
	}
	at := 1.0
	if from < 0 {
		at = 0
	}
	fmt.Fprintf(b, "<text class=\"title\" x=\"8\" y=\"%d\">%s</text>\n", y+22, html.EscapeString(title))
	top, bottom := y+head+18, y+head+18+line*len(rows)
	for i, r := range rows {
		mid := top + line*i + line/2
		class := r.verdict()
		if from < 0 {
			class = "peer"
			if strings.HasSuffix(r.work, "tokenform") {
				class = "ours"
			}
		}
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left-10, mid+4, html.EscapeString(r.work))
		fmt.Fprintf(b, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" rx=\"2\"/>\n", class, left, mid-7, x(scale(r, r.got.mid))-left)
		if low, high := x(scale(r, r.got.low)), x(scale(r, r.got.high)); high-low > 1 {
			fmt.Fprintf(b, "<path class=\"spread\" d=\"M%.1f %dH%.1f\"/>\n", low, mid, high)
		}
		figure := number(r.got.mid) + " " + r.unit
		if from >= 0 {
			figure += fmt.Sprintf(" (goal %v)", r.goal)
		}
		fmt.Fprintf(b, "<text class=\"figure\" x=\"%.1f\" y=\"%d\">%s</text>\n", max(x(scale(r, r.got.high)), x(scale(r, r.got.mid)), x(at))+8, mid+4, html.EscapeString(figure))
	}
	fmt.Fprintf(b, "<path class=\"axis\" d=\"M%d %dV%d\"/>\n", left, top, bottom)
	fmt.Fprintf(b, "<path class=\"goal\" d=\"M%.1f %dV%d\"/>\n<text class=\"figure\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x(at), top-4, bottom, x(at), top-8, mark)
	return bottom
}
