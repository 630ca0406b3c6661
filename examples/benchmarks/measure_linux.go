package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// contender is a program that is run repeatedly.
type contender struct {
	name string
	dir  string
	env  []string
	args []string
}

// run runs the program once, as a process of its own, and returns how long the run took
// and its largest memory, in KiB. Between the two readings of the clock, little but the
// kernel is at work: the rest of os/exec (pipes, goroutines) would be counted for every
// program, and make all ratios look better.
func (c contender) run() (wall time.Duration, rss int64, err error) {
	path, err := exec.LookPath(c.args[0])
	if err != nil {
		return 0, 0, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, err
	}
	defer null.Close()
	start := time.Now()
	p, err := os.StartProcess(path, c.args, &os.ProcAttr{Dir: c.dir, Env: c.env, Files: []*os.File{null, null, null}})
	if err != nil {
		return 0, 0, err
	}
	end, err := p.Wait()
	wall = time.Since(start)
	if err == nil && !end.Success() {
		again := exec.Command(path, c.args[1:]...) // run again for its output
		again.Dir, again.Env = c.dir, c.env
		said, _ := again.CombinedOutput()
		err = fmt.Errorf("%s: %s\n%s", strings.Join(c.args, " "), end, said)
	}
	if err != nil {
		return 0, 0, err
	}
	return wall, end.SysUsage().(*syscall.Rusage).Maxrss, nil
}

// figures are the measurements of several runs of one contender, run by run.
type figures struct {
	walls []time.Duration
	rss   int64 // the largest of all runs, in KiB
}

// inTurn runs the contenders A B C A B C …, so that a machine that becomes slower
// affects all of them alike. The first round is not counted.
func inTurn(rounds int, list ...contender) ([]figures, error) {
	all := make([]figures, len(list))
	for round := range rounds + 1 {
		for i, c := range list {
			wall, rss, err := c.run()
			if err != nil {
				return nil, err
			}
			if round > 0 {
				all[i].walls = append(all[i].walls, wall)
				all[i].rss = max(all[i].rss, rss)
			}
		}
	}
	return all, nil
}

// spread is a median with the quartiles around it.
type spread struct{ low, mid, high float64 }

func spreadOf(values []float64) spread {
	slices.Sort(values)
	at := func(part float64) float64 { return values[int(part*float64(len(values)-1)+0.5)] }
	return spread{at(0.25), at(0.5), at(0.75)}
}

// over returns f's runs as multiples of the reference's runs next to them.
func (f figures) over(reference figures) spread {
	var ratios []float64
	for i := range f.walls {
		ratios = append(ratios, float64(f.walls[i])/float64(reference.walls[i]))
	}
	return spreadOf(ratios)
}

// beyond returns how much longer f took than the reference, divided by n.
func (f figures) beyond(reference figures, n float64) spread {
	var more []float64
	for i := range f.walls {
		more = append(more, float64(f.walls[i]-reference.walls[i])/n)
	}
	return spreadOf(more)
}
