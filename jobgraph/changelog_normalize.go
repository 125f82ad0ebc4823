package jobgraph

import (
	"time"

	"millrace/expr"
	"millrace/types"
)

// ChangelogNormalizeSpec turns changes by key, of which some may be said twice or take back what nobody has, into a
// changelog of whole rows: retract, or upsert by Keys without UpdateBefore.
type ChangelogNormalizeSpec struct {
	Keys []int
	// Filter leaves out rows for which it does not hold, as if they were deleted; nil: none.
	Filter expr.Expr
	// UpdateBefore gives a -U in front of each +U.
	UpdateBefore bool
	// EachChange gives every change of a key, also of one that has several in a batch: for whom each is a version with a time of its own.
	EachChange bool
	// FinalOnly gives the rows once, at the end of bounded input, as +I.
	FinalOnly bool
	// TTL is how long a key is kept that does not change; 0: for ever.
	TTL time.Duration
}

func (*ChangelogNormalizeSpec) kind() OperatorKind { return KindChangelogNormalize }

func (*ChangelogNormalizeSpec) inputs() (least, most int) { return 1, 1 }

func (*ChangelogNormalizeSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

func (*ChangelogNormalizeSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *ChangelogNormalizeSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	c.keys(c.id, c.at("keys"), s.Keys, in[0])
	if len(s.Keys) == 0 {
		c.addf("keys", "there are none: changes are by key")
		return in[0]
	}
	if s.EachChange && s.FinalOnly {
		c.addf("each_change", "does not go with final_only, which gives no changes")
	}
	c.storable(in[0])
	c.ttl("ttl", s.TTL)
	if s.Filter != nil && c.expr(c.id, c.at("filter"), s.Filter, in[0]) {
		if t := s.Filter.Type(); t.Kind != types.Boolean {
			c.addf("filter", "is %s, want BOOLEAN", t)
		}
	}
	c.keyed(0, s.Keys, s.Keys)
	return in[0]
}

func (s *ChangelogNormalizeSpec) explain(e *explainer, in []*types.Schema) {
	e.line(2, "keys (%s)", columnNames(in[0], s.Keys))
	if s.Filter != nil {
		e.line(2, "where %s", s.Filter)
	}
	if s.EachChange {
		e.line(2, "gives each change")
	}
	e.changes(s.UpdateBefore, s.FinalOnly, s.TTL)
}
