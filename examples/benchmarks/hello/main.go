// Command hello does nothing, and shows the least that a Go process costs.
package main

import "os"

func main() { os.Stdout.WriteString("hello\n") }
