package physical

import (
	"slices"

	"millrace/expr"
	"millrace/internal/failure"
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
