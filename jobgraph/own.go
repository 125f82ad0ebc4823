package jobgraph

import (
	"fmt"
	"strings"

	"millrace/expr"
	"millrace/types"
)

// ownArgs reports arguments that a function of the program does not take.
func (a *AggregateCall) ownArgs(in *types.Schema) error {
	columns := a.Columns()
	if len(columns) == 0 {
		return fmt.Errorf("%s needs a column", a.Own.Name)
	}
	var args []types.Type
	for _, column := range columns {
		if column < 0 || column >= in.Len() {
			return fmt.Errorf("%s: the input has no column %d", a.Own.Name, column)
		}
		args = append(args, in.Fields[column].Type)
	}
	if err := a.Own.Takes(args); err != nil {
		return err
	}
	if a.Distinct {
		return a.Own.Countable(args)
	}
	return nil
}

// ownFields returns the columns of partial rows that have what a function of the program keeps: its words, and its texts.
func (a *AggregateCall) ownFields(number int) (fields []types.Field) {
	for _, f := range a.Own.Accumulator {
		label := fmt.Sprintf("%s$%d$%s", strings.ToLower(a.Own.Name), number, f.Name)
		t := types.Of(types.BigInt).NotNull()
		if f.Type.Layout() == types.LayoutBytes {
			t = types.BytesType().NotNull()
		}
		fields = append(fields, types.Field{Name: label, Type: t})
		if f.Type.Layout() == types.LayoutInt128 {
			fields = append(fields, types.Field{Name: label + "$high", Type: t})
		}
	}
	return fields
}

// own checks a call of a function of the program.
func (c *operatorCheck) own(field string, a *AggregateCall, in *types.Schema, of callsCheck) {
	d := a.Own
	known, ok := c.calls.Lookup(d.Name)
	switch {
	case !ok || known.Kind != expr.AggregateFunc:
		c.addf(field+".func", "the job's program has no aggregate function %s", d.Name)
	case of.retract && !d.Retracts:
		c.addf(field+".func", "%s can't take values back", d.Name)
	case of.leaves && !d.Retracts:
		c.addf(field+".func", "%s can't take values back, and rows leave what it goes over", d.Name)
	case of.partial && a.Distinct:
		c.addf(field+".distinct", "partial rows don't have the values: DISTINCT needs one phase")
	case of.partial && (of.retract || !d.Merges):
		c.addf(field+".func", "%s can't merge what was kept of parts of a group, and needs one phase", d.Name)
	}
	c.filter(field, a, in)
	if in == nil {
		return
	}
	if err := a.ownArgs(in); err != nil {
		c.addf(field+".arg", "%s", err)
	}
}

// filter checks the column that a call goes by.
func (c *operatorCheck) filter(field string, a *AggregateCall, in *types.Schema) {
	if a.Filtered && in != nil && c.column(c.id, c.at(field+".filter"), a.Filter, in) {
		if f := in.Fields[a.Filter]; f.Type.Kind != types.Boolean {
			c.addf(field+".filter", "column %s is %s, want BOOLEAN", f.Name, f.Type)
		}
	}
}

// BindFunctions has the aggregate calls of a graph know the functions of its program.
func (g *Graph) BindFunctions() {
	if g.Program == nil {
		return
	}
	own := make(map[string]*expr.Declared)
	for i := range g.Program.Functions {
		if f := &g.Program.Functions[i]; f.Kind == AggregateFunction {
			own[f.Name] = f.Declared()
		}
	}
	if len(own) == 0 {
		return
	}
	for i := range g.Vertices {
		for k := range g.Vertices[i].Operators {
			for n, calls := 0, callsOf(g.Vertices[i].Operators[k].Body); n < len(calls); n++ {
				calls[n].Own = own[strings.ToUpper(calls[n].Func)]
			}
		}
	}
}

// callsOf returns the aggregate calls of an operator.
func callsOf(body OperatorBody) []AggregateCall {
	switch s := body.(type) {
	case *GroupAggregateSpec:
		return s.Aggregates
	case *LocalGroupAggregateSpec:
		return s.Aggregates
	case *WindowAggregateSpec:
		return s.Aggregates
	case *LocalAggregateSpec:
		return s.Aggregates
	case *OverAggregateSpec:
		return s.Aggregates
	default:
		return nil
	}
}
