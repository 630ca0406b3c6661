package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Directories are the args that stand for every file in them, absolute.
func Directories(src Sources, args []string) []string {
	var dirs []string
	for _, arg := range args {
		path := absolute(src.Dir, arg)
		if info, err := os.Stat(path); arg != "-" && err == nil && info.IsDir() {
			dirs = append(dirs, path)
		}
	}
	return dirs
}

// Stamp tells whether the files that args name have changed since the last
// Stamp: then it is another text. Standard input never changes.
func Stamp(src Sources, args []string) string {
	if len(args) == 0 {
		args = []string{"tokenform.yaml", "tokenform.yml"}
	}
	var b strings.Builder
	note := func(path string) os.FileInfo {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintln(&b, path, "-")
			return nil
		}
		fmt.Fprintln(&b, path, info.ModTime().UnixNano(), info.Size())
		return info
	}
	for _, arg := range args {
		if arg == "-" {
			continue
		}
		path := absolute(src.Dir, arg)
		if info := note(path); info == nil || !info.IsDir() {
			continue
		}
		entries, _ := os.ReadDir(path)
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); ext == ".yaml" || ext == ".yml" {
				note(filepath.Join(path, e.Name()))
			}
		}
	}
	return b.String()
}
