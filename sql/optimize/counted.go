package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

var (
	countedSetRule  = rule{"set-all-to-counts", countedSet}
	singleValueRule = rule{"single-value", singleValue}
)

// countedSet turns INTERSECT ALL and EXCEPT ALL into counts: how often a row is on each side says how often it is in the result, and so often it comes
// then.
func countedSet(o *optimizer, n plan.Node) plan.Node {
	s, ok := n.(*plan.Set)
	if !ok || s.Kind == plan.Union || !s.All || len(s.Of) != 2 {
		return nil
	}
	for _, c := range s.Result {
		if c.Type.Layout() >= types.LayoutList { // can't be a key
			return nil
		}
	}
	c := &counted{optimizer: o, of: s, width: len(s.Result)}
	counts := c.counts()
	if counts == nil {
		return nil
	}
	times := c.times(counts.Schema())
	some := c.call(">", times, bigint(0))
	if c.broken {
		return nil
	}
	each := &plan.Correlate{
		Kind: plan.Inner, Func: plan.ReplicateRows, Args: []expr.Expr{times}, Input: &plan.Filter{Input: counts, Condition: some}, Result: counts.Schema(),
	}
	return renamed(only(each, plan.Counted(c.width)), s.Result)
}

// counted makes the expressions of a countedSet. Where the registry lacks a function it is broken, and the set stays as it is.
type counted struct {
	*optimizer
	of     *plan.Set
	width  int
	broken bool
}

func bigint(v int64) expr.Expr { return &expr.Literal{T: types.Of(types.BigInt).NotNull(), Value: v} }

func text(s string) expr.Expr { return &expr.Literal{T: types.StringType().NotNull(), Value: s} }

func (c *counted) call(name string, args ...expr.Expr) expr.Expr {
	if c.broken {
		return bigint(0)
	}
	out, err := expr.NewCall(c.Functions, name, args...)
	if err != nil {
		c.broken = true
		return bigint(0)
	}
	return out
}

// counts are the distinct rows of both sides, with two columns behind them: how often a row is on the left, and on the right.
func (c *counted) counts() plan.Node {
	all := &plan.Set{Kind: plan.Union, All: true, Result: slices.Clone(c.of.Result)}
	for i := range all.Result {
		all.Result[i].Time = plan.NoTime
	}
	one := types.Of(types.BigInt).NotNull()
	all.Result = append(all.Result, plan.Column{Name: "$left", Type: one}, plan.Column{Name: "$right", Type: one})
	for i, in := range c.of.Of {
		var p projection
		for k := range c.width {
			column := in.Schema()[k]
			column.Name, column.Time = c.of.Result[k].Name, plan.NoTime
			p.add(in.Schema().Ref(k), column)
		}
		p.add(bigint(int64(1-i)), all.Result[c.width])
		p.add(bigint(int64(i)), all.Result[c.width+1])
		all.Of = append(all.Of, p.over(in))
	}
	out := &plan.Aggregate{Input: all, Keys: plan.Counted(c.width), Result: slices.Clone(all.Result[:c.width])}
	sum, err := expr.AggregateType("SUM", one)
	if err != nil {
		return nil
	}
	for i, name := range []string{"$left", "$right"} {
		out.Calls = append(out.Calls, plan.Call{Func: "SUM", Args: []int{c.width + i}, Filter: plan.NoColumn, Name: name, Type: sum})
		out.Result = append(out.Result, plan.Column{Name: name, Type: sum})
	}
	return out
}

// times is how often a row is in the result.
func (c *counted) times(in plan.Schema) expr.Expr {
	left, right := in.Ref(c.width), in.Ref(c.width+1)
	if c.of.Kind == plan.Except {
		return c.call("-", left, right)
	}
	return &expr.Case{Whens: []expr.When{{If: c.call("<", left, right), Then: left}}, Else: right, T: left.T}
}

