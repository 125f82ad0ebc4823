package codec

import (
	"fmt"

	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

func (d *decoder) correlate(field string, c *jobv1.CorrelateSpec) *jobgraph.CorrelateSpec {
	out := &jobgraph.CorrelateSpec{Type: d.joinType(field+".type", c.GetType()), Func: c.GetFunc(), Ordinality: c.GetOrdinality()}
	for i, a := range c.GetArgs() {
		out.Args = append(out.Args, d.expr(fmt.Sprintf("%s.args[%d]", field, i), a, 1))
	}
	if s := d.schema(field+".columns", c.GetColumns()); s != nil {
		out.Columns = s.Fields
	}
	return out
}

func (e *encoder) correlate(field string, c *jobgraph.CorrelateSpec) *jobv1.CorrelateSpec {
	out := &jobv1.CorrelateSpec{
		Type: e.joinType(field+".type", c.Type), Func: c.Func, Ordinality: c.Ordinality,
		Columns: &jobv1.Schema{Fields: e.fields(field+".columns", c.Columns, 0)},
	}
	for i, a := range c.Args {
		out.Args = append(out.Args, e.expr(fmt.Sprintf("%s.args[%d]", field, i), a, 1))
	}
	return out
}
