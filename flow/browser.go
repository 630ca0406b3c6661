package flow

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"

	"tokenform/config/fault"

	"github.com/cli/browser"
)

// OpenBrowser opens url for a person. preferred is the value of $BROWSER: the path of
// a program, or a list of command lines, separated as PATH is and tried in order. In
// each, words are quoted as for a shell, and %s stands for the address; without %s the
// address is the last argument. If preferred is empty, the desktop chooses. OpenBrowser
// may return only when the browser ends.
func OpenBrowser(preferred, url string) error {
	if preferred == "" {
		// Discard what the browser prints: standard output is for tokens, standard
		// error for our messages.
		browser.Stdout, browser.Stderr = io.Discard, io.Discard
		err := browser.OpenURL(url)
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("none is installed")
		}
		if err != nil {
			return fmt.Errorf("this system's own program for addresses failed (%w)", err)
		}
		return nil
	}
	var err error
	// filepath.SplitList would take the quotes away on Windows.
	programs := strings.Split(preferred, string(filepath.ListSeparator))
	if isFile(preferred) {
		programs = []string{preferred}
	}
	for _, program := range programs {
		words := splitWords(program)
		if isFile(program) {
			words = []string{program}
		}
		if len(words) == 0 {
			continue
		}
		if !strings.Contains(program, "%s") {
			words = append(words, "%s")
		}
		for i, w := range words {
			words[i] = strings.ReplaceAll(w, "%s", url)
		}
		cmd := exec.Command(words[0], words[1:]...)
		if err = cmd.Start(); err == nil {
			go cmd.Wait() // the browser may outlive the login; Wait only collects its exit status
			return nil
		}
	}
	if err == nil {
		return errors.New("$BROWSER names no program")
	}
	return errors.New("$BROWSER cannot be run: " + fault.Cause(err).Error())
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// splitWords splits s into words as a shell does: at blanks that are not quoted. A
// backslash quotes one character, but not on Windows, where paths have backslashes.
func splitWords(s string) []string {
	var words []string
	var word []rune
	var quote rune // the quote that is open, or zero
	begun, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			word, escaped = append(word, r), false
		case r == '\\' && quote != '\'' && filepath.Separator != r:
			begun, escaped = true, true
		case quote == 0 && (r == '"' || r == '\''):
			begun, quote = true, r
		case r == quote:
			quote = 0
		case quote == 0 && unicode.IsSpace(r):
			if begun {
				words, word, begun = append(words, string(word)), nil, false
			}
		default:
			begun, word = true, append(word, r)
		}
	}
	if begun {
		words = append(words, string(word))
	}
	return words
}
