package config

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestSchemaKeys checks that the schema has the keys, types and words that the
// decoder knows, no more and no less.
func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	type object struct {
		Properties map[string]struct {
			Const      string
			AnyOf      []struct{ Enum []string }
			Items      struct{ OneOf []json.RawMessage }
			Properties map[string]json.RawMessage
		}
	}
	parse := func(raw []byte) (o object) {
		t.Helper()
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	same := func(what string, got, want []string) {
		t.Helper()
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
		if !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %q, the decoder %q", what, got, want)
		}
	}
	root := parse([]byte(Schema))
	same("profile", keys(root.Properties), append(slices.Clone(profileKeys), "defaults"))
	same("defaults", keys(root.Properties["defaults"].Properties), commonKeys())
	same("client", keys(root.Properties["client"].Properties), clientKeys)
	same("grant", root.Properties["grant"].AnyOf[0].Enum, []string{string(AuthorizationCode), string(PKCE), string(ClientCredentials)})
	var types []string
	for _, raw := range root.Properties["outputs"].Items.OneOf {
		o := parse(raw)
		kind := o.Properties["type"].Const
		types = append(types, kind)
		i := slices.IndexFunc(outputKinds(), func(k outputKind) bool { return string(k.name) == kind })
		if i < 0 {
			t.Errorf("the decoder does not know the output type %q", kind)
			continue
		}
		same(kind, keys(o.Properties), outputKinds()[i].keys)
		switch kind {
		case "env", "github":
			same(kind+" keys", keys(o.Properties["keys"].Properties), Fields)
		case "json":
			same("json formats", o.Properties["format"].AnyOf[0].Enum, JSONFormats)
		case "stdout":
			same("stdout formats", o.Properties["format"].AnyOf[0].Enum, stdoutFormats)
		case "command":
			same("command values", o.Properties["value"].AnyOf[0].Enum, slices.Concat(Fields, without(stdoutFormats, Fields)))
		}
	}
	known, _ := outputWords()
	same("output types", types, known)
}

func keys[V any](m map[string]V) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}
