package config

import _ "embed" // the schema

// Schema is the JSON Schema of a profile, for editors: it knows the keys and
// their types, and [Load] what they mean.
//
//go:embed profile.schema.json
var Schema string
