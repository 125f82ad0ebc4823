package optimize

import (
	"math"
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

var (
	rankRule              = rule{"top-n", topN}
	deduplicateRule       = rule{"deduplicate", deduplicate}
	rankWindowRule        = rule{"window-top-n", windowTopN}
	deduplicateWindowRule = rule{"window-deduplicate", windowDeduplicate}
)

// topN makes a Rank of a condition with an upper bound over a ROW_NUMBER. What else is asked for stays above.
func topN(_ *optimizer, n plan.Node) plan.Node {
	f, ok := n.(*plan.Filter)
	if !ok {
		return nil
	}
	over, ok := f.Input.(*plan.Over)
	if !ok || len(over.Calls) != 1 || over.Calls[0].Func != "ROW_NUMBER" {
		return nil
	}
	r := &plan.Rank{
		Input: over.Input, Partition: over.Partition, Order: over.Order, From: 1, To: math.MaxInt64,
		ToColumn: plan.NoColumn, Number: true, WindowEnd: plan.NoColumn, Result: over.Result,
	}
	var above []expr.Expr
	for _, e := range plan.Conjuncts(f.Condition) {
		if !bounds(r, e, len(over.Result)-1) {
			above = append(above, e)
		}
	}
	if r.ToColumn == plan.NoColumn && r.To == math.MaxInt64 {
		return nil
	}
	if r.ToColumn == plan.NoColumn && r.To < r.From {
		return &plan.Values{Result: f.Schema()} // no rank is in the range
	}
	return filtered(r, above)
}

// bounds takes a condition for a bound of the rank, which stands in a column, and tells whether it is one.
func bounds(r *plan.Rank, e expr.Expr, rank int) bool {
	call, ok := e.(*expr.Call)
	if !ok || len(call.Args) < 2 {
		return false
	}
	if call.Func == "BETWEEN" {
		low, isLow := number(call.Args[1])
		high, isHigh := number(call.Args[2])
		if !isColumn(call.Args[0], rank) || !isLow || !isHigh {
			return false
		}
		r.From, r.To = max(r.From, low), min(r.To, high)
		return true
	}
	op, x, y := call.Func, call.Args[0], call.Args[1]
	if isColumn(y, rank) {
		op, x, y = mirrored[op], y, x
	}
	if !isColumn(x, rank) {
		return false
	}
	limit, ok := number(y)
	if !ok {
		return boundByColumn(r, op, y, rank)
	}
	return boundBy(r, op, limit)
}

// mirrored has the comparison with both sides exchanged.
var mirrored = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}

func boundBy(r *plan.Rank, op string, limit int64) bool {
	switch op {
	case "<=":
		r.To = min(r.To, limit)
	case "<":
		if limit == math.MinInt64 {
			return false
		}
		r.To = min(r.To, limit-1)
	case ">=":
		r.From = max(r.From, limit)
	case ">":
		if limit == math.MaxInt64 {
			return false
		}
		r.From = max(r.From, limit+1)
	case "=":
		r.From, r.To = max(r.From, limit), min(r.To, limit)
	default:
		return false
	}
	return true
}

// boundByColumn takes a bound that each partition's rows have in a column.
func boundByColumn(r *plan.Rank, op string, e expr.Expr, rank int) bool {
	if cast, ok := e.(*expr.Cast); ok {
		e = cast.X
	}
	c, ok := e.(*expr.Column)
	if !ok || op != "<=" || c.Index >= rank || r.ToColumn != plan.NoColumn || c.T.Kind < types.TinyInt || c.T.Kind > types.BigInt {
		return false
	}
	r.ToColumn = c.Index
	return true
}

func isColumn(e expr.Expr, column int) bool {
	c, ok := e.(*expr.Column)
	return ok && c.Index == column
}

// number returns the value of an integer constant.
func number(e expr.Expr) (int64, bool) {
	l, ok := e.(*expr.Literal)
	if !ok || l.T.Kind < types.TinyInt || l.T.Kind > types.BigInt {
		return 0, false
	}
	v, ok := l.Value.(int64)
	return v, ok
}

// deduplicate makes of the first row by a time attribute what needs no ranks.
func deduplicate(_ *optimizer, n plan.Node) plan.Node {
	r, ok := n.(*plan.Rank)
	if !ok || r.From != 1 || r.To != 1 || r.ToColumn != plan.NoColumn || len(r.Order) != 1 {
		return nil
	}
	in := r.Input.Schema()
	by := r.Order[0]
	if in[by.Column].Time == plan.NoTime {
		return nil
	}
	d := &plan.Deduplicate{Input: r.Input, Keys: r.Partition, Time: by.Column, KeepLast: by.Descending, WindowEnd: r.WindowEnd}
	if !r.Number {
		return d
	}
	var p projection
	for i := range in {
		p.pass(in, i)
	}
	rank := r.Result[len(in)]
	p.add(&expr.Literal{T: rank.Type, Value: int64(1)}, rank)
	return p.over(d)
}

// windowTopN ranks within windows where the partition has them.
func windowTopN(o *optimizer, n plan.Node) plan.Node {
	r, ok := n.(*plan.Rank)
	if !ok || r.WindowEnd != plan.NoColumn || r.ToColumn != plan.NoColumn {
		return nil
	}
	w, rest := o.windowOfKeys(r.Input, r.Partition)
	if w == nil {
		return nil
	}
	c := *r
	c.Partition, c.WindowEnd = rest, w.end
	return &c
}

func windowDeduplicate(o *optimizer, n plan.Node) plan.Node {
	d, ok := n.(*plan.Deduplicate)
	if !ok || d.WindowEnd != plan.NoColumn {
		return nil
	}
	w, rest := o.windowOfKeys(d.Input, d.Keys)
	if w == nil {
		return nil
	}
	c := *d
	c.Keys, c.WindowEnd = rest, w.end
	return &c
}

// windowOfKeys returns the window of a node's rows, which a watermark closes, and the keys without its columns, if both its start and its end
// are keys.
func (o *optimizer) windowOfKeys(n plan.Node, keys []int) (w *window, rest []int) {
	w = windowOf(n)
	if w == nil || !o.closed(w) || !slices.Contains(keys, w.start) || !slices.Contains(keys, w.end) {
		return nil, nil
	}
	for _, k := range keys {
		if k != w.start && k != w.end && k != w.time {
			rest = append(rest, k)
		}
	}
	return w, rest
}
