package jobgraph

import (
	"fmt"

	"millrace/expr"
	"millrace/types"
)

// CalcSpec filters rows and computes columns.
type CalcSpec struct {
	Filter  expr.Expr // nil keeps every row
	Columns []Projection
}

// Projection is a computed column.
type Projection struct {
	Name string
	Expr expr.Expr
}

func (*CalcSpec) kind() OperatorKind { return KindCalc }

func (*CalcSpec) inputs() (least, most int) { return 1, 1 }

func (s *CalcSpec) output([]*types.Schema) (*types.Schema, error) { return projected(s.Columns), nil }

// projected returns the schema of computed columns.
func projected(columns []Projection) *types.Schema {
	fields := make([]types.Field, len(columns))
	for i, p := range columns {
		fields[i] = types.Field{Name: p.Name, Type: p.Expr.Type()}
	}
	return types.NewSchema(fields...)
}

func (s *CalcSpec) passes(column int) (input, from int, ok bool) {
	if column < 0 || column >= len(s.Columns) {
		return 0, 0, false
	}
	c, ok := s.Columns[column].Expr.(*expr.Column)
	if !ok || c == nil {
		return 0, 0, false
	}
	return 0, c.Index, true
}

func (s *CalcSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	if s.Filter != nil && c.expr(c.id, c.at("filter"), s.Filter, in[0]) {
		if t := s.Filter.Type(); t.Kind != types.Boolean {
			c.addf("filter", "is %s, want BOOLEAN", t)
		}
	}
	return c.projections(c.id, c.at("columns"), s.Columns, in[0])
}

// projections checks computed columns and returns their schema, nil where a part of it is not known.
func (v *validator) projections(vertex types.VertexID, field string, columns []Projection, in *types.Schema) *types.Schema {
	if len(columns) == 0 {
		v.add(vertex, field, "there are none")
		return nil
	}
	if !v.atMost(vertex, field, len(columns), ColumnsMax) {
		return nil
	}
	whole := true
	for i, p := range columns {
		if !v.expr(vertex, fmt.Sprintf("%s[%d].expr", field, i), p.Expr, in) {
			whole = false
		}
	}
	if !whole {
		return nil
	}
	return v.derived(vertex, field, projected(columns))
}

func (s *CalcSpec) explain(e *explainer, _ []*types.Schema) {
	if s.Filter != nil {
		e.line(2, "where %s", s.Filter)
	}
	for _, p := range s.Columns {
		e.line(2, "%s = %s", p.Name, p.Expr)
	}
}
