package jobgraph

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"millrace/types"
)

// NativeSpec calls a function of the job's program, which finds it by the operator's uid.
type NativeSpec struct {
	// What the function is, for people: map, filter, process, ...
	What   string
	Inputs []NativeInput
	// Output is what leaves by the main port. Without it the rows of the input leave unchanged, some or all.
	Output *types.Schema
	// Sides leave by the ports 1, 2, ...
	Sides []*types.Schema
	// Kept are the columns of Output that are columns of the input unchanged: Kept[i] is that of column i, NoColumn where it is none, and
	// so are those that it does not reach.
	Kept []int
	// Tables are what the function keeps, so that what becomes of them can be told without it.
	Tables []NativeTable
}

// NativeInput is what the function takes of one input.
type NativeInput struct {
	Schema *types.Schema
	// Keys are the columns of which all rows of one value meet in one task, in the order of the key.
	Keys []int
	// Broadcast says that every task gets every row.
	Broadcast bool
}

// NativeShape is the shape of a table, in the terms of the state backend.
type NativeShape uint8

// The shapes. The numbers are durable.
const (
	NativeValue      NativeShape = 1
	NativeMultimap   NativeShape = 2
	NativeOrderedMap NativeShape = 3
	NativeTimers     NativeShape = 4
	NativeList       NativeShape = 5
	NativeBroadcast  NativeShape = 6
)

// NativeTable is a table that a function keeps. The keys of those that have keys are the columns Keys of its first input with keys.
type NativeTable struct {
	Name  string
	Shape NativeShape
	// Namespaced values have a set of rows for each window.
	Namespaced bool
	// Columns are those of a row, or of what an entry holds. In an ordered map and a broadcast map, those of what rows are found by are
	// called NativeKey, or that, a dot and the name of a field.
	Columns []NativeColumn
}

// NativeKey is how the name of a column begins by which the rows of a map are found: it never evolves, as others may.
const NativeKey = "key"

// NativeColumn is a column of a table.
type NativeColumn struct {
	Name string
	Type types.Type
	// NullOf names the column of which this one, a BOOLEAN, says that it is NULL.
	NullOf string
}

func (*NativeSpec) kind() OperatorKind { return KindNative }

func (s *NativeSpec) inputs() (least, most int) { return len(s.Inputs), len(s.Inputs) }

func (s *NativeSpec) output(in []*types.Schema) (*types.Schema, error) {
	if s.Output == nil {
		return in[0], nil
	}
	return s.Output, nil
}

func (s *NativeSpec) sides([]*types.Schema) []*types.Schema { return s.Sides }

func (s *NativeSpec) passes(column int) (input, from int, ok bool) {
	switch {
	case s.Output == nil:
		return 0, column, true
	case column < len(s.Kept) && s.Kept[column] != NoColumn:
		return 0, s.Kept[column], true
	default:
		return 0, 0, false
	}
}

