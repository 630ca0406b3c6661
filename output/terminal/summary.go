package terminal

import (
	"fmt"
	"strings"

	"tokenform/flow"
)

// Summary counts profiles by their action, and outputs by what happens to them. Each
// profile counts once: a profile that failed counts only as failed, but the outputs
// that were written all the same count too.
type Summary struct {
	Refresh int `json:"refresh"`
	Login   int `json:"login"`
	Request int `json:"request"`
	Adopt   int `json:"adopt"`
	Verify  int `json:"verify"`
	Keep    int `json:"keep"`
	Delete  int `json:"delete"`
	Leave   int `json:"leave"`
	Failed  int `json:"failed"`
	Outputs struct {
		Write  int `json:"write"`
		Delete int `json:"delete"`
	} `json:"outputs"`
}

// planSummary counts what is planned. resultSummary counts what was done: an
// output that was written counts even if another output of its profile failed.
func planSummary(outcomes []flow.Outcome) *Summary {
	var s Summary
	for i := range outcomes {
		o := &outcomes[i]
		if s.count(o.Decision.Action, o.Err); o.Err == nil {
			s.outputs(o.Outputs)
		}
	}
	return &s
}

func resultSummary(outcomes []flow.Outcome) *Summary {
	var s Summary
	for i := range outcomes {
		o := &outcomes[i]
		s.count(o.Decision.Action, o.Err)
		s.outputs(o.Outputs)
	}
	return &s
}

func (s *Summary) count(action flow.Action, err error) {
	if err != nil {
		s.Failed++
		return
	}
	switch action {
	case flow.Refresh:
		s.Refresh++
	case flow.Login:
		s.Login++
	case flow.Request:
		s.Request++
	case flow.Adopt:
		s.Adopt++
	case flow.Verify:
		s.Verify++
	case flow.Delete:
		s.Delete++
	case flow.Leave:
		s.Leave++
	default:
		s.Keep++
	}
}

func (s *Summary) outputs(changes []flow.Change) {
	for _, c := range changes {
		switch c.Action {
		case flow.Create, flow.Update:
			s.Outputs.Write++
		case flow.DeleteOutput:
			s.Outputs.Delete++
		}
	}
}

func (s *Summary) planned() string {
	return s.sentence("Plan: ", "to refresh", "to log in", "to request", "to adopt", "to verify", "to delete", "to write", "cannot be planned")
}

func (s *Summary) done() string {
	return s.sentence("Applied: ", "refreshed", "logged in", "requested", "adopted", "verified", "deleted", "written", "failed")
}

func (s *Summary) sentence(start, refresh, login, request, adopt, verify, remove, write, failed string) string {
	var tokens, outputs []string
	add := func(list *[]string, n int, words string) {
		if n > 0 {
			*list = append(*list, fmt.Sprintf("%d %s", n, words))
		}
	}
	add(&tokens, s.Refresh, refresh)
	add(&tokens, s.Login, login)
	add(&tokens, s.Request, request)
	add(&tokens, s.Adopt, adopt)
	add(&tokens, s.Verify, verify)
	add(&tokens, s.Delete, remove)
	add(&tokens, s.Keep, "unchanged")
	add(&tokens, s.Leave, "not declared")
	add(&tokens, s.Failed, failed)
	add(&outputs, s.Outputs.Write, plural(s.Outputs.Write, "output")+" "+write)
	add(&outputs, s.Outputs.Delete, plural(s.Outputs.Delete, "output")+" "+remove)
	sentence := start + strings.Join(tokens, ", ")
	if len(outputs) > 0 {
		sentence += "; " + strings.Join(outputs, ", ")
	}
	return sentence
}
