package physical

import (
	"fmt"
	"slices"
	"time"

	"millrace/options"
	"millrace/sql/plan"
)

// stateTTLHint is the hint that says how long the rows of an input are kept.
const stateTTLHint = "STATE_TTL"

// idleHints are hints of Flink's that mean nothing here, with the reason.
var idleHints = map[string]string{
	"BROADCAST": "joins deal rows out by their keys", "SHUFFLE_HASH": "joins deal rows out by their keys",
	"SHUFFLE_MERGE": "joins deal rows out by their keys", "NEST_LOOP": "joins deal rows out by their keys",
	"MULTI_JOIN": "joins have two inputs each", "LOOKUP": "a table that rows are looked up in is read whole by each task",
}

// heed warns of the hints that change nothing.
func (p *planner) heed(hints []plan.Hint, understood ...string) {
	for _, h := range hints {
		if slices.Contains(understood, h.Name) {
			continue
		}
		why, known := idleHints[h.Name]
		if !known {
			why = "nothing here knows it"
		}
		p.note(fmt.Sprintf("the hint %s has no effect: %s", h.Name, why))
	}
}

// note adds a warning, once.
func (p *planner) note(warning string) {
	if !slices.Contains(p.notes, warning) {
		p.notes = append(p.notes, warning)
	}
}

// ttls returns for each input of a node, by its word, how long its rows are kept.
func (p *planner) ttls(hints []plan.Hint, words ...string) []time.Duration {
	out := make([]time.Duration, len(words))
	spec := options.Spec{Name: stateTTLHint}
	for i, w := range words {
		out[i] = p.settings.ttl
		spec.Options = append(spec.Options, options.Option{Key: w, Type: options.Duration, Min: "0 ms", Doc: "How long rows of this input are kept."})
	}
	for _, h := range hints {
		if h.Name != stateTTLHint {
			continue
		}
		v, err := options.Parse(spec, h.Options)
		if err != nil {
			p.fail(err)
			continue
		}
		for i, w := range words {
			if v.IsGiven(w) {
				out[i] = v.Duration(w)
			}
		}
	}
	return out
}
