// Command cronjob reads a CronJob from standard input into Kubernetes' own types, as the
// API server does with fieldValidation=Strict: unknown and repeated keys are errors, and
// names are case-sensitive.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	batch "k8s.io/api/batch/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if b, err = yaml.YAMLToJSONStrict(b); err != nil {
		return err
	}
	var job batch.CronJob
	strict, err := json.UnmarshalStrict(b, &job)
	return errors.Join(append(strict, err)...)
}
