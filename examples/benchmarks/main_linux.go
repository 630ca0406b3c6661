// Command benchmarks builds tokenform and the programs to compare it with, runs all of
// them in turn and prints a table of ratios. benchmarks takes a few minutes and uses
// only loopback:
//
//	go run ./examples/benchmarks
//
// Absolute times mean nothing on a shared machine, so there are none: each row is a
// multiple of a reference that runs next to it, as a median with the quartiles in
// brackets.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one line of the table.
type row struct {
	work, reference string
	got             spread
	goal            float64
	unit            string // follows the figures: "×", "µs", "MiB"
}

func (r row) figure() string {
	if r.got.low == r.got.high {
		return number(r.got.mid) + " " + r.unit
	}
	return fmt.Sprintf("%s %s (%s to %s)", number(r.got.mid), r.unit, number(r.got.low), number(r.got.high))
}

func (r row) limit() string {
	if r.goal == 0 {
		return "-"
	}
	return fmt.Sprintf("at most %v %s", r.goal, r.unit)
}

func (r row) verdict() string {
	switch {
	case r.goal == 0:
		return ""
	case r.got.mid <= r.goal:
		return "met"
	}
	return "missed"
}

func number(f float64) string {
	if f < 10 {
		return fmt.Sprintf("%.2f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// bench has the directories in which everything is built and run.
type bench struct {
	dir, bin string
	runs     int
	rows     []row
	absent   []string
}

func (b *bench) add(work, reference string, got spread, goal float64, unit string) {
	b.rows = append(b.rows, row{work, reference, got, goal, unit})
	r := b.rows[len(b.rows)-1]
	fmt.Fprintf(os.Stderr, "%s, over %s: %s\n", r.work, r.reference, r.figure())
}

func main() {
	runs := flag.Int("runs", 60, "how often each program is run")
	only := flag.String("only", "", "only the groups that match this `REGEXP`: size, nothing, many, http, https, parallel, validate, watch")
	plot := flag.String("svg", "", "draw the table to this `FILE`")
	flag.Parse()
	if err := run(*runs, *only, *plot); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(runs int, only, plot string) error {
	pattern, err := regexp.Compile("^(" + only + ")$")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tokenform-benchmarks")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, bin: filepath.Join(dir, "bin"), runs: runs}
	if err := b.build(); err != nil {
		return err
	}
	for _, group := range []struct {
		name string
		run  func() error
	}{
		{"size", b.size}, {"nothing", b.nothing}, {"many", b.many}, {"http", b.http}, {"https", b.https},
		{"parallel", b.parallel}, {"validate", b.validate}, {"watch", b.watch},
	} {
		if only != "" && !pattern.MatchString(group.name) {
			continue
		}
		if err := group.run(); err != nil {
			return fmt.Errorf("%s: %w", group.name, err)
		}
	}
	b.print()
	if plot != "" {
		return os.WriteFile(plot, []byte(draw(b.rows)), 0o644)
	}
	return nil
}

func (b *bench) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "work\treference\tmedian (quartiles)\tgoal\t")
	for _, r := range b.rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.work, r.reference, r.figure(), r.limit(), r.verdict())
	}
	w.Flush()
	slices.Sort(b.absent)
	if absent := slices.Compact(b.absent); len(absent) > 0 {
		fmt.Println("\nnot measured, because it is not installed: " + strings.Join(absent, ", "))
	}
}

// build makes static, stripped programs. build copies them into place as an installer
// does: a program that the linker has just written is laid out differently in the page
// cache, and starts more slowly.
func (b *bench) build() error {
	if err := os.Mkdir(b.bin, 0o700); err != nil {
		return err
	}
	for name, pkg := range map[string]string{"tokenform": ".", "hello": "./examples/benchmarks/hello", "floor": "./examples/benchmarks/floor", "reference": "./examples/benchmarks/reference"} {
		linked := filepath.Join(b.dir, name)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", linked, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
		data, err := os.ReadFile(linked)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.bin, name), data, 0o700); err != nil {
			return err
		}
	}
	return nil
}
