package config

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Starter makes a first profile. The zero value is a public client for a person's own
// machine, which takes the client ID from the environment and asks for no scope.
type Starter struct {
	Use      Use
	ClientID string       // empty means ${SPOTIFY_CLIENT_ID}
	Secret   SecretSource // where the client secret comes from
	Scopes   []string
	Outputs  []string // some of StarterOutputs; empty means the first one
	Schema   string   // a path for the editor's modeline; empty means no modeline
}

// Use says what a profile is for.
type Use string

// The uses that [Starter] knows.
const (
	Own      Use = "own"      // a person's own account, on this machine
	Pipeline Use = "pipeline" // a person's account, on a machine where nobody can log in
	AppOnly  Use = "app"      // data that needs no user: client credentials
)

// Uses are all of them, the usual one first.
var Uses = []Use{Own, Pipeline, AppOnly}

// StarterOutputs are the outputs that [Starter] knows.
var StarterOutputs = []string{"env", "json", "stdout"}

// SecretSource is where a client secret comes from: nowhere, the variable
// SPOTIFY_CLIENT_SECRET, a file or a command.
type SecretSource struct {
	Variable bool
	File     string
	Command  []string
}

// None reports whether there is no secret.
func (s SecretSource) None() bool { return !s.Variable && s.File == "" && s.Command == nil }

// Text returns the profile, with comments.
func (s Starter) Text() string {
	var b strings.Builder
	if s.Schema != "" {
		fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n", s.Schema)
	}
	b.WriteString("# Spotify tokens for this project, kept valid by tokenform.\n# tokenform help profiles lists all keys.\n\nclient:\n")
	id := "${SPOTIFY_CLIENT_ID}"
	if s.ClientID != "" {
		id = yamlWord(s.ClientID)
	}
	fmt.Fprintf(&b, "  # From the app's settings at https://developer.spotify.com/dashboard\n  id: %s\n", id)
	switch {
	case s.Secret.Variable:
		b.WriteString("  secret: ${SPOTIFY_CLIENT_SECRET}\n")
	case s.Secret.File != "":
		fmt.Fprintf(&b, "  secret: {file: %s}\n", yamlWord(s.Secret.File))
	case s.Secret.Command != nil:
		words := make([]string, len(s.Secret.Command))
		for i, w := range s.Secret.Command {
			words[i] = yamlWord(w)
		}
		fmt.Fprintf(&b, "  secret: {command: [%s]}\n", strings.Join(words, ", "))
	}
	if s.Use == AppOnly {
		b.WriteString("\n# Data that needs no user. Nobody logs in.\ngrant: client_credentials\n")
	} else {
		fmt.Fprintf(&b, "\n# Your app must list this redirect URI, exactly.\nredirect_uri: %s\n", DefaultRedirectURI)
		fmt.Fprintf(&b, "\n# What the user is asked to allow: tokenform help scopes\nscopes: [%s]\n", strings.Join(s.Scopes, ", "))
	}
	if s.Use == Pipeline {
		b.WriteString("\n# The login, made on a machine with a browser: tokenform token --format seed\nrefresh_token: ${SPOTIFY_REFRESH_TOKEN:-}\n")
	}
	outputs := s.Outputs
	if len(outputs) == 0 {
		outputs = StarterOutputs[:1]
	}
	b.WriteString("\noutputs:\n")
	for _, o := range outputs {
		switch o {
		case "env":
			b.WriteString("  - type: env\n    path: .env\n    keys:\n      access_token: SPOTIFY_ACCESS_TOKEN\n      expires_at: SPOTIFY_TOKEN_EXPIRES_AT\n")
		case "json":
			b.WriteString("  - {type: json, path: token.json}\n")
		case "stdout":
			b.WriteString("  - {type: stdout, format: export}\n")
		}
	}
	return b.String()
}

// yamlWord returns s as a scalar of YAML, inside brackets too.
func yamlWord(s string) string {
	plain := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == ""
	if s != "" && plain && s[0] != '-' {
		return s
	}
	return strconv.Quote(s)
}

// Check returns the errors that the profile has, whatever the client ID and the
// secret will be.
func (s Starter) Check(src Sources) Problems {
	src.Sandbox = true
	src.Stdin = ReadOnce(strings.NewReader("profile: starter\n" + s.Text()))
	_, problems := Load(context.Background(), src, []string{"-"})
	return problems.Errors()
}
