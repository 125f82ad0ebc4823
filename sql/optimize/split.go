package optimize

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

var splitDistinctRule = rule{"distinct-split", splitDistinct}

// splitDistinct aggregates in two levels where values count once: first the values of each bucket, by their hash, and then what that gives. A group
// with many rows is many groups on the first level, which lie in many tasks. Values of different columns have different buckets, so
// that each row is there once for each of those columns, as for grouping sets; all other calls look at the rows of the first.
//
// What goes by the order of rows stays whole, for groups of the first level don't keep it among each other.
func splitDistinct(o *optimizer, n plan.Node) plan.Node {
	a, ok := n.(*plan.Aggregate)
	if !ok || o.Buckets == 0 || a.Window != nil || a.Sets != nil || slices.ContainsFunc(a.Calls, whole) || firstLevel(a) {
		return nil
	}
	s := &split{optimizer: o, of: a, by: distinctColumns(a)}
	if len(s.by) == 0 || len(s.by) > splitColumnsMax || len(s.by) > 1 && windowed(a) || !o.staysInWindow(a) {
		return nil
	}
	s.read()
	for _, c := range a.Calls {
		s.call(c)
	}
	if s.broken {
		return nil
	}
	return s.levels()
}

// firstLevel tells of an aggregate that it is one of buckets.
func firstLevel(a *plan.Aggregate) bool {
	p, ok := a.Input.(*plan.Project)
	return ok && slices.ContainsFunc(a.Keys, func(k int) bool {
		c, ok := p.Columns[k].(*expr.Call)
		return ok && c.Func == expr.HashBucket
	})
}

// whole tells of a call that it can't be made of what it gives of parts of the rows.
func whole(c plan.Call) bool {
	if len(c.Args) > 1 || countsOnce(c) && len(c.Args) == 0 {
		return true
	}
	switch c.Func {
	case "COUNT", "SUM", "SUM0", "MIN", "MAX", "AVG":
		return false
	default:
		return true
	}
}

// countsOnce tells of a call that each value counts once, and that this makes a difference.
func countsOnce(c plan.Call) bool { return c.Distinct && c.Func != "MIN" && c.Func != "MAX" }

// distinctColumns returns the columns whose values count once, in order, keys last: of those a group has one value, and one bucket. There are none
// where all of them are keys.
func distinctColumns(a *plan.Aggregate) (out []int) {
	in := a.Input.Schema()
	for _, c := range a.Calls {
		if !countsOnce(c) || slices.Contains(out, c.Args[0]) {
			continue
		}
		if l := in[c.Args[0]].Type.Layout(); l == types.LayoutNone || l >= types.LayoutList {
			return nil // has no hash
		}
		out = append(out, c.Args[0])
	}
	slices.Sort(out)
	isKey := func(c int) bool { return slices.Contains(a.Keys, c) }
	values := slices.DeleteFunc(slices.Clone(out), isKey)
	if len(values) == 0 {
		return nil
	}
	return append(values, slices.DeleteFunc(out, func(c int) bool { return !isKey(c) })...)
}

// windowed tells of an aggregate that it is one in windows, which it has among its keys.
func windowed(a *plan.Aggregate) bool {
	w := windowOf(a.Input)
	return w != nil && slices.Contains(a.Keys, w.start) && slices.Contains(a.Keys, w.end)
}

// staysInWindow tells that both levels of an aggregate in windows are in windows, if it is one.
func (o *optimizer) staysInWindow(a *plan.Aggregate) bool {
	if !windowed(a) {
		return true
	}
	w := windowOf(a.Input)
	return o.closed(w) && w.of.Kind != plan.Session
}

// split is an aggregate in two levels while it is made.
type split struct {
	*optimizer
	of *plan.Aggregate
	by []int // the columns that have buckets
	// rows are the input with the buckets behind it, and what averages add up.
	rows    projection
	buckets int // where the buckets begin
	first   []plan.Call
	second  []plan.Call
	results []result
	broken  bool
}

// result is what a call is of the second level's: one of its calls, or of an average the sum, with the count behind it.
type result struct {
	call    int
	average bool
}

// read takes the input with a column for each of the buckets.
func (s *split) read() {
	in := s.of.Input.Schema()
	for i := range in {
		s.rows.pass(in, i)
	}
	s.buckets = len(in)
	n := &expr.Literal{T: types.Of(types.Int).NotNull(), Value: int64(s.Buckets)}
	for i, c := range s.by {
		e, err := expr.NewCall(s.Functions, expr.HashBucket, in.Ref(c), n)
		if err != nil {
			s.broken = true
			return
		}
		s.rows.add(e, plan.Column{Name: fmt.Sprintf("$bucket%d", i), Type: e.Type()})
	}
}

