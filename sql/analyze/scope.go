package analyze

import (
	"slices"
	"strings"

	"millrace/catalog"
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// relation is a node whose columns have names.
type relation struct {
	node plan.Node
	cols []column // in the order of *
}

// column is a column as names find it.
type column struct {
	name string
	// from is what it may be qualified with: the parts of a table's path or an alias alone. A qualifier may leave out the first parts.
	from  []string
	index int // in the node
	// hidden columns are not in *, and found by a qualifier alone: what USING merged.
	hidden bool
}

// scope is the columns that an expression may name.
type scope struct {
	relation
	// outer is the scope of the query around, nil at the outermost.
	outer *scope
}

func (r *relation) column(c *column) plan.Column { return r.node.Schema()[c.index] }

// named gives all columns of a node one qualifier, and names if there are some.
func named(n plan.Node, from ...string) relation {
	r := relation{node: n}
	for i, c := range n.Schema() {
		r.cols = append(r.cols, column{name: c.Name, from: from, index: i})
	}
	return r
}

// beside returns the columns of two relations that were put side by side in a node.
func beside(n plan.Node, left, right relation) relation {
	r := relation{node: n, cols: slices.Clone(left.cols)}
	width := len(left.node.Schema())
	for _, c := range right.cols {
		c.index += width
		r.cols = append(r.cols, c)
	}
	return r
}

// answers tells whether the column may be meant by a qualifier.
func (c *column) answers(qualifier []string) bool {
	n := len(c.from) - len(qualifier)
	return n >= 0 && slices.Equal(c.from[n:], qualifier)
}

// find returns the columns of a qualifier and a name.
func (r *relation) find(qualifier []string, name string) (found []*column) {
	for i := range r.cols {
		c := &r.cols[i]
		if c.name == name && c.answers(qualifier) && (!c.hidden || len(qualifier) > 0) {
			found = append(found, c)
		}
	}
	return found
}

// reference is a column with the names of fields behind it.
type reference struct {
	column *column
	fields []ast.Ident
}

// lookup finds what a name of several parts means here: the longest qualifier first, so that t.a is the column of a table t
// before the field of a column t.
func (s *scope) lookup(parts []ast.Ident) (ref reference, ambiguous bool) {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.Name
	}
	for k := min(len(parts)-1, 3); k >= 0; k-- {
		switch found := s.find(names[:k], names[k]); {
		case len(found) > 1:
			return reference{}, true
		case len(found) == 1:
			return reference{found[0], parts[k+1:]}, false
		}
	}
	return reference{}, false
}

// names returns what could have been meant by a name with the qualifier, or by a bare name where no table answers to it.
func (s *scope) names(qualifier []string) []string {
	var out []string
	for i := range s.cols {
		if c := &s.cols[i]; c.answers(qualifier) && !c.hidden {
			out = append(out, c.name)
		}
	}
	return out
}

// tables returns the qualifiers there are.
func (s *scope) tables() []string {
	var out []string
	for i := range s.cols {
		if from := s.cols[i].from; len(from) > 0 && !slices.Contains(out, from[len(from)-1]) {
			out = append(out, from[len(from)-1])
		}
	}
	return out
}

// unknown is the error of a name that means nothing.
func (a *analyzer) unknownColumn(s *scope, n ast.Name) error {
	parts := n.Strings()
	if len(parts) > 1 {
		if known := s.names(parts[:len(parts)-1]); len(known) > 0 {
			return a.hinted(n, didYouMean(parts[len(parts)-1], known), "%s has no column %s", sqlName(parts[:len(parts)-1]...), catalog.Quoted(parts[len(parts)-1]))
		}
		return a.hinted(n, didYouMean(parts[0], append(s.tables(), s.names(nil)...)), "no table or column %s here", catalog.Quoted(parts[0]))
	}
	return a.hinted(n, didYouMean(parts[0], s.names(nil)), "no column %s here", catalog.Quoted(parts[0]))
}

// sqlName prints a name as a text has it: quoted where a part is no identifier, or a keyword.
func sqlName(parts ...string) string {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = ast.Ident{Name: p}.String()
	}
	return strings.Join(quoted, ".")
}

// aliased gives a relation the name, and perhaps the columns' names, of AS.
func (a *analyzer) aliased(r relation, alias *ast.TableAlias) (relation, error) {
	if alias == nil {
		return r, nil
	}
	out := relation{node: r.node}
	for _, c := range r.cols {
		if c.hidden {
			continue
		}
		c.from = []string{alias.Name.Name}
		out.cols = append(out.cols, c)
	}
	if alias.Columns == nil {
		return out, nil
	}
	if len(alias.Columns) != len(out.cols) {
		return out, a.failf(alias, "%s has %d columns, %d names are given", catalog.Quoted(alias.Name.Name), len(out.cols), len(alias.Columns))
	}
	for i, id := range alias.Columns {
		out.cols[i].name = id.Name
	}
	return out, nil
}

// columnOf returns the value of a node's column.
func columnOf(n plan.Node, i int) *expr.Column {
	c := n.Schema()[i]
	return &expr.Column{Index: i, Name: c.Name, T: c.Type}
}

// projected computes columns over a node. Where that changes nothing the node itself is returned.
func (a *analyzer) projected(n plan.Node, at ranged, columns []expr.Expr, result plan.Schema) (plan.Node, error) {
	in := n.Schema()
	same := len(columns) == len(in)
	for i := 0; same && i < len(columns); i++ {
		c, ok := columns[i].(*expr.Column)
		same = ok && c.Index == i && in[i].Name == result[i].Name && in[i].Time == result[i].Time
	}
	if same {
		return n, nil
	}
	return a.add(&plan.Project{Input: n, Columns: columns, Result: result}, at)
}

// timeOf returns what an expression over a node is as a time: a column passed on keeps its mark, and PROCTIME() is one.
func timeOf(e expr.Expr, s plan.Schema) plan.TimeKind {
	switch e := e.(type) {
	case *expr.Column:
		if e.Index >= 0 && e.Index < len(s) {
			return s[e.Index].Time
		}
	case *expr.Call:
		if e.Func == "PROCTIME" {
			return plan.ProcessingTime
		}
	}
	return plan.NoTime
}

// resultColumn makes the column of a result from its expression.
func resultColumn(name string, e expr.Expr, s plan.Schema) plan.Column {
	return plan.Column{Name: name, Type: typeOf(e), Time: timeOf(e, s)}
}

// typeOf is the type as a column has it.
func typeOf(e expr.Expr) types.Type { return e.Type() }
