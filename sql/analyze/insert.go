package analyze

import (
	"fmt"
	"slices"

	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// insertion is an INSERT while it is bound.
type insertion struct {
	*analyzer
	tree  *ast.Insert
	path  catalog.Path
	table *catalog.Table
	// targets are the columns that a row has, by position in the table; given is what each of them gets.
	targets []int
	given   map[int]expr.Expr
}

// insert plans an INSERT.
func (a *analyzer) insert(i *ast.Insert) (plan.Node, error) {
	in := &insertion{analyzer: a, tree: i, given: make(map[int]expr.Expr)}
	hints, err := in.sink()
	if err != nil {
		return nil, err
	}
	r, err := a.query(i.Query, &env{})
	if err != nil {
		return nil, err
	}
	columns, err := in.columnsOfQuery()
	if err != nil {
		return nil, err
	}
	if len(columns) != len(r.cols) {
		return nil, in.mismatch(i.Query, r, columns, fmt.Sprintf("the query has %d columns, %s takes %d", len(r.cols), in.path, len(columns)))
	}
	for n, target := range columns {
		if in.given[target], err = in.assigned(r, n, columns); err != nil {
			return nil, err
		}
	}
	values, result, err := in.values(r.node.Schema())
	if err != nil {
		return nil, err
	}
	node, err := a.projected(r.node, i, values, result)
	if err != nil {
		return nil, err
	}
	return a.add(&plan.Sink{Input: node, Path: in.path, Table: in.table, Columns: in.targets, Overwrite: i.Overwrite, Partition: in.overwritten(), Hints: hints}, i)
}

// sink looks the table up, and what its connector takes.
func (in *insertion) sink() (map[string]string, error) {
	i := in.tree
	var err error
	if in.path, err = in.analyzer.path(i.Table); err != nil {
		return nil, err
	}
	if in.table, err = in.tableAt(i.Table, in.path, "written to"); err != nil {
		return nil, err
	}
	hints, err := in.options(i.Hints)
	if err != nil {
		return nil, err
	}
	if len(hints) > 0 {
		changed := *in.table
		changed.Options = merged(changed.Options, hints)
		in.table = &changed
	}
	traits, err := in.Connectors.Sink(in.table)
	switch {
	case err != nil:
		return nil, in.wrap(i.Table, fmt.Errorf("table %s can't be written: %w", in.path, err))
	case i.Overwrite && !traits.Overwrite:
		return nil, in.failf(i, "the connector of %s can't overwrite", in.path)
	case i.Conflict != ast.DefaultConflict:
		return nil, in.unsupported(i, "ON CONFLICT DO "+string(i.Conflict))
	case len(in.table.PartitionedBy) > 0 && !traits.Partitions:
		return nil, in.failf(i.Table, "the connector of %s has no partitions", in.path)
	}
	for n := range in.table.Columns {
		c := &in.table.Columns[n]
		if c.Kind == catalog.Computed || c.Kind == catalog.Metadata && c.Virtual {
			continue
		}
		if c.Kind == catalog.Metadata {
			if err := in.writable(c, traits.Metadata); err != nil {
				return nil, err
			}
		}
		in.targets = append(in.targets, n)
	}
	return hints, in.partition()
}

// tableAt returns the table of a path.
func (a *analyzer) tableAt(at ranged, path catalog.Path, what string) (*catalog.Table, error) {
	o, ok := a.Catalog.Lookup(path)
	if !ok {
		return nil, a.missing(at, "TABLE", path, a.Catalog.Objects(path.Catalog, path.Database))
	}
	t, ok := o.(*catalog.Table)
	if !ok {
		return nil, a.failf(at, "%s is a view: it can't be %s", path, what)
	}
	return t, nil
}

// writable refuses a metadata column that the connector does not write.
func (in *insertion) writable(c *catalog.Column, known []types.Field) error {
	for _, f := range known {
		if f.Name == c.MetadataKey {
			return nil
		}
	}
	return in.hinted(in.tree.Table, "declare it VIRTUAL", "the connector of %s does not write metadata %q, which column %s is", in.path, c.MetadataKey, catalog.Quoted(c.Name))
}

// partition binds PARTITION (p = 'x').
func (in *insertion) partition() error {
	for _, p := range in.tree.Partition {
		n := in.target(p.Column.Name)
		if n < 0 || !slices.Contains(in.table.PartitionedBy, p.Column.Name) {
			return in.hinted(p, didYouMean(p.Column.Name, in.table.PartitionedBy), "%s is no column that %s is partitioned by", p.Column, in.path)
		}
		if p.Value == nil {
			continue
		}
		x, err := in.constant(p.Value, "PARTITION")
		if err != nil {
			return err
		}
		t := in.table.Columns[n].Type
		if !assignable(x.Type(), t) {
			return in.failf(p.Value, "partition column %s is %s, the value %s", p.Column, t, x.Type())
		}
		if in.given[n], err = in.castTo(p.Value, x, t); err != nil {
			return err
		}
	}
	return nil
}

// overwritten returns the values of all columns of the one partition that is overwritten, nil where the rows say which those are.
func (in *insertion) overwritten() []expr.Expr {
	if !in.tree.Overwrite {
		return nil
	}
	var values []expr.Expr
	for _, p := range in.tree.Partition {
		if p.Value == nil {
			return nil
		}
	}
	for _, name := range in.table.PartitionedBy {
		if !slices.ContainsFunc(in.tree.Partition, func(p *ast.PartitionValue) bool { return p.Column.Name == name }) {
			return nil
		}
		values = append(values, in.given[in.target(name)])
	}
	return values
}

// target returns the position of a column that is written, -1 where there is none.
func (in *insertion) target(name string) int {
	for _, n := range in.targets {
		if in.table.Columns[n].Name == name {
			return n
		}
	}
	return -1
}

// columnsOfQuery returns which columns the query's are for.
func (in *insertion) columnsOfQuery() ([]int, error) {
	if in.tree.Columns == nil {
		return slices.DeleteFunc(slices.Clone(in.targets), func(n int) bool { return in.given[n] != nil }), nil
	}
	var out []int
	for _, name := range in.tree.Columns {
		if len(name.Parts) != 1 {
			return nil, in.unsupported(name, "INSERT into a field of a column")
		}
		n := in.target(name.Parts[0].Name)
		switch {
		case n < 0 && in.table.Column(name.Parts[0].Name) != nil:
			return nil, in.failf(name, "column %s of %s is computed or virtual: it can't be written", name, in.path)
		case n < 0:
			return nil, in.hinted(name, didYouMean(name.Parts[0].Name, in.names()), "%s has no column %s", in.path, name)
		case slices.Contains(out, n) || in.given[n] != nil:
			return nil, in.failf(name, "column %s is given twice", name)
		}
		out = append(out, n)
	}
	return out, nil
}

func (in *insertion) names() []string {
	out := make([]string, len(in.targets))
	for i, n := range in.targets {
		out[i] = in.table.Columns[n].Name
	}
	return out
}

// assigned casts a column of the query to the table's.
func (in *insertion) assigned(r relation, n int, columns []int) (expr.Expr, error) {
	c := &in.table.Columns[columns[n]]
	x := columnOf(r.node, r.cols[n].index)
	if !assignable(x.T, c.Type) {
		return nil, in.mismatch(in.tree.Query, r, columns, fmt.Sprintf("column %s of %s is %s, the query gives %s", catalog.Quoted(c.Name), in.path, c.Type.AsNullable(), x.T.AsNullable()))
	}
	return in.castTo(in.tree.Query, x, c.Type)
}

// mismatch shows both schemas.
func (in *insertion) mismatch(at ranged, r relation, columns []int, primary string) error {
	query, sink := make(plan.Schema, len(r.cols)), make(plan.Schema, len(columns))
	for i := range r.cols {
		query[i] = plan.Column{Name: r.cols[i].name, Type: r.column(&r.cols[i]).Type}
	}
	for i, n := range columns {
		sink[i] = plan.Column{Name: in.table.Columns[n].Name, Type: in.table.Columns[n].Type}
	}
	return in.fail(at, failure.Message{Primary: primary, Detail: "query " + query.String() + ", table " + sink.String(), Hint: "CAST the column, or name the columns: INSERT INTO t (a, b)"})
}

// values returns what each column of the sink gets: NULL for those left out.
func (in *insertion) values(input plan.Schema) ([]expr.Expr, plan.Schema, error) {
	var columns []expr.Expr
	var result plan.Schema
	for _, n := range in.targets {
		c := &in.table.Columns[n]
		x := in.given[n]
		if x == nil {
			if !c.Type.Nullable {
				return nil, nil, in.failf(in.tree, "column %s of %s is NOT NULL and is given no value", catalog.Quoted(c.Name), in.path)
			}
			x = expr.Null(c.Type)
		}
		if l, ok := x.(*expr.Literal); ok && l.Value == nil && !c.Type.Nullable {
			return nil, nil, in.failf(in.tree, "column %s of %s is NOT NULL and is given NULL", catalog.Quoted(c.Name), in.path)
		}
		columns = append(columns, x)
		result = append(result, resultColumn(c.Name, x, input))
	}
	return columns, result, nil
}

// assignable tells whether a value may be stored in a column without a CAST, by Flink's rules: within numbers not from a
// wider one to an integer or from DOUBLE to FLOAT, within texts, within binaries, and among times what keeps a date or a moment.
func assignable(from, to types.Type) bool {
	f, t := from.Kind, to.Kind
	switch {
	case f == types.Null || from.EqualIgnoringNull(to):
		return true
	case t >= types.TinyInt && t <= types.BigInt:
		return f >= types.TinyInt && f <= t
	case t == types.Decimal:
		return f >= types.TinyInt && f <= types.Decimal
	case t == types.Float:
		return f >= types.TinyInt && f <= types.Float || f == types.Decimal
	case t == types.Double:
		return f >= types.TinyInt && f <= types.Decimal
	case t == types.Char:
		return f == types.Char
	case t == types.VarChar:
		return f == types.Char || f == types.VarChar
	case t == types.Binary:
		return f == types.Binary
	case t == types.VarBinary:
		return f == types.Binary || f == types.VarBinary
	case t == types.Date || t == types.Time:
		return f == t || f == types.Timestamp
	case t == types.Timestamp || t == types.TimestampLTZ:
		return f == types.Timestamp || f == types.TimestampLTZ
	default:
		return false
	}
}
