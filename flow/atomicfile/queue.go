package atomicfile

import (
	"context"
	"sync"
)

// queue is where goroutines of this process wait for the lock of a directory:
// the one in front alone asks the system for it, and the next is awake the moment
// it is free. With the system's lock alone, each would have to knock again and
// again, as other processes must.
var queue = struct {
	sync.Mutex
	lines map[string]*line // by directory; a line that nobody stands in is not there
}{lines: map[string]*line{}}

type line struct {
	front  chan struct{} // full while somebody is in front
	people int
}

// queueUp waits until the caller is in front at dir, or ctx ends. A free place
// is taken even where there is no time to wait. leave must be called.
func queueUp(ctx context.Context, dir string) (leave func(), err error) {
	queue.Lock()
	l := queue.lines[dir]
	if l == nil {
		l = &line{front: make(chan struct{}, 1)}
		queue.lines[dir] = l
	}
	l.people++
	queue.Unlock()
	away := func() {
		queue.Lock()
		defer queue.Unlock()
		if l.people--; l.people == 0 {
			delete(queue.lines, dir)
		}
	}
	select {
	case l.front <- struct{}{}:
	default:
		select {
		case l.front <- struct{}{}:
		case <-ctx.Done():
			away()
			return nil, ctx.Err()
		}
	}
	return func() { <-l.front; away() }, nil
}
