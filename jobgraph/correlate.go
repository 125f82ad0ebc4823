package jobgraph

import (
	"fmt"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/types"
)

// Unnest is the Func of a CorrelateSpec that gives a row for each element of an ARRAY, with the fields of a ROW as columns,
// or for each entry of a MAP, with key and value as columns.
const Unnest = "UNNEST"

// ReplicateRows is the Func of a CorrelateSpec that gives each row as often as a BIGINT says, and not at all where that is NULL or less than 1.
// It has no columns of its own. Planners alone call it.
const ReplicateRows = "$REPLICATE_ROWS"

// CorrelateSpec gives for each row what a table function makes of it: the row's columns, then those of the function.
type CorrelateSpec struct {
	Type JoinType // inner; or left, where a row of which nothing is made leaves with NULLs
	Func string   // Unnest, ReplicateRows, or the name of a function that the cluster has
	Args []expr.Expr
	// Ordinality adds a column that counts the rows made of one from 1 (WITH ORDINALITY).
	Ordinality bool
	// Columns are those that the function gives, and that of Ordinality, with the names that they have behind it.
	Columns []types.Field
}

func (*CorrelateSpec) kind() OperatorKind { return KindCorrelate }

func (*CorrelateSpec) inputs() (least, most int) { return 1, 1 }

func (s *CorrelateSpec) output(in []*types.Schema) (*types.Schema, error) {
	return JoinedSchema(s.Type, in[0], types.NewSchema(s.Columns...)), nil
}

func (*CorrelateSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

// UnnestTypes returns the types of the columns that Unnest makes of a value, or an error where it makes none.
func UnnestTypes(t types.Type) ([]types.Type, error) {
	switch {
	case t.Kind == types.Map:
		return []types.Type{*t.Key, *t.Elem}, nil
	case t.Kind != types.Array:
		return nil, fmt.Errorf("UNNEST needs an ARRAY or a MAP, not %s", t)
	case t.Elem.Kind != types.Row:
		return []types.Type{*t.Elem}, nil
	}
	columns := make([]types.Type, len(t.Elem.Fields))
	for i, f := range t.Elem.Fields {
		columns[i] = f.Type
		columns[i].Nullable = f.Type.Nullable || t.Elem.Nullable
	}
	return columns, nil
}

// Ordinal is the type of the column that Ordinality adds.
var Ordinal = types.Of(types.Int).NotNull()

func (s *CorrelateSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.Type > LeftJoin {
		c.addf("type", "is inner or left, not %s", s.Type)
	}
	if s.Func == "" {
		c.addf("func", "is empty")
	}
	found, whole := c.problems.Len(), in[0] != nil
	for i, a := range s.Args {
		whole = c.expr(c.id, fmt.Sprintf("%s[%d]", c.at("args"), i), a, in[0]) && whole
	}
	if s.Func == ReplicateRows {
		s.checkReplicate(c)
	} else if len(s.Columns) == 0 {
		c.addf("columns", "there are none")
	}
	if !whole || c.problems.Len() > found {
		return nil
	}
	s.checkColumns(c)
	return c.derived(c.id, c.field, JoinedSchema(s.Type, in[0], types.NewSchema(s.Columns...)))
}

// checkReplicate checks what ReplicateRows is given.
func (s *CorrelateSpec) checkReplicate(c *operatorCheck) {
	if s.Type != InnerJoin {
		c.addf("type", "is inner for %s, not %s", ReplicateRows, s.Type)
	}
	if len(s.Columns) > 0 || s.Ordinality {
		c.addf("columns", "%s gives none", ReplicateRows)
	}
	switch {
	case len(s.Args) != 1:
		c.addf("args", "%s takes one, not %d", ReplicateRows, len(s.Args))
	case s.Args[0] != nil && s.Args[0].Type().Kind != types.BigInt:
		c.addf("args[0]", "is %s, want BIGINT", s.Args[0].Type())
	}
}

// checkColumns compares the columns with what Unnest makes of its argument.
func (s *CorrelateSpec) checkColumns(c *operatorCheck) {
	last := len(s.Columns) - 1
	if s.Ordinality && s.Columns[last].Type.NotNull().Kind != Ordinal.Kind {
		c.addf(fmt.Sprintf("columns[%d]", last), "is %s, but an ordinality is %s", s.Columns[last].Type, Ordinal)
	}
	if s.Func != Unnest {
		s.checkDeclared(c)
		return
	}
	if len(s.Args) != 1 {
		c.addf("args", "UNNEST takes one, not %d", len(s.Args))
		return
	}
	want, err := UnnestTypes(s.Args[0].Type())
	if err != nil {
		c.addf("args[0]", "%s", err)
		return
	}
	if s.Ordinality {
		want = append(want, Ordinal)
	}
	if len(want) != len(s.Columns) {
		c.addf("columns", "UNNEST of %s gives %d, not %d", s.Args[0].Type(), len(want), len(s.Columns))
		return
	}
	for i, f := range s.Columns {
		if !f.Type.EqualIgnoringNull(want[i]) || want[i].Nullable && !f.Type.Nullable {
			c.addf(fmt.Sprintf("columns[%d]", i), "column %s is %s, but UNNEST gives %s", f.Name, f.Type, want[i])
		}
	}
}

// checkDeclared compares arguments and columns with what a function of the job's program declares. Others are known where they run.
func (s *CorrelateSpec) checkDeclared(c *operatorCheck) {
	known, ok := c.calls.Lookup(s.Func)
	if !ok || known.Declared == nil {
		return
	}
	if known.Kind != expr.TableFunc {
		c.addf("func", "%s is no table function", known.Name)
		return
	}
	args := make([]types.Type, len(s.Args))
	for i, a := range s.Args {
		args[i] = a.Type()
	}
	if err := known.Declared.Takes(args); err != nil {
		c.addf("args", "%s", err)
	}
	want := known.Declared.Result.Fields
	if s.Ordinality {
		want = append(slices.Clone(want), types.Field{Type: Ordinal})
	}
	if !slices.EqualFunc(want, s.Columns, func(f, g types.Field) bool { return f.Type.EqualIgnoringNull(g.Type) }) {
		c.addf("columns", "are %s, but %s gives %s", types.NewSchema(s.Columns...), known.Name, known.Declared.Result)
	}
}

func (s *CorrelateSpec) explain(e *explainer, _ []*types.Schema) {
	args := make([]string, len(s.Args))
	for i, a := range s.Args {
		args[i] = a.String()
	}
	ordinality := ""
	if s.Ordinality {
		ordinality = " with ordinality"
	}
	if s.Func == ReplicateRows && len(args) == 1 {
		e.line(2, "each row %s times", args[0])
		return
	}
	e.line(2, "%s with the rows of %s(%s)%s", s.Type, s.Func, strings.Join(args, ", "), ordinality)
}
