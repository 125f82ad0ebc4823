package physical

import (
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// grouping is GROUPING(a, b, ...): a bit for each key, set where the row's set lacks it, the first key's highest.
func (p *planner) grouping(n *plan.Aggregate, c *plan.Call, set expr.Expr) expr.Expr {
	bigint := types.Of(types.BigInt).NotNull()
	out := &expr.Case{T: bigint, Else: &expr.Literal{T: bigint, Value: int64(0)}}
	for i, keys := range n.Sets {
		var bits int64
		for _, arg := range c.Args {
			bits <<= 1
			if !slices.ContainsFunc(keys, func(k int) bool { return n.Keys[k] == arg }) {
				bits++
			}
		}
		is, err := expr.NewCall(p.Functions, "=", set, &expr.Literal{T: bigint, Value: int64(i)})
		if err != nil {
			p.fail(failure.Internalf("GROUPING: %w", err))
			return set
		}
		out.Whens = append(out.Whens, expr.When{If: is, Then: &expr.Literal{T: bigint, Value: bits}})
	}
	return out
}

// ofTheirSets has calls that look at the rows of one set alone filter by its number, which stands in the last column.
func (p *planner) ofTheirSets(n *plan.Aggregate, in *step, calls []plan.Call) (*step, []plan.Call) {
	columns := passing(in.out)
	width := len(columns)
	filters := make(map[[2]int]int) // by set and filter
	for i := range calls {
		c := &calls[i]
		if c.Set == 0 {
			continue
		}
		key := [2]int{c.Set, c.Filter}
		if _, known := filters[key]; !known {
			filters[key] = len(columns)
			columns = append(columns, jobgraph.Projection{Name: fmt.Sprintf("%s%d", setID, len(columns)), Expr: p.ofSet(c, columns[width-1].Expr, columns)})
		}
		c.Filter = filters[key]
	}
	if len(columns) == width {
		return in, calls
	}
	return p.calc(n, in, nil, columns), calls
}

// ofSet is the condition of a call's rows.
func (p *planner) ofSet(c *plan.Call, set expr.Expr, columns []jobgraph.Projection) expr.Expr {
	out, err := expr.NewCall(p.Functions, "=", set, &expr.Literal{T: types.Of(types.BigInt).NotNull(), Value: int64(c.Set - 1)})
	if err == nil && c.Filter != plan.NoColumn {
		out, err = expr.NewCall(p.Functions, "AND", out, columns[c.Filter].Expr)
	}
	if err != nil {
		p.fail(failure.Internalf("rows of set %d: %w", c.Set, err))
		return set
	}
	return out
}
