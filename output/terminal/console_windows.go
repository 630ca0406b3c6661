package terminal

import (
	"io"

	"golang.org/x/sys/windows"
)

// Prepare makes each of streams that is a console obey escape sequences, for colours and
// for lines that are written again. All consoles since Windows 10 can, and do so if asked.
func Prepare(streams ...io.Writer) {
	for _, w := range streams {
		f, ok := w.(interface{ Fd() uintptr })
		if !ok {
			continue
		}
		var mode uint32
		if console := windows.Handle(f.Fd()); windows.GetConsoleMode(console, &mode) == nil {
			_ = windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING)
		}
	}
}
