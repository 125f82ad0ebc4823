package jobgraph

import (
	"slices"

	"millrace/expr"
)

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
		if x.Operators[k-1].Union != nil {
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

// keyed checks that all rows of a key come to one subtask of a WindowAggregate,
// the one that owns the key's group: its keys are those of the HASH by which
// they came, in that order.
func (v *validator) keyed(i, k int, field string, w *WindowAggregateSpec) {
	x := &v.g.Vertices[i]
	columns := w.Keys
	if w.Partial {
		columns = count(len(w.Keys))
	}
	if x.Source == nil && len(v.inputs[i]) == 0 || v.meet(i, k, columns, make(map[spot]bool)) {
		return
	}
	if len(w.Keys) == 0 {
		v.add(x.ID, field+".keys", "an aggregate without keys needs parallelism 1 of its vertex")
		return
	}
	v.add(x.ID, field+".keys", "rows of one key may reach several subtasks: they must come by HASH of the same columns in the same order, or the vertex needs parallelism 1")
}

// meet tells whether rows with equal values in the columns of operator k's input
// are in the subtask that owns them as a key.
func (v *validator) meet(i, k int, columns []int, seen map[spot]bool) bool {
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
		from, ok := x.Operators[k-1].inputColumns(columns)
		return ok && v.meet(i, k-1, from, seen)
	}
	for _, e := range v.inputs[i] {
		if !v.meetBy(&e, columns, seen) {
			return false
		}
	}
	return x.Source == nil && len(v.inputs[i]) > 0
}

func (v *validator) meetBy(e *Edge, columns []int, seen map[spot]bool) bool {
	from := v.vertices[e.From]
	last := len(v.g.Vertices[from].Operators)
	switch {
	case e.Kind == Hash:
		return slices.Equal(e.Keys, columns)
	case e.Kind == Forward && e.Port == 0:
		return v.meet(from, last, columns, seen)
	case e.Kind == Forward && e.Port == 1 && last > 0: // late rows: the last operator's input
		return v.meet(from, last-1, columns, seen)
	default:
		return false
	}
}

// inputColumns returns the columns of the operator's input that are passed on
// unchanged as these columns of its output; false where one is not.
func (o *OperatorSpec) inputColumns(columns []int) ([]int, bool) {
	out := make([]int, len(columns))
	for i, c := range columns {
		out[i] = -1
		switch o.Kind() {
		case KindUnion:
			out[i] = c
		case KindCalc:
			if c >= 0 && c < len(o.Calc.Columns) {
				out[i] = passedOn(o.Calc.Columns[c].Expr)
			}
		case KindLocalAggregate:
			out[i] = keyAt(o.LocalAggregate.Keys, c)
		case KindWindowAggregate:
			keys := o.WindowAggregate.Keys
			if o.WindowAggregate.Partial {
				keys = count(len(keys))
			}
			out[i] = keyAt(keys, c)
		case KindUnknown: // is refused elsewhere
		}
		if out[i] < 0 {
			return nil, false
		}
	}
	return out, true
}

func passedOn(e expr.Expr) int {
	if c, ok := e.(*expr.Column); ok && c != nil {
		return c.Index
	}
	return -1
}

func keyAt(keys []int, c int) int {
	if c < 0 || c >= len(keys) {
		return -1
	}
	return keys[c]
}

// count returns 0, 1, ... n-1.
func count(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
