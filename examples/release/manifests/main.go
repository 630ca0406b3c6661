// Command manifests fills the templates of a Homebrew formula and of a Scoop manifest for
// the release in .dist, and writes both there:
//
//	go run ./examples/release/manifests HOMEPAGE DOWNLOADS
//
// HOMEPAGE is the address of the project, DOWNLOADS the address of the folder that has
// the release's files.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	dist      = ".dist"
	templates = "examples/release"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: go run ./examples/release/manifests HOMEPAGE DOWNLOADS")
	}
	if err := fill(os.Args[1], strings.TrimSuffix(os.Args[2], "/")); err != nil {
		log.Fatal(err)
	}
}

func fill(homepage, downloads string) error {
	var release struct{ Version string }
	metadata, err := os.ReadFile(filepath.Join(dist, "metadata.json"))
	if err != nil {
		return fmt.Errorf("%w\nhint: make the release first: goreleaser release --snapshot --clean", err)
	}
	if err := json.Unmarshal(metadata, &release); err != nil {
		return fmt.Errorf("metadata.json: %w", err)
	}
	sums, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
	if err != nil {
		return err
	}
	values := map[string]string{"homepage": homepage, "downloads": downloads, "version": release.Version}
	for line := range strings.Lines(string(sums)) {
		if sum, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			values["sha256 "+strings.TrimPrefix(name, "tokenform_"+release.Version+"_")] = sum
		}
	}
	for _, name := range []string{"tokenform.rb", "tokenform.json"} {
		text, err := os.ReadFile(filepath.Join(templates, name))
		if err != nil {
			return err
		}
		var missing []string
		filled := regexp.MustCompile(`\$\{([^}]*)\}`).ReplaceAllStringFunc(string(text), func(field string) string {
			value, ok := values[field[2:len(field)-1]]
			if !ok {
				missing = append(missing, field)
			}
			return value
		})
		if len(missing) > 0 {
			return fmt.Errorf("%s: the release has no %s", name, strings.Join(missing, ", "))
		}
		if err := os.WriteFile(filepath.Join(dist, name), []byte(filled), 0o644); err != nil {
			return err
		}
	}
	return nil
}
