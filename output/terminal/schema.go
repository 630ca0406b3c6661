package terminal

import _ "embed" // the schema

// Schema is the JSON Schema of everything that is printed under --json: a
// [View], or an event of watch.
//
//go:embed view.schema.json
var Schema string
