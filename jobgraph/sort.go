package jobgraph

import (
	"fmt"
	"strings"

	"millrace/types"
)

// SortColumn is an item of an ORDER BY. NULL comes first unless it comes last, whatever the direction.
type SortColumn struct {
	Column     int // of the input
	Descending bool
	NullsLast  bool
}

// Sortable tells whether SQL orders the values of a type. Those of ARRAY, MAP and ROW it does not here.
func Sortable(t types.Type) bool {
	switch t.Layout() {
	case types.LayoutNone, types.LayoutList, types.LayoutStruct:
		return false
	default:
		return true
	}
}

// sortColumns checks an ORDER BY over an input, nil where it is not known.
func (c *operatorCheck) sortColumns(field string, columns []SortColumn, in *types.Schema) {
	if !c.atMost(c.id, c.at(field), len(columns), KeysMax) || in == nil {
		return
	}
	for i, s := range columns {
		at := fmt.Sprintf("%s[%d].column", field, i)
		if !c.column(c.id, c.at(at), s.Column, in) {
			continue
		}
		if f := in.Fields[s.Column]; !Sortable(f.Type) {
			c.addf(at, "column %s can't be sorted by: it is %s", f.Name, f.Type)
		}
	}
}

// storable checks that the rows of an input, nil where it is not known, can stand in a table of state.
func (c *operatorCheck) storable(in *types.Schema) {
	if in == nil {
		return
	}
	for _, f := range in.Fields {
		if !Sortable(f.Type) {
			c.addf("", "column %s can't stand in state: it is %s; leave it out of the query, or turn it into a string before", f.Name, f.Type)
		}
	}
}

// sortText shows an ORDER BY to people.
func sortText(in *types.Schema, columns []SortColumn) string {
	if len(columns) == 0 {
		return "arrival"
	}
	parts := make([]string, len(columns))
	for i, s := range columns {
		parts[i] = in.Fields[s.Column].Name
		if s.Descending {
			parts[i] += " DESC"
		}
		switch {
		case s.NullsLast:
			parts[i] += " NULLS LAST"
		case s.Descending:
			parts[i] += " NULLS FIRST"
		}
	}
	return strings.Join(parts, ", ")
}

// SortSpec puts rows in order: all of them at the end of bounded input, or, where Time names the event-time column, those that
// the watermark has reached; then rows with a time at or before it are late. Its input is +I only. It needs one task.
type SortSpec struct {
	// Order is what rows are sorted by; rows that it does not tell apart stay as they arrived. With Time that is
	// what counts first, ascending.
	Order []SortColumn
	Time  int // an event-time column, TIMESTAMP(0..3); NoColumn: the input is bounded
}

func (*SortSpec) kind() OperatorKind { return KindSort }

func (*SortSpec) inputs() (least, most int) { return 1, 1 }

func (*SortSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

func (*SortSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *SortSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if len(s.Order) == 0 && s.Time == NoColumn {
		c.addf("order", "there is none")
	}
	c.sortColumns("order", s.Order, in[0])
	c.windowEnd("time", s.Time, in[0])
	c.storable(in[0])
	c.single()
	return in[0]
}

func (s *SortSpec) explain(e *explainer, in []*types.Schema) {
	switch {
	case s.Time == NoColumn:
		e.line(2, "by %s, at the end", sortText(in[0], s.Order))
	case len(s.Order) == 0:
		e.line(2, "by event time %s", in[0].Fields[s.Time].Name)
	default:
		e.line(2, "by event time %s, %s", in[0].Fields[s.Time].Name, sortText(in[0], s.Order))
	}
}