// call deals a call out to both levels.
func (s *split) call(c plan.Call) {
	if len(s.by) > 1 {
		c.Set = 1
		if i := slices.Index(s.by, argOf(c)); i >= 0 && countsOnce(c) {
			c.Set += i
		}
	}
	s.results = append(s.results, result{call: len(s.second), average: c.Func == "AVG"})
	switch c.Func {
	case "AVG":
		s.average(c)
	case "COUNT":
		s.add(c, "COUNT", "SUM0", "")
	default:
		s.add(c, c.Func, c.Func, "")
	}
}

func argOf(c plan.Call) int {
	if len(c.Args) == 0 {
		return plan.NoColumn
	}
	return c.Args[0]
}

// average takes an average as a sum and a count, with a sum in which nothing wraps that the average's would not.
func (s *split) average(c plan.Call) {
	at := s.of.Input.Schema().Ref(c.Args[0])
	sum, err := expr.AverageSumType(at.T)
	if err != nil {
		s.broken = true
		return
	}
	if sum.Nullable = at.T.Nullable; sum.Kind != at.T.Kind {
		c.Args = []int{len(s.rows.result)}
		s.rows.add(&expr.Cast{X: at, To: sum}, plan.Column{Name: fmt.Sprintf("$of%d", len(s.second)), Type: sum})
	}
	s.add(c, "SUM0", "SUM0", "$sum")
	s.add(c, "COUNT", "SUM0", "$count")
}

// add makes a call of the first level, and one of the second over what that gives.
func (s *split) add(c plan.Call, first, second, suffix string) {
	c.Func, c.Name = first, c.Name+suffix
	c.Type = s.typeOf(first, c.Args, s.rows.result)
	again := plan.Call{Func: second, Args: []int{len(s.of.Keys) + len(s.by) + len(s.first)}, Filter: plan.NoColumn, Name: c.Name}
	s.first = append(s.first, c)
	again.Type = s.typeOf(second, []int{0}, plan.Schema{{Type: c.Type}})
	s.second = append(s.second, again)
}

func (s *split) typeOf(function string, args []int, in plan.Schema) types.Type {
	of := make([]types.Type, len(args))
	for i, a := range args {
		of[i] = in[a].Type
	}
	t, err := expr.AggregateResult(function, of)
	s.broken = s.broken || err != nil
	return t
}

// levels puts both together.
func (s *split) levels() plan.Node {
	a, keys := s.of, len(s.of.Keys)
	first := &plan.Aggregate{Input: s.rows.over(a.Input), Keys: slices.Clone(a.Keys), Calls: s.first, Hints: a.Hints, Result: slices.Clone(a.Result[:keys])}
	for i := range s.by {
		first.Keys = append(first.Keys, s.buckets+i)
		c := s.rows.result[s.buckets+i]
		if len(s.by) > 1 {
			c.Type = c.Type.AsNullable()
			first.Sets = append(first.Sets, append(plan.Counted(keys), keys+i))
		}
		first.Result = append(first.Result, c)
	}
	first.Result = append(first.Result, columnsOf(s.first)...)
	second := &plan.Aggregate{Input: first, Keys: plan.Counted(keys), Calls: s.second, Hints: a.Hints, Result: append(slices.Clone(a.Result[:keys]), columnsOf(s.second)...)}
	var out projection
	for i := range keys {
		out.pass(second.Result, i)
	}
	same := true
	for i, r := range s.results {
		e := s.value(r, second.Result, a.Result[keys+i].Type)
		same = same && !r.average && e.Type().Equal(a.Result[keys+i].Type)
		out.add(e, a.Result[keys+i])
	}
	switch {
	case s.broken:
		return nil
	case same:
		second.Result = a.Result
		return second
	default:
		return out.over(second)
	}
}

func columnsOf(calls []plan.Call) (out []plan.Column) {
	for _, c := range calls {
		out = append(out, plan.Column{Name: c.Name, Type: c.Type})
	}
	return out
}

// value is what a call gave before it was split.
func (s *split) value(r result, in plan.Schema, t types.Type) expr.Expr {
	at := in.Ref(len(s.of.Keys) + r.call)
	if !r.average {
		if !at.T.Equal(t) {
			return &expr.Cast{X: at, To: t}
		}
		return at
	}
	count := in.Ref(at.Index + 1)
	none, err := expr.NewCall(s.Functions, "=", count, bigint(0))
	if err != nil {
		s.broken = true
		return at
	}
	some := &expr.Case{Whens: []expr.When{{If: none, Then: expr.Null(count.T)}}, Else: count, T: count.T.AsNullable()}
	mean, err := expr.NewCall(s.Functions, "/", at, some)
	if err != nil {
		s.broken = true
		return at
	}
	if mean.T.Equal(t) {
		return mean
	}
	return &expr.Cast{X: mean, To: t}
}
