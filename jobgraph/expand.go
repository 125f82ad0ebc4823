package jobgraph

import (
	"fmt"
	"slices"
	"strings"

	"millrace/types"
)

// ExpandSpec gives each row once for each grouping set: the columns of the input, some of them NULL, then
// a BIGINT that tells the sets apart. Aggregates over GROUPING SETS, ROLLUP and CUBE group by it, too.
type ExpandSpec struct {
	Sets []GroupingSet
	ID   string // the name of the column that tells the sets apart
}

// GroupingSet is one of them.
type GroupingSet struct {
	Nulls []int // columns that are NULL
	ID    int64
}

func (*ExpandSpec) kind() OperatorKind { return KindExpand }

func (*ExpandSpec) inputs() (least, most int) { return 1, 1 }

func (s *ExpandSpec) output(in []*types.Schema) (*types.Schema, error) {
	fields := slices.Clone(in[0].Fields)
	for _, set := range s.Sets {
		for _, c := range set.Nulls {
			fields[c].Type = fields[c].Type.AsNullable()
		}
	}
	return types.NewSchema(append(fields, types.Field{Name: s.ID, Type: types.Of(types.BigInt).NotNull()})...), nil
}

func (s *ExpandSpec) passes(column int) (input, from int, ok bool) {
	for _, set := range s.Sets {
		if slices.Contains(set.Nulls, column) {
			return 0, 0, false
		}
	}
	return 0, column, column >= 0
}

func (s *ExpandSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	found := c.problems.Len()
	if len(s.Sets) == 0 {
		c.addf("sets", "there are none")
	}
	c.atMost(c.id, c.at("sets"), len(s.Sets), GroupingSetsMax)
	if s.ID == "" {
		c.addf("id", "is empty")
	}
	seen := make(map[int64]bool)
	for i, set := range s.Sets {
		field := fmt.Sprintf("sets[%d]", i)
		if seen[set.ID] {
			c.addf(field+".id", "%d is another set's, too", set.ID)
		}
		seen[set.ID] = true
		for k, column := range set.Nulls {
			if in[0] != nil {
				c.column(c.id, fmt.Sprintf("%s.nulls[%d]", c.at(field), k), column, in[0])
			}
		}
	}
	if in[0] == nil || c.problems.Len() > found {
		return nil
	}
	return c.schemaOf(s.output(in))
}

func (s *ExpandSpec) explain(e *explainer, in []*types.Schema) {
	for _, set := range s.Sets {
		var nulls strings.Builder
		if len(set.Nulls) > 0 {
			fmt.Fprintf(&nulls, " without (%s)", columnNames(in[0], set.Nulls))
		}
		e.line(2, "%s = %d%s", s.ID, set.ID, nulls.String())
	}
}
