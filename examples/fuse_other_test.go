//go:build !linux

package examples

func serveLoose() int { return 1 }
