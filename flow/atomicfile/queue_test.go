package atomicfile

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestQueue: a hundred goroutines that want one directory have it in turn, one
// at a time, and lose no time in between.
func TestQueue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	start := time.Now()
	inside, most := 0, 0 // guarded by the lock itself
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			unlock, err := Lock(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			inside++
			most = max(most, inside)
			time.Sleep(time.Millisecond)
			inside--
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d inside at once", most)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestQueueGivenUp: who stops waiting is no hindrance to the others.
func TestQueueGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	unlock, err := Lock(t.Context(), path)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second lock: %v", err)
	}
	next := make(chan error)
	go func() {
		unlock, err := Lock(context.Background(), path)
		if err == nil {
			unlock()
		}
		next <- err
	}()
	time.Sleep(5 * time.Millisecond)
	unlock()
	must(t, <-next)

	queue.Lock()
	defer queue.Unlock()
	if queue.lines[dir] != nil {
		t.Error("the line stays when nobody stands in it")
	}
}
