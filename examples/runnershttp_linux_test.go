package examples

import "testing"

func httpEngine(t *testing.T) engine { t.Skip("not yet"); return engine{} }
