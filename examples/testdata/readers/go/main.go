// Prints what a reader written in Go makes of V in each of the files: a JSON array,
// with null for a file that the reader refuses.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/docker/cli/pkg/kvfile"
	"github.com/joho/godotenv"
	"github.com/subosito/gotenv"
)

var readers = map[string]func(path string, content []byte) (map[string]string, error){
	"compose": func(_ string, b []byte) (map[string]string, error) {
		return dotenv.ParseWithLookup(bytes.NewReader(b), nil)
	},
	"docker": func(path string, _ []byte) (map[string]string, error) {
		lines, err := kvfile.Parse(path, nil)
		vars := map[string]string{}
		for _, line := range lines {
			name, value, _ := strings.Cut(line, "=")
			vars[name] = value
		}
		return vars, err
	},
	"godotenv": func(_ string, b []byte) (map[string]string, error) { return godotenv.UnmarshalBytes(b) },
	"gotenv": func(_ string, b []byte) (map[string]string, error) {
		return gotenv.StrictParse(bytes.NewReader(b))
	},
}

func main() {
	var values []*string
	for _, path := range os.Args[2:] {
		b, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		vars, err := readers[os.Args[1]](path, b)
		if v, ok := vars["V"]; ok && err == nil {
			values = append(values, &v)
		} else {
			values = append(values, nil)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(values); err != nil {
		panic(err)
	}
}
