package config

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"tokenform/config/fault"
)

// ErrTooLarge says that a file or a stream is larger than its limit.
var ErrTooLarge = errors.New("too large")

// ReadFile reads a file of at most most bytes, which may be a pipe or a device.
// The error is [ErrTooLarge] if the file holds more, and ctx's own if ctx ends
// first.
func ReadFile(ctx context.Context, path string, most int64) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readAll(f, most)
	})
}

// isRegular reports whether path is a file that can be read without a side
// effect.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// ReadOnce returns a function for [Sources] that reads r at its first call and returns
// the same text at every call: standard input can be read only once, but profiles may
// be loaded again.
func ReadOnce(r io.Reader) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) { return readAll(r, maxBytes) })
}

// await returns what read returns, or ctx's error if ctx ends first. Opening and
// reading a pipe can block forever and cannot be canceled, so read gets a goroutine of
// its own, which stays until the process ends.
func await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		defer fault.Crash()
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		return r.data, r.err
	}
}

func readAll(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = ErrTooLarge
	}
	return b, err
}
