package jobgraph

import "slices"

// spot is a place in a chain: the output of operator op of a vertex, or, with
// op -1, what enters the chain.
type spot struct{ vertex, op int }

// operator returns the operator at whose output the spot is, nil at a source.
func (s spot) operator(g *Graph) *OperatorSpec {
	if s.op < 0 {
		return nil
	}
	return &g.Vertices[s.vertex].Operators[s.op]
}

// producers returns the spots from which rows come to operator k of vertex i,
// through unions and vertices without operators. Side outputs are left out.
func (v *validator) producers(i, k int, seen map[spot]bool) (out []spot) {
	x := &v.g.Vertices[i]
	at := spot{i, k - 1}
	if seen[at] {
		return nil
	}
	seen[at] = true
	if k > 0 {
		if x.Operators[k-1].Kind() == KindUnion {
			return v.producers(i, k-1, seen)
		}
		return []spot{at}
	}
	if x.Source != nil {
		return []spot{at}
	}
	for _, e := range v.inputs[i] {
		if e.Port == 0 {
			from := v.vertices[e.From]
			out = append(out, v.producers(from, len(v.g.Vertices[from].Operators), seen)...)
		}
	}
	return out
}

// keyed checks that all rows of a key come to one subtask of an operator, the one that owns the key's group: its keys are
// those of the HASH by which they came, in that order. keys are the operator's own, columns those of the input that have them.
func (c *operatorCheck) keyed(input int, keys, columns []int) {
	x := &c.g.Vertices[c.vertex]
	if x.Source == nil && len(c.inputs[c.vertex]) == 0 || c.meet(c.vertex, c.operator, input, columns, make(map[spot]bool)) {
		return
	}
	if len(keys) == 0 {
		c.addf("keys", "without keys all rows must meet: it needs parallelism 1 of its vertex")
		return
	}
	c.addf("keys", "rows of one key may reach several subtasks: they must come by HASH of the same columns in the same order, or the vertex needs parallelism 1")
}

// meet tells whether rows with equal values in the columns of an input of operator k
// are in the subtask that owns them as a key.
func (v *validator) meet(i, k, input int, columns []int, seen map[spot]bool) bool {
	x := &v.g.Vertices[i]
	at := spot{i, k}
	switch {
	case v.effective(x) == 1:
		return true
	case len(columns) == 0 || seen[at]:
		return false
	}
	seen[at] = true
	if k > 0 {
		before, from, ok := x.Operators[k-1].passed(columns)
		return ok && v.meet(i, k-1, before, from, seen)
	}
	merges := len(x.Operators) == 0 || x.Operators[0].Kind() == KindUnion
	some := false
	for _, e := range v.inputs[i] {
		if !merges && e.Input != input {
			continue
		}
		if !v.meetBy(&e, columns, seen) {
			return false
		}
		some = true
	}
	return x.Source == nil && some
}

func (v *validator) meetBy(e *Edge, columns []int, seen map[spot]bool) bool {
	from := v.vertices[e.From]
	last := len(v.g.Vertices[from].Operators)
	switch {
	case e.Kind == Hash:
		return slices.Equal(e.Keys, columns)
	case e.Kind == Forward && e.Port == 0:
		return v.meet(from, last, 0, columns, seen)
	case e.Kind == Forward && e.Port == 1 && last > 0: // late rows: the last operator's input
		return v.meet(from, last-1, 0, columns, seen)
	default:
		return false
	}
}

// passed returns the columns of one of the operator's inputs that are passed on
// unchanged as these columns of its output; false where one is not.
func (o *OperatorSpec) passed(columns []int) (input int, from []int, ok bool) {
	if o.Kind() == KindUnknown {
		return 0, nil, false
	}
	from = make([]int, len(columns))
	for i, c := range columns {
		of, column, ok := o.Body.passes(c)
		if !ok || i > 0 && of != input {
			return 0, nil, false
		}
		input, from[i] = of, column
	}
	return input, from, true
}

// count returns 0, 1, ... n-1.
func count(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