// singleValue has a scalar subquery that may give several rows counted: a second row is an error, as soon as it is there. The value is the first column; those behind
// it are what the subquery is tied to the left rows by, each of which has its own count.
func singleValue(o *optimizer, n plan.Node) plan.Node {
	j, ok := n.(*plan.Join)
	if !ok || !j.Single {
		return nil
	}
	in := j.Right.Schema()
	tied := tiedBy(j)
	if oneRow(j.Right, tied) || !slices.Equal(tied, plan.Counted(len(in))[1:]) {
		return nil
	}
	most, err := expr.AggregateType("MAX", in[0].Type)
	if err != nil {
		return nil
	}
	count := types.Of(types.BigInt).NotNull()
	rows := &plan.Aggregate{Input: j.Right, Keys: tied, Calls: []plan.Call{
		{Func: "MAX", Args: []int{0}, Filter: plan.NoColumn, Name: "$value", Type: most}, {Func: "COUNT", Filter: plan.NoColumn, Name: "$rows", Type: count},
	}}
	for _, c := range tied {
		rows.Result = append(rows.Result, plan.Column{Name: in[c].Name, Type: in[c].Type})
	}
	rows.Result = append(rows.Result, plan.Column{Name: "$value", Type: most}, plan.Column{Name: "$rows", Type: count})
	checked := o.checked(j.Right, rows.Result.Ref(len(tied)), rows.Result.Ref(len(tied)+1))
	if checked == nil {
		return nil
	}
	c := *j
	var p projection
	p.add(checked, plan.Column{Name: in[0].Name, Type: checked.Type()})
	for i := range tied {
		p.pass(rows.Result, i)
	}
	c.Right = p.over(rows)
	return &c
}

// tiedBy returns the right columns of a join that are equal to something of the left, in order.
func tiedBy(j *plan.Join) (columns []int) {
	for _, e := range plan.Conjuncts(j.Condition) {
		if eq, ok := equalityOf(e, len(j.Left.Schema())); ok {
			if c, ok := eq.right.(*expr.Column); ok && !slices.Contains(columns, c.Index) {
				columns = append(columns, c.Index)
			}
		}
	}
	slices.Sort(columns)
	return columns
}

// checked is a value that it is an error to evaluate where there are several rows of it; nil where the registry lacks a function.
func (o *optimizer) checked(of plan.Node, value, rows *expr.Column) *expr.Case {
	one, err := expr.NewCall(o.Functions, "<=", rows, bigint(1))
	if err != nil {
		return nil
	}
	// The text is no number: evaluating this fails, and says what is wrong.
	fails, err := expr.NewCall(o.Functions, "=", &expr.Cast{X: text("subquery returns more than one row: " + shortened(of)), To: types.Of(types.Int)}, rows)
	if err != nil {
		return nil
	}
	return &expr.Case{Whens: []expr.When{{If: one, Then: value}, {If: fails, Then: value}}, T: value.T.AsNullable()}
}

// oneRow tells whether a relation has one row at most of equal values in those columns, whatever is read.
func oneRow(n plan.Node, of []int) bool {
	switch n := n.(type) {
	case *plan.Aggregate:
		return !slices.ContainsFunc(plan.Counted(len(n.Keys)), func(k int) bool { return !slices.Contains(of, k) }) && n.Window == nil && n.Sets == nil
	case *plan.Values:
		return len(n.Rows) <= 1
	case *plan.Project:
		var below []int
		for _, c := range of {
			if x, ok := n.Columns[c].(*expr.Column); ok {
				below = append(below, x.Index)
			}
		}
		return oneRow(n.Input, below)
	case *plan.Filter:
		return oneRow(n.Input, of)
	default:
		return false
	}
}

// shortened names a relation by what it is made of, in as many words as an error bears.
func shortened(n plan.Node) string {
	const most = 200
	out := plan.Line(n)
	for in := n.Inputs(); len(in) > 0 && len(out) < most; in = in[0].Inputs() {
		out += " of " + plan.Line(in[0])
	}
	if runes := []rune(out); len(runes) > most {
		out = string(runes[:most]) + " ..."
	}
	return out
}
