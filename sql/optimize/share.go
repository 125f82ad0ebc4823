package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
)

// share makes equal parts of the plans one node. Sinks stay apart, and so does what gives other values each time.
func (o *optimizer) share(roots []plan.Node) []plan.Node {
	if o.KeepParts {
		return roots
	}
	s := &sharer{
		optimizer: o, byKey: make(map[string]plan.Node),
		number: make(map[plan.Node]int), done: make(map[plan.Node]plan.Node),
	}
	out := make([]plan.Node, len(roots))
	for i, r := range roots {
		out[i] = s.node(r)
	}
	return out
}

type sharer struct {
	*optimizer
	byKey  map[string]plan.Node
	number map[plan.Node]int
	done   map[plan.Node]plan.Node
}

func (s *sharer) node(n plan.Node) plan.Node {
	if out, ok := s.done[n]; ok {
		return out
	}
	out := withInputs(n, s.node)
	if s.mayShare(out) {
		key := nodeKey(out, s.number)
		if same, ok := s.byKey[key]; ok {
			out = same
		} else {
			s.byKey[key] = out
		}
	}
	if _, ok := s.number[out]; !ok {
		s.number[out] = len(s.number) + 1
	}
	s.done[n] = out
	return out
}

func (s *sharer) mayShare(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Sink, *plan.Collect:
		return false
	case *plan.Scan:
		return !s.KeepScans
	case *plan.Project:
		return s.allSteady(n.Columns)
	case *plan.Values:
		return !slices.ContainsFunc(n.Rows, func(row []expr.Expr) bool { return !s.allSteady(row) })
	case *plan.Filter:
		return s.steady(n.Condition)
	case *plan.Join:
		return n.Condition == nil || s.steady(n.Condition)
	case *plan.TemporalJoin:
		return n.Condition == nil || s.steady(n.Condition)
	case *plan.Correlate:
		return s.allSteady(n.Args)
	default:
		return true
	}
}

func (s *sharer) allSteady(es []expr.Expr) bool {
	for _, e := range es {
		if !s.steady(e) {
			return false
		}
	}
	return true
}
