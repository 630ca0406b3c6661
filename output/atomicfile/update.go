package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
)

// ErrChanged says that a file is no longer what it was when it was read.
var ErrChanged = errors.New("another program is changing it")

// Update is [Write] of data that was made from old, what [Read] of path has
// returned; nil: there was nothing. Where path holds something else by the time
// that data is safe on the disk, it stays as it is, and the error is [ErrChanged].
//
// A program that does not know of [Lock] can so lose only what it writes
// between that look and the rename: some microseconds, where a sync of the
// disk takes milliseconds. Contents are compared, not times: those of two writes
// within one tick of the clock are the same.
func Update(path string, old, data []byte, mode fs.FileMode) (inPlace bool, err error) {
	return writeIf(path, data, mode, func() error {
		now, _, err := Read(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			now = nil
		case err != nil:
			return err
		}
		if (now == nil) != (old == nil) || !bytes.Equal(now, old) {
			return ErrChanged
		}
		return nil
	})
}
