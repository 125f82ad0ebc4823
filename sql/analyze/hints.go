package analyze

import (
	"slices"

	"millrace/sql/plan"
)

// stateTTL is the hint whose options name tables by their aliases.
const stateTTL = "STATE_TTL"

// joinHints returns the hints of a SELECT as one of its joins has them: of STATE_TTL, what is said of its own two inputs.
func (j *joiner) joinHints(left, right relation) []plan.Hint {
	out := slices.Clone(j.hints)
	for i, h := range out {
		if h.Name != stateTTL {
			continue
		}
		out[i].Options = make(map[string]string)
		if ttl, ok := h.Options[left.alias()]; ok {
			out[i].Options["left"] = ttl
		}
		if ttl, ok := h.Options[right.alias()]; ok {
			out[i].Options["right"] = ttl
		}
	}
	return out
}

// alias returns the name by which all columns of a relation may be qualified, "" where there is no such name.
func (r relation) alias() (name string) {
	for _, c := range r.cols {
		if len(c.from) == 0 || name != "" && c.from[len(c.from)-1] != name {
			return ""
		}
		name = c.from[len(c.from)-1]
	}
	return name
}
