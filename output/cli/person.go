package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// await returns what f returns, or ctx's error as soon as ctx ends: a read from a
// terminal or a pipe cannot be canceled otherwise.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	case r := <-done:
		return r.value, r.err
	}
}

// lines yields what is typed, line by line, until there is no more.
func lines(in io.Reader) <-chan string {
	ch := make(chan string)
	go func() {
		defer close(ch)
		s := bufio.NewScanner(in)
		s.Buffer(nil, 64<<10) // an address with a long code
		for s.Scan() {
			ch <- s.Text()
		}
	}()
	return ch
}

func (p *program) typedLines() <-chan string { return lines(p.In) }

// ask asks one question. ok is false if there is no more input.
func (p *program) ask(ctx context.Context, typed <-chan string, question string) (answer string, ok bool, err error) {
	p.voice.Question(question)
	select {
	case <-ctx.Done():
		p.voice.NewLine()
		return "", false, ctx.Err()
	case answer, ok = <-typed:
		return strings.TrimSpace(answer), ok, nil
	}
}

// readSecret reads all of standard input, or one line without echo if a person
// types. An interrupt puts the echo back.
func (p *program) readSecret(ctx context.Context, question string) (string, error) {
	if !p.InTerminal {
		b, err := await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(p.In, 64<<10)) })
		return string(b), err
	}
	terminal, ok := p.In.(*os.File)
	if !ok {
		return "", errors.New("standard input is not a terminal")
	}
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	p.voice.Question(question)
	defer p.voice.NewLine()
	text, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(fd, before))
	}
	return string(text), err
}
