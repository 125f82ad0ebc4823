package analyze

import (
	"strings"

	"millrace/catalog"
	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// groupAuxiliaries are the functions that ask for the window of a GROUP BY, by the end of their names.
var groupAuxiliaries = map[string]plan.WindowProperty{
	"_START": plan.WindowStart, "_END": plan.WindowEnd, "_ROWTIME": plan.WindowTime, "_PROCTIME": plan.WindowTime,
}

// groupWindows are the window functions that stand in a GROUP BY.
var groupWindows = map[string]plan.WindowKind{"TUMBLE": plan.Tumble, "HOP": plan.Hop, "SESSION": plan.Session}

// auxiliary splits TUMBLE_START into TUMBLE and what it asks for.
func auxiliary(name string) (window, suffix string, ok bool) {
	i := strings.LastIndexByte(name, '_')
	if i < 0 {
		return "", "", false
	}
	_, isWindow := groupWindows[name[:i]]
	_, isProperty := groupAuxiliaries[name[i:]]
	return name[:i], name[i:], isWindow && isProperty
}

// callOf binds what looks like a function.
func (b *binder) callOf(c *ast.Call) (expr.Expr, error) {
	name := strings.ToUpper(c.Name.Parts[len(c.Name.Parts)-1].Name)
	if len(c.Name.Parts) > 1 {
		return b.scalar(c, "")
	}
	if c.Over != nil {
		return b.overCall(c, name)
	}
	if window, suffix, ok := auxiliary(name); ok {
		return b.auxiliary(c, window, suffix)
	}
	switch {
	case name == "GROUPING" || name == "GROUPING_ID" || name == "GROUP_ID":
		return b.grouping(c, name)
	case isAggregate(name) || b.ownAggregate(name) != nil:
		return b.aggregateValue(c, name)
	case rankType(name) != nil || name == "LAG" || name == "LEAD":
		return nil, b.failf(c, "%s needs OVER (...)", name)
	}
	return b.scalar(c, name)
}

func (b *binder) aggregateValue(c *ast.Call, name string) (expr.Expr, error) {
	if b.allow&aggregates == 0 || b.sel == nil {
		return nil, b.failf(c, "an aggregate call (%s) can't stand in %s", name, b.clause)
	}
	n, err := b.aggregate(c, name, b.allow&subqueries) // which are put beside the rows before they are grouped
	if err != nil {
		return nil, err
	}
	n.key = callKey(&n.call, n.args, n.filter, nil)
	return b.sel.slot(n).placeholder(), nil
}

// grouping binds GROUPING(a, b). What the arguments are is checked when the keys are known.
func (b *binder) grouping(c *ast.Call, name string) (expr.Expr, error) {
	switch {
	case b.allow&aggregates == 0 || b.sel == nil:
		return nil, b.failf(c, "%s can't stand in %s", name, b.clause)
	case name == "GROUP_ID":
		return nil, b.unsupported(c, "GROUP_ID")
	case len(c.Args) == 0:
		return nil, b.failf(c, "GROUPING takes expressions of GROUP BY, got none")
	}
	args, err := b.bindAll(c.Args)
	if err != nil {
		return nil, err
	}
	n := &slot{kind: callSlot, at: c, call: plan.Call{Func: "GROUPING", Filter: noColumn, Name: "EXPR$"}, args: args, t: types.Of(types.BigInt).NotNull()}
	n.key = callKey(&n.call, n.args, nil, nil)
	return b.sel.slot(n).placeholder(), nil
}

// scalar binds a function of the registry or, by way of the catalog, of a user. Name is empty for a name of several parts.
func (b *binder) scalar(c *ast.Call, name string) (expr.Expr, error) {
	called := strings.Join(c.Name.Strings(), ".")
	switch {
	case c.Over != nil:
		return nil, b.failf(c, "%s is no function that goes OVER a window", called)
	case c.Quantifier != ast.Unquantified:
		return nil, b.failf(c, "%s takes no %s: it is no aggregate function", called, c.Quantifier)
	case c.Filter != nil:
		return nil, b.failf(c.Filter, "%s takes no FILTER: it is no aggregate function", called)
	case c.OrderBy != nil || c.WithinGroup != nil || c.Nulls != ast.DefaultNulls:
		return nil, b.failf(c, "%s takes arguments alone: it is no aggregate function", called)
	case c.JSON != nil:
		return nil, b.unsupported(c.JSON, "a clause of a JSON function")
	}
	registered, err := b.function(c.Name, name)
	if err != nil {
		return nil, err
	}
	if sig, _ := b.Functions.Lookup(registered); sig.Kind == expr.TableFunc {
		return nil, b.hinted(c, "FROM t, LATERAL TABLE("+c.Name.String()+"(...))", "%s is a table function: it stands in FROM", c.Name)
	}
	if registered == "TRIM" {
		return b.call(c, registered, trimArgs(c)...)
	}
	return b.call(c, registered, c.Args...)
}

// trimArgs completes what TRIM leaves unsaid: both sides, and spaces.
func trimArgs(c *ast.Call) []ast.Expr {
	args := c.Args
	if len(args) == 1 {
		args = []ast.Expr{&ast.Symbol{Span: c.Span, Word: "BOTH"}, args[0]}
	}
	if len(args) != 2 {
		return args
	}
	if _, side := args[0].(*ast.Symbol); side {
		args = []ast.Expr{args[0], &ast.Literal{Span: c.Span, Kind: ast.StringLiteral, Text: " "}, args[1]}
	}
	return args
}

// function returns the name in the registry of what a call names, in Flink's order: temporary system functions, built-in ones,
// those of the catalog.
func (b *binder) function(n ast.Name, builtin string) (string, error) {
	if len(n.Parts) == 1 {
		if f, ok := b.Catalog.LookupFunction(catalog.Path{Name: n.Parts[0].Name}); ok {
			return b.registered(n, f)
		}
		if sig, ok := b.Functions.Callable(builtin); ok {
			return sig.Name, nil
		}
	}
	path, err := b.path(n)
	if err != nil {
		return "", err
	}
	f, ok := b.Catalog.LookupFunction(path)
	if !ok {
		return "", b.missing(n, "FUNCTION", path, b.functionNames(path))
	}
	if b.edits != nil {
		b.edits[n.Span] = sqlName(path.Catalog, path.Database, path.Name)
	}
	return b.registered(n, f)
}

// functionNames are the names that could have been meant instead: those of the catalog, and built-in ones in the case of the path.
func (b *binder) functionNames(p catalog.Path) []string {
	known := b.Catalog.Functions(p.Catalog, p.Database)
	lower := p.Name != strings.ToUpper(p.Name)
	for _, name := range b.Functions.Names() {
		if strings.ContainsAny(name, " +-*/%<>=|.") {
			continue
		}
		if lower {
			name = strings.ToLower(name)
		}
		known = append(known, name)
	}
	return known
}

func (b *binder) registered(n ast.Name, f *catalog.Function) (string, error) {
	sig, ok := b.Functions.Callable(f.Name)
	if !ok {
		return "", b.hinted(n, "start the cluster with the program that registers it", "function %s is known to the catalog as %s, which nobody registered", n, f.Name)
	}
	return sig.Name, nil
}

// path completes a name with the current catalog and database.
func (a *analyzer) path(n ast.Name) (catalog.Path, error) {
	p, err := catalog.Resolve(n.Strings(), a.Session.Catalog, a.Session.Database)
	return p, a.wrap(n, err)
}
