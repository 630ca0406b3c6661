package flow

import (
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"tokenform/config/fault"

	"github.com/cli/browser"
)

// OpenBrowser opens url for a person. preferred is the value of $BROWSER: a list
// of programs, separated as PATH is and tried in order. In each, %s stands for the
// address; without %s the address is the last argument. If preferred is empty, the
// desktop chooses. OpenBrowser may return only when the browser ends.
func OpenBrowser(preferred, url string) error {
	if preferred == "" {
		// What the browser prints belongs neither to our data nor to our messages.
		browser.Stdout, browser.Stderr = io.Discard, io.Discard
		err := browser.OpenURL(url)
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("none is installed")
		}
		return err
	}
	var err error
	for _, program := range filepath.SplitList(preferred) {
		words := strings.Fields(program)
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
			go cmd.Wait() // it outlives the login; only its exit is collected
			return nil
		}
	}
	if err == nil {
		return errors.New("$BROWSER names no program")
	}
	return errors.New("$BROWSER cannot be run: " + fault.Cause(err).Error())
}
