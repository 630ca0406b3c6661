// Command floor shows the least that a program like tokenform costs: floor links
// tokenform's libraries and does nothing with them. If it gets a URL, floor does what
// the reference does and stores the token in two files, each replaced atomically and
// safe from a power cut.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/hashicorp/go-retryablehttp"
	_ "github.com/spf13/pflag"
	"golang.org/x/oauth2"
	_ "gopkg.in/yaml.v3"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	if err := refresh(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func refresh(url string) error {
	config := oauth2.Config{
		ClientID:     "app",
		ClientSecret: "secret",
		Endpoint:     oauth2.Endpoint{TokenURL: url + "/api/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	over := &oauth2.Token{RefreshToken: "AQrefresh", Expiry: time.Unix(1, 0)}
	token, err := config.TokenSource(context.Background(), over).Token()
	if err != nil {
		return err
	}
	return errors.Join(store(".tokenform/floor.json", token.AccessToken), store("out/floor.env", token.AccessToken))
}

// store replaces the file at path by text.
func store(path, text string) error {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
