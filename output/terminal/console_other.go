//go:build !windows

package terminal

import "io"

// Prepare has nothing to do: terminals obey escape sequences.
func Prepare(...io.Writer) {}
