package jobgraph

import (
	"fmt"

	"millrace/expr"
	"millrace/types"
)

// LookupJoinSpec joins each row with those of a table outside the job that have its key when it comes (FOR SYSTEM_TIME AS OF processing
// time). Its output has the columns of the input, then those of the table.
type LookupJoinSpec struct {
	Type  JoinType // inner or left
	Table LookupTable
	// Keys are columns of the input and of the table, at least one of each. NULL meets nothing.
	Keys JoinKeys
	// Condition must be TRUE for a pair, over the columns of the input and the table; nil is none.
	Condition expr.Expr
}

// LookupTable is a table in which rows are looked up.
type LookupTable struct {
	Connector string
	Options   map[string]string
	Schema    *types.Schema
}

func (*LookupJoinSpec) kind() OperatorKind { return KindLookupJoin }

func (*LookupJoinSpec) inputs() (least, most int) { return 1, 1 }

func (s *LookupJoinSpec) output(in []*types.Schema) (*types.Schema, error) {
	return JoinedSchema(s.Type, in[0], s.Table.Schema), nil
}

func (*LookupJoinSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *LookupJoinSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.Type > LeftJoin {
		c.addf("type", "a lookup join is inner or left, not %s", s.Type)
	}
	if len(s.Keys.Left) == 0 {
		c.addf("keys", "there are none: a lookup needs a key")
	}
	if len(s.Keys.NullsMeet) > 0 {
		c.addf("keys.nulls_meet", "NULL is not looked up")
	}
	if !c.schema(c.id, c.at("table.schema"), s.Table.Schema) {
		return nil
	}
	both := []*types.Schema{in[0], s.Table.Schema}
	c.joinKeys("keys", &s.Keys, both)
	c.lookupTable(&s.Table)
	return c.joined(s.Type, s.Condition, both)
}

// lookupTable checks the connector of a table and its options.
func (c *operatorCheck) lookupTable(t *LookupTable) {
	known := false
	for _, name := range c.known.Lookups() {
		known = known || name == t.Connector
	}
	if !known {
		c.unknown(c.id, c.at("table.connector"), "lookup connector", t.Connector, c.known.Lookups())
		return
	}
	c.foreign(c.id, c.at("table"), c.known.CheckLookup(t))
}

func (s *LookupJoinSpec) explain(e *explainer, in []*types.Schema) {
	e.line(2, "%s join on %s with a table of %s", s.Type, joinKeysText(&s.Keys, []*types.Schema{in[0], s.Table.Schema}), s.Table.Connector)
	e.options(s.Table.Options)
	e.line(2, "whose columns are %s", fmt.Sprint(s.Table.Schema))
	if s.Condition != nil {
		e.line(2, "where %s", s.Condition)
	}
}
