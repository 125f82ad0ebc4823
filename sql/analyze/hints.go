package analyze

import (
	"slices"
	"strings"

	"millrace/sql/ast"
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

// named notes by which names the hints of a SELECT may call a relation of its FROM.
func (j *joiner) named(of ...relation) {
	for _, r := range of {
		for _, c := range r.cols {
			if len(c.from) > 0 && !slices.Contains(j.aliases, c.from[len(c.from)-1]) {
				j.aliases = append(j.aliases, c.from[len(c.from)-1])
			}
		}
	}
}

// checkHints refuses times for tables that are not there: they would be kept for as long as others in silence.
func (j *joiner) checkHints(list []*ast.Hint) error {
	for _, h := range list {
		if !strings.EqualFold(h.Name.Name, stateTTL) {
			continue
		}
		for _, arg := range h.Args {
			if !slices.Contains(j.aliases, arg.Key) {
				return j.hinted(arg, didYouMean(arg.Key, j.aliases), "%s names %q, which is no table of this FROM", stateTTL, arg.Key)
			}
		}
	}
	return nil
}

// groupHints returns the hints of a SELECT as its aggregation has them: of STATE_TTL, what is said of the one relation that it reads.
func (s *selection) groupHints() []plan.Hint {
	out := hintsOf(s.tree.Hints, stateTTL)
	for i := range out {
		ttl, ok := out[i].Options[s.from.alias()]
		out[i].Options = make(map[string]string)
		if ok {
			out[i].Options["input"] = ttl
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
