package config

import _ "embed" // the schema

// Schema is the JSON Schema of a profile, for editors. Schema knows the keys and their
// types; only [Load] checks their meaning.
//
//go:embed profile.schema.json
var Schema string
