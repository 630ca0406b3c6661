package fault

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Crash ends the process with exit code 1 if the goroutine panics: Go's own exit code
// is 2, which means "changes" for plan. Crash must be deferred. Crash shows the value
// of a panic only if the value is from Go's runtime, which quotes no text.
func Crash() {
	value := recover()
	if value == nil {
		return
	}
	what := fmt.Sprintf("a panic with a %T", value)
	if err, ok := value.(runtime.Error); ok {
		what = err.Error()
	}
	fmt.Fprintf(os.Stderr, "error: tokenform has a bug and has stopped: %s\nhint: run the command again; please report this with the lines below, which contain no secrets\n%s", what, debug.Stack())
	os.Exit(1)
}
