// Command pages writes the files of a release that the program itself prints: completions
// for four shells, and man pages, compressed. The directory is made anew. The release's
// hook in .goreleaser.yaml runs it:
//
//	go run ./examples/release/pages DIR
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: go run ./examples/release/pages DIR")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// completions are the shells and the names under which they find a script.
var completions = map[string]string{
	"bash":       "tokenform.bash",
	"fish":       "tokenform.fish",
	"powershell": "tokenform.ps1",
	"zsh":        "_tokenform",
}

func write(dir string) error {
	temp, err := os.MkdirTemp("", "tokenform-pages")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	program := filepath.Join(temp, "tokenform.exe") // every system runs this name
	build := exec.Command("go", "build", "-o", program, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	for _, sub := range []string{"completions", "man"} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for shell, name := range completions {
		script, err := exec.Command(program, "completion", shell).Output()
		if err != nil {
			return fmt.Errorf("tokenform completion %s: %w", shell, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "completions", name), script, 0o644); err != nil {
			return err
		}
	}
	if out, err := exec.Command(program, "help", "--man", temp).CombinedOutput(); err != nil {
		return fmt.Errorf("tokenform help --man: %w\n%s", err, out)
	}
	pages, err := filepath.Glob(filepath.Join(temp, "tokenform*.[17]"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b) // without a name and a time, so that the same page has the same bytes
		if _, err := z.Write(text); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "man", filepath.Base(page)+".gz"), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
