package physical

import (
	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// valuesPath stands where a source has its table.
var valuesPath = catalog.Path{Name: "values"}

// valuesNumber is the column that tells rows apart whose columns are computed.
const valuesNumber = "$row"

// values makes a source of constant rows. What is no constant (the clock, an ARRAY) is computed where the rows come out, by their
// numbers. One task gives them, in their order.
func (p *planner) values(n *plan.Values) *step {
	v := &constants{planner: p, of: n, number: -1}
	names := n.Result.Types()
	taken := make(map[string]bool)
	for i, f := range names.Fields {
		taken[f.Name] = true
		v.column(i, f)
	}
	if v.number >= 0 {
		v.stored[v.number].Name = unique(valuesNumber, taken)
	}
	given, err := jobgraph.EncodeValues(v.rows())
	if err != nil {
		p.fail(err)
		return nil
	}
	src := &source{bounded: true, parallelism: 1, path: valuesPath, spec: jobgraph.SourceSpec{
		Connector: jobgraph.ValuesConnector, Options: given, Schema: types.NewSchema(v.stored...),
	}}
	if v.number >= 0 {
		src.spec.Computed = v.computed
		for _, c := range v.computed {
			p.compiles(c.Expr, src.spec.Schema)
		}
	}
	s := p.add(&step{operator: src, of: n, out: src.spec.Output(), paired: true})
	src.spec.UID = s.uid
	return s
}

// constants deals the columns of VALUES out to those that are stored and those that are computed.
type constants struct {
	*planner
	of       *plan.Values
	stored   []types.Field
	cells    [][]*expr.Literal // a stored column each
	computed []jobgraph.Projection
	number   int // the stored column that has the number of a row, -1 where nobody asks
}

// rows are the stored columns, row by row.
func (v *constants) rows() [][]*expr.Literal {
	out := make([][]*expr.Literal, len(v.of.Rows))
	for i := range out {
		for _, column := range v.cells {
			out[i] = append(out[i], column[i])
		}
	}
	return out
}

func (v *constants) store(f types.Field, cells []*expr.Literal) expr.Expr {
	v.stored, v.cells = append(v.stored, f), append(v.cells, cells)
	return &expr.Column{Index: len(v.stored) - 1, Name: f.Name, T: f.Type}
}

// column makes a column of the result: of its constants, with any of them where something is computed, and of what is computed.
func (v *constants) column(i int, f types.Field) {
	var some *expr.Literal
	cells := make([]*expr.Literal, len(v.of.Rows))
	rest := 0
	for r, row := range v.of.Rows {
		if l, ok := row[i].(*expr.Literal); ok {
			cells[r], some = l, l
		} else {
			rest++
		}
	}
	var x expr.Expr
	if rest < len(cells) || rest == 0 {
		for r := range cells {
			if cells[r] == nil {
				cells[r] = some
			}
		}
		x = v.store(f, cells)
	}
	if rest > 0 {
		x = v.byNumber(i, f.Type, x)
	}
	v.computed = append(v.computed, jobgraph.Projection{Name: f.Name, Expr: x})
}

// byNumber is a column whose values are computed by the number of the row; otherwise has the constants, nil where there are none.
func (v *constants) byNumber(i int, t types.Type, otherwise expr.Expr) expr.Expr {
	bigint := types.Of(types.BigInt).NotNull()
	if v.number < 0 {
		v.number = len(v.stored)
		numbers := make([]*expr.Literal, len(v.of.Rows))
		for r := range numbers {
			numbers[r] = &expr.Literal{T: bigint, Value: int64(r)}
		}
		v.store(types.Field{Type: bigint}, numbers)
	}
	out := &expr.Case{T: t, Else: otherwise}
	for r, row := range v.of.Rows {
		if _, stored := row[i].(*expr.Literal); stored {
			continue
		}
		if out.Else == nil {
			out.Else = row[i]
			continue
		}
		is, err := expr.NewCall(v.Functions, "=", &expr.Column{Index: v.number, Name: valuesNumber, T: bigint}, &expr.Literal{T: bigint, Value: int64(r)})
		if err != nil {
			v.fail(failure.Internalf("VALUES: %w", err))
			return row[i]
		}
		out.Whens = append(out.Whens, expr.When{If: is, Then: row[i]})
	}
	if len(out.Whens) == 0 {
		return out.Else
	}
	return v.derived(out)
}
