// Command hello is what a Go process costs at the least.
package main

import "os"

func main() { os.Stdout.WriteString("hello\n") }