// KeyTypes returns the types of the keys of the function's tables; none where it is not keyed.
func (s *NativeSpec) KeyTypes() (out []types.Type) {
	for _, in := range s.Inputs {
		for _, k := range in.Keys {
			out = append(out, in.Schema.Fields[k].Type)
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

func (s *NativeSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if len(s.Inputs) == 0 || len(s.Inputs) > NativeInputsMax {
		c.addf("inputs", "there are %d, of 1 to %d", len(s.Inputs), NativeInputsMax)
		return nil
	}
	found := c.problems.Len()
	for i := range s.Inputs {
		s.checkInput(c, i, in)
	}
	c.atMost(c.id, c.at("sides"), len(s.Sides), NativeSidesMax)
	for i, side := range s.Sides {
		c.schema(c.id, fmt.Sprintf("%s[%d]", c.at("sides"), i), side)
	}
	if s.Output != nil {
		c.schema(c.id, c.at("output"), s.Output)
	}
	if c.problems.Len() > found {
		return nil
	}
	s.checkKept(c)
	s.checkTables(c)
	out, _ := s.output(in)
	return out
}

func (s *NativeSpec) checkInput(c *operatorCheck, i int, in []*types.Schema) {
	want, field := &s.Inputs[i], fmt.Sprintf("inputs[%d]", i)
	if !c.schema(c.id, c.at(field+".schema"), want.Schema) || !c.keys(c.id, c.at(field+".keys"), want.Keys, want.Schema) {
		return
	}
	if i < len(in) && in[i] != nil && !in[i].Equal(want.Schema) {
		c.addf(field, "the function takes %s, but gets %s", want.Schema, in[i])
		return
	}
	switch {
	case want.Broadcast && len(want.Keys) > 0:
		c.addf(field, "a broadcast input has no keys")
	case want.Broadcast:
		c.broadcast(i, field)
	case len(want.Keys) > 0:
		c.keyed(i, want.Keys, want.Keys)
	}
}

// broadcast checks that every task gets every row of an input.
func (c *operatorCheck) broadcast(input int, field string) {
	x := &c.g.Vertices[c.vertex]
	for _, e := range c.inputs[c.vertex] {
		if e.Input == input && e.Kind != Broadcast && c.effective(x) != 1 {
			c.addf(field, "rows must come by BROADCAST, so that every task gets each of them")
		}
	}
}

func (s *NativeSpec) checkKept(c *operatorCheck) {
	for to, from := range s.Kept {
		switch {
		case from == NoColumn:
		case s.Output == nil || to >= s.Output.Len() || from < 0 || from >= s.Inputs[0].Schema.Len():
			c.addf(fmt.Sprintf("kept[%d]", to), "column %d of the output is no column %d of the input", to, from)
		case !s.Output.Fields[to].Type.Equal(s.Inputs[0].Schema.Fields[from].Type):
			c.addf(fmt.Sprintf("kept[%d]", to), "column %s is %s, but was %s", s.Output.Fields[to].Name, s.Output.Fields[to].Type, s.Inputs[0].Schema.Fields[from].Type)
		}
	}
}

func (s *NativeSpec) checkTables(c *operatorCheck) {
	if !c.atMost(c.id, c.at("tables"), len(s.Tables), NativeTablesMax) {
		return
	}
	keyed := len(s.KeyTypes()) > 0
	var names []string
	for i := range s.Tables {
		t, field := &s.Tables[i], fmt.Sprintf("tables[%d]", i)
		c.word(c.id, c.at(field+".name"), t.Name)
		if slices.Contains(names, t.Name) {
			c.addf(field+".name", "another table is called %s", t.Name)
		}
		names = append(names, t.Name)
		if t.Shape < NativeValue || t.Shape > NativeBroadcast {
			c.addf(field+".shape", "no shape has the number %d", t.Shape)
		}
		if !keyed && t.Shape <= NativeTimers {
			c.addf(field, "%s is kept by key, but no input has keys", t.Name)
		}
		t.checkColumns(c, field)
	}
}

func (t *NativeTable) checkColumns(c *operatorCheck, field string) {
	if !c.atMost(c.id, c.at(field+".columns"), len(t.Columns), ColumnsMax) {
		return
	}
	for k, column := range t.Columns {
		at := fmt.Sprintf("%s.columns[%d]", field, k)
		if column.Name == "" {
			c.addf(at+".name", "is empty")
		}
		if err := column.Type.Validate(); err != nil {
			c.addf(at+".type", "%s", err)
		} else if t.Shape <= NativeOrderedMap && !Sortable(column.Type) {
			c.addf(at+".type", "%s can't stand in state", column.Type)
		}
		of := slices.IndexFunc(t.Columns, func(o NativeColumn) bool { return o.Name == column.NullOf })
		if column.NullOf != "" && (of < 0 || column.Type.Kind != types.Boolean) {
			c.addf(at+".null_of", "is a BOOLEAN column of a row that has the column %q", column.NullOf)
		}
	}
}

func (s *NativeSpec) explain(e *explainer, _ []*types.Schema) {
	e.line(2, "%s in Go", s.What)
	for i, in := range s.Inputs {
		switch {
		case len(in.Keys) > 0:
			e.line(2, "input %d by key (%s)", i, columnNames(in.Schema, in.Keys))
		case in.Broadcast:
			e.line(2, "input %d broadcast", i)
		}
	}
	for i, side := range s.Sides {
		e.line(2, "port %d gives %s", i+1, side)
	}
	for _, t := range s.Tables {
		columns := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			columns[i] = c.Name + " " + c.Type.String()
		}
		e.line(2, "keeps %s: %s (%s)", t.Name, t.Shape, strings.Join(columns, ", "))
	}
}

// String names the shape as people do.
func (n NativeShape) String() string {
	switch n {
	case NativeValue:
		return "value"
	case NativeMultimap:
		return "multimap"
	case NativeOrderedMap:
		return "ordered map"
	case NativeTimers:
		return "timers"
	case NativeList:
		return "list"
	case NativeBroadcast:
		return "broadcast"
	default:
		return fmt.Sprintf("shape %d", uint8(n))
	}
}

// nativeSides returns the side outputs of a vertex whose last operator is native.
func (v *Vertex) nativeSides() []*types.Schema {
	if len(v.Operators) == 0 {
		return nil
	}
	last := &v.Operators[len(v.Operators)-1]
	s, ok := last.Body.(*NativeSpec)
	if !ok || last.Kind() == KindUnknown || len(s.Sides) > math.MaxInt16 {
		return nil
	}
	return s.Sides
}
