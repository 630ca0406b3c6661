package output

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"

	"tokenform/config"
	"tokenform/config/fault"
	"tokenform/flow/state"
)

// gitHubSink passes values to the later steps of a GitHub Actions job.
type gitHubSink struct{}

func (gitHubSink) shown(o config.Output) string { return o.Shown }

func (s gitHubSink) missing(f *Files, o config.Output) error {
	_, err := s.file(f, o)
	return err
}

// file returns the path of the file that the job's runner reads.
func (gitHubSink) file(f *Files, o config.Output) (string, error) {
	path, _ := f.Env(strings.TrimPrefix(o.Shown, "$"))
	if path == "" {
		return "", &fault.Error{Message: o.Shown + " is not set: this is not a step of GitHub Actions", Hint: "keep outputs of type github in a profile that only the workflow applies"}
	}
	return path, nil
}

// print appends to the file that $GITHUB_ENV or $GITHUB_OUTPUT names ("Workflow
// commands for GitHub Actions", environment files). print masks every secret first; the
// runner does not show the lines that mask.
func (s gitHubSink) print(f *Files, x target) error {
	o := x.output
	path, err := s.file(f, o)
	if err != nil {
		return err
	}
	var masks, values strings.Builder
	for _, k := range o.Keys {
		text, known := x.value(k.Field)
		if !known || strings.ContainsAny(text, "\x00\r\n") {
			return &fault.Error{Message: fmt.Sprintf("%s: %s has no value that fits on a line", o.Shown, k.Variable)}
		}
		if isSecret(k.Field) && text != "" {
			masks.WriteString(masking(text))
		}
		// Nobody can guess the delimiter, so no value can contain it.
		end := "tokenform_" + rand.Text()
		fmt.Fprintf(&values, "%s<<%s\n%s\n%s\n", k.Variable, end, text, end)
	}
	if err := f.writeMasks(masks.String()); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return &fault.Error{Message: o.Shown, Err: fault.Cause(err), Hint: "the runner creates this file: is it mounted in the container?"}
	}
	defer file.Close()
	if _, err := file.WriteString(values.String()); err != nil {
		return &fault.Error{Message: o.Shown, Err: fault.Cause(err)}
	}
	return nil
}

// Mask hides the secrets of t in the log of a GitHub Actions job, before they leave
// this process. Mask writes to standard error, and the runner does not show the lines
// that mask. Outside of GitHub Actions, Mask does nothing.
func Mask(err io.Writer, env func(string) (string, bool), t *state.Token) error {
	if env == nil || t == nil {
		return nil
	}
	if actions, _ := env("GITHUB_ACTIONS"); actions != "true" {
		return nil
	}
	masks := masking(t.Access)
	if t.Refresh != "" {
		masks += masking(t.Refresh) + masking(seedOf(t).Encode())
	}
	return (&Files{Err: err}).writeMasks(masks)
}

func (f *Files) maskToken(t *state.Token) error { return Mask(f.Err, f.Env, t) }

// writeMasks writes lines that mask. If writeMasks fails, the secrets must not be printed.
func (f *Files) writeMasks(lines string) error {
	if lines == "" {
		return nil
	}
	if _, err := f.Err.Write([]byte(lines)); err != nil {
		return &fault.Error{Message: "standard error", Err: fault.Cause(err)}
	}
	return nil
}

func masking(text string) string { return "::add-mask::" + strings.ReplaceAll(text, "%", "%25") + "\n" }
