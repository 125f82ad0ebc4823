package analyze

import (
	"errors"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/types"
)

// allowed is what an expression may have in it beside columns of its scope.
type allowed uint8

const (
	aggregates allowed = 1 << iota
	overs
	subqueries
	nothing  allowed = 0
	anything         = aggregates | overs | subqueries
)

// outerBase is what is added to the number of a column of the query around.
const outerBase = 1 << 24

// binder binds expressions to the columns of a scope.
type binder struct {
	*analyzer
	env    *env
	scope  *scope
	clause string // where it binds, for messages: WHERE
	allow  allowed
	// outer tells that columns of the query around may be named.
	outer bool
	// sel is the SELECT that computes slots, nil where there is none.
	sel *selection
	// places are where columns were named.
	places map[*expr.Column]ast.Span
	levels int
}

func (a *analyzer) binder(e *env, s *scope, clause string) *binder {
	return &binder{analyzer: a, env: e, scope: s, clause: clause, places: make(map[*expr.Column]ast.Span)}
}

// bind returns the typed expression of a tree.
func (b *binder) bind(e ast.Expr) (expr.Expr, error) { return b.bindAs(e, asValue) }

// use is what becomes of a truth value.
type use uint8

const (
	asValue     use = iota // TRUE, FALSE and NULL all differ
	asCondition            // what is not TRUE is all the same
)

// bindAs is bind where it may be known what becomes of the value.
func (b *binder) bindAs(e ast.Expr, as use) (expr.Expr, error) {
	b.levels++
	defer func() { b.levels-- }()
	if b.levels > expr.DepthMax/2 {
		return nil, b.failf(e, "the expression is nested deeper than %d", expr.DepthMax/2)
	}
	if b.exprs++; b.exprs > ExprsMax {
		return nil, b.hinted(e, "compute parts of it in a query in FROM", "the statement is too large: more than %d expressions, spelled out", ExprsMax)
	}
	if m := membershipOf(e); m != nil {
		return b.member(m, as)
	}
	switch e := e.(type) {
	case *ast.ColumnRef:
		return b.columnRef(e)
	case *ast.Literal:
		return b.literal(e)
	case *ast.Interval:
		return b.interval(e)
	case *ast.Unary:
		return b.unary(e)
	case *ast.Binary:
		return b.binary(e, as)
	case *ast.Is:
		return b.is(e)
	case *ast.Between:
		return b.between(e)
	case *ast.In:
		return b.in(e)
	case *ast.Quantified:
		return b.quantified(e)
	case *ast.Like:
		return b.like(e)
	case *ast.Case:
		return b.cases(e)
	case *ast.Cast:
		return b.cast(e)
	case *ast.Call:
		return b.callOf(e)
	case *ast.Index:
		return b.call(e, "AT", e.X, e.At)
	case *ast.FieldOf:
		return b.fieldOf(e)
	case *ast.Row:
		return b.call(e, "ROW", e.Items...)
	case *ast.Collection:
		return b.call(e, string(e.Kind), e.Items...)
	case *ast.Subquery:
		return b.subquery(e)
	case *ast.Symbol:
		return expr.String(e.Word), nil
	default:
		return b.misplaced(e)
	}
}

// is binds a test. JSON alone and JSON VALUE are one.
func (b *binder) is(e *ast.Is) (expr.Expr, error) {
	test := string(e.Test)
	if e.Test == ast.IsJSON {
		test = "JSON"
	}
	if e.Not {
		test = "NOT " + test
	}
	as := asValue
	if e.Test == ast.IsTrue {
		as = asCondition
	}
	x, err := b.bindAs(e.X, as)
	if err != nil {
		return nil, err
	}
	return b.apply(e, "IS "+test, x)
}

// misplaced refuses what is no value.
func (b *binder) misplaced(e ast.Expr) (expr.Expr, error) {
	switch e := e.(type) {
	case *ast.Star:
		return nil, b.failf(e, "* stands in a select list and in COUNT(*) alone")
	case *ast.NamedArg:
		return nil, b.unsupported(e, "an argument by name outside of window table functions")
	case *ast.DefaultArg:
		return nil, b.unsupported(e, "DEFAULT as a value")
	default:
		return nil, b.failf(e, "%s is no value", ast.Print(e))
	}
}

// bindAll binds a list.
func (b *binder) bindAll(list []ast.Expr) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(list))
	for i, e := range list {
		var err error
		if out[i], err = b.bind(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// call binds arguments and calls a function of the registry.
func (b *binder) call(at ranged, name string, args ...ast.Expr) (expr.Expr, error) {
	bound, err := b.bindAll(args)
	if err != nil {
		return nil, err
	}
	return b.apply(at, name, bound...)
}

// apply calls a function of the registry.
func (b *binder) apply(at ranged, name string, args ...expr.Expr) (expr.Expr, error) {
	return b.analyzer.apply(at, name, args...)
}

func (a *analyzer) apply(at ranged, name string, args ...expr.Expr) (expr.Expr, error) {
	if _, ok := a.Functions.Lookup(name); !ok {
		return nil, a.unsupported(at, name)
	}
	c, err := expr.NewCall(a.Functions, name, args...)
	if err != nil {
		return nil, a.wrap(at, err)
	}
	return c, nil
}

func (b *binder) columnRef(c *ast.ColumnRef) (expr.Expr, error) {
	ref, ambiguous := b.scope.lookup(c.Name.Parts)
	if ambiguous {
		return nil, b.hinted(c, "put the table's name before it", "%s is ambiguous: several tables have a column of that name", c.Name)
	}
	base, in := 0, b.scope
	if b.scope.outer != nil && (ref.column == nil || len(ref.fields) > 0) {
		outer, ambiguous := b.scope.outer.lookup(c.Name.Parts)
		switch {
		case ref.column != nil && (outer.column == nil || len(outer.fields) >= len(ref.fields)): // a table around comes before the field of a column here, as within a scope
		case ambiguous:
			return nil, b.failf(c, "%s is ambiguous: several tables of the query around have a column of that name", c.Name)
		case outer.column != nil && !b.outer:
			return nil, b.unsupported(c, "a column of the query around ("+c.Name.String()+") elsewhere than in WHERE, HAVING or the select list of a subquery")
		default:
			ref, base, in = outer, outerBase, b.scope.outer
		}
	}
	if ref.column == nil {
		if b.farther(c.Name) {
			return nil, b.hinted(c, "join the tables", "a column (%s) of a query that is not the next one around is not supported yet", c.Name)
		}
		return nil, b.unknownColumn(b.scope, c.Name)
	}
	def := in.column(ref.column)
	col := &expr.Column{Index: base + ref.column.index, Name: def.Name, T: def.Type}
	b.places[col] = c.Span
	var e expr.Expr = col
	for _, f := range ref.fields {
		var err error
		if e, err = b.field(f, e, f.Name); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// farther tells whether a query behind the next one around has a column of that name.
func (b *binder) farther(n ast.Name) bool {
	for s := b.scope.outer; s != nil; s = s.outer {
		if ref, ambiguous := s.lookup(n.Parts); ref.column != nil || ambiguous {
			return true
		}
	}
	return false
}

// field is the field of a ROW.
func (b *binder) field(at ranged, row expr.Expr, name string) (expr.Expr, error) {
	t := row.Type()
	if t.Kind != types.Row {
		return nil, b.failf(at, "%s has no field %s: it is %s", textOf(row), name, t)
	}
	known := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		if known[i] = f.Name; f.Name == name {
			return b.apply(at, "GET", row, expr.Int(int32(i))) //nolint:gosec // fields are fewer than ColumnsMax.
		}
	}
	return nil, b.hinted(at, didYouMean(name, known), "%s has no field %s", textOf(row), name)
}

// textOf names an expression in a message.
func textOf(e expr.Expr) string {
	if c, ok := e.(*expr.Call); ok && c.Func == "GET" {
		if l, ok := c.Args[1].(*expr.Literal); ok {
			if i, ok := l.Value.(int64); ok {
				return textOf(c.Args[0]) + "." + c.Args[0].Type().Fields[i].Name
			}
		}
	}
	return e.String()
}

func (b *binder) fieldOf(e *ast.FieldOf) (expr.Expr, error) {
	x, err := b.bind(e.X)
	if err != nil {
		return nil, err
	}
	return b.field(e.Field, x, e.Field.Name)
}

func (b *binder) unary(e *ast.Unary) (expr.Expr, error) {
	if e.Op == ast.Not {
		return b.call(e, "NOT", e.X)
	}
	if e.Op == ast.Plus {
		return b.bind(e.X)
	}
	x, err := b.bind(e.X)
	if err != nil {
		return nil, err
	}
	if l, ok := x.(*expr.Literal); ok {
		if n := negated(l); n != nil {
			return n, nil
		}
	}
	return b.apply(e, "NEG", x)
}

// negated returns the constant with a minus before it, nil where that is left to evaluation.
func negated(l *expr.Literal) *expr.Literal {
	switch v := l.Value.(type) {
	case int64:
		switch l.T.Kind {
		case types.Int:
			return integerLiteral(-v)
		case types.BigInt:
			return integerLiteral(-v) // -2147483648 is an INT
		case types.Decimal, types.IntervalDayTime, types.IntervalYearMonth:
			return &expr.Literal{T: l.T, Value: -v}
		}
	case float64:
		return &expr.Literal{T: l.T, Value: -v}
	}
	return nil
}

func (b *binder) binary(e *ast.Binary, as use) (expr.Expr, error) {
	if e.Op == ast.And || e.Op == ast.Or {
		return b.junction(e, as)
	}
	if e.Op == ast.Overlaps {
		return nil, b.unsupported(e, "OVERLAPS")
	}
	left, isRow := e.Left.(*ast.Row)
	right, areRows := e.Right.(*ast.Row)
	if isRow && areRows && (e.Op == ast.Equals || e.Op == ast.NotEquals) {
		return b.rows(e, left, right)
	}
	return b.call(e, string(e.Op), e.Left, e.Right)
}

// rows compares rows item by item.
func (b *binder) rows(e *ast.Binary, left, right *ast.Row) (expr.Expr, error) {
	if len(left.Items) != len(right.Items) {
		return nil, b.failf(e, "a row of %d is compared with one of %d", len(left.Items), len(right.Items))
	}
	parts := make([]expr.Expr, len(left.Items))
	for i := range left.Items {
		var err error
		if parts[i], err = b.call(e, string(e.Op), left.Items[i], right.Items[i]); err != nil {
			return nil, err
		}
	}
	name := "AND"
	if e.Op == ast.NotEquals {
		name = "OR"
	}
	return b.joined(e, name, parts)
}

// junction makes one call of a chain of ANDs or ORs. It holds if all of its operands do, or one.
func (b *binder) junction(e *ast.Binary, as use) (expr.Expr, error) {
	list := operands(e, e.Op)
	parts := make([]expr.Expr, len(list))
	for i, part := range list {
		var err error
		if parts[i], err = b.bindAs(part, as); err != nil {
			return nil, err
		}
	}
	return b.joined(e, string(e.Op), parts)
}

// operands returns those of a chain of one operator, in order.
func operands(e ast.Expr, op ast.BinaryOp) []ast.Expr {
	var reversed []ast.Expr
	for {
		bin, ok := e.(*ast.Binary)
		if !ok || bin.Op != op {
			reversed = append(reversed, e)
			slices.Reverse(reversed)
			return reversed
		}
		right := operands(bin.Right, op)
		slices.Reverse(right)
		reversed = append(reversed, right...)
		e = bin.Left
	}
}

// joined combines conditions with AND or OR, more of them than a call takes in several.
func (a *analyzer) joined(at ranged, name string, parts []expr.Expr) (expr.Expr, error) {
	for len(parts) > expr.ArgsMax {
		first, err := a.apply(at, name, parts[:expr.ArgsMax]...)
		if err != nil {
			return nil, err
		}
		parts = append([]expr.Expr{first}, parts[expr.ArgsMax:]...)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return a.apply(at, name, parts...)
}

func (b *binder) between(e *ast.Between) (expr.Expr, error) {
	name := "BETWEEN"
	if e.Not {
		name = "NOT BETWEEN"
	}
	plain, err := b.call(e, name, e.X, e.Low, e.High)
	if err != nil || !e.Symmetric {
		return plain, err
	}
	turned, err := b.call(e, name, e.X, e.High, e.Low)
	if err != nil {
		return nil, err
	}
	if e.Not {
		return b.apply(e, "AND", plain, turned)
	}
	return b.apply(e, "OR", plain, turned)
}

func (b *binder) in(e *ast.In) (expr.Expr, error) {
	if row, ok := e.X.(*ast.Row); ok {
		return b.rowIn(e, row)
	}
	name, join := "IN", "OR"
	if e.Not {
		name, join = "NOT IN", "AND"
	}
	x, err := b.bind(e.X)
	if err != nil {
		return nil, err
	}
	var parts []expr.Expr
	for chunk := range slices.Chunk(e.List, expr.ArgsMax-1) {
		args, err := b.bindAll(chunk)
		if err != nil {
			return nil, err
		}
		part, err := b.apply(e, name, append([]expr.Expr{x}, args...)...)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return b.joined(e, join, parts)
}

// rowIn is (a, b) IN ((1, 2), ...).
func (b *binder) rowIn(e *ast.In, row *ast.Row) (expr.Expr, error) {
	op, join := ast.Equals, "OR"
	if e.Not {
		op, join = ast.NotEquals, "AND"
	}
	parts := make([]expr.Expr, len(e.List))
	for i, item := range e.List {
		var err error
		if parts[i], err = b.bind(&ast.Binary{Span: item.Range(), Op: op, Left: row, Right: item}); err != nil {
			return nil, err
		}
	}
	return b.joined(e, join, parts)
}

func (b *binder) quantified(e *ast.Quantified) (expr.Expr, error) {
	if e.Query != nil {
		return nil, b.unsupported(e, "a comparison with ANY or ALL of a query")
	}
	parts := make([]expr.Expr, len(e.List))
	for i, item := range e.List {
		var err error
		if parts[i], err = b.call(e, string(e.Op), e.X, item); err != nil {
			return nil, err
		}
	}
	if e.All {
		return b.joined(e, "AND", parts)
	}
	return b.joined(e, "OR", parts)
}

func (b *binder) like(e *ast.Like) (expr.Expr, error) {
	name := "LIKE"
	if e.Similar {
		name = "SIMILAR TO"
	}
	if e.Not {
		name = "NOT " + name
	}
	args := []ast.Expr{e.X, e.Pattern}
	if e.Escape != nil {
		args = append(args, e.Escape)
	}
	return b.call(e, name, args...)
}

func (b *binder) cases(e *ast.Case) (expr.Expr, error) {
	whens := make([]expr.When, len(e.Whens))
	for i, w := range e.Whens {
		condition := w.If
		if e.Operand != nil {
			condition = &ast.Binary{Span: w.If.Range(), Op: ast.Equals, Left: e.Operand, Right: w.If}
		}
		var err error
		if whens[i].If, err = b.bindAs(condition, asCondition); err != nil {
			return nil, err
		}
		if whens[i].Then, err = b.bind(w.Then); err != nil {
			return nil, err
		}
	}
	var otherwise expr.Expr
	if e.Else != nil {
		var err error
		if otherwise, err = b.bind(e.Else); err != nil {
			return nil, err
		}
	}
	c, err := expr.NewCase(whens, otherwise)
	if err != nil {
		return nil, b.wrap(e, err)
	}
	return c, nil
}

func (b *binder) cast(e *ast.Cast) (expr.Expr, error) {
	x, err := b.bind(e.X)
	if err != nil {
		return nil, err
	}
	to, err := b.typeNamed(e.Type)
	if err != nil {
		return nil, err
	}
	c, err := expr.NewCast(x, to, e.Try)
	if err != nil {
		return nil, b.wrap(e, err)
	}
	return c, nil
}

// condition binds what must be a truth value.
func (b *binder) condition(e ast.Expr) (expr.Expr, error) {
	c, err := b.bindAs(e, asCondition)
	if err != nil {
		return nil, err
	}
	return b.truth(e, c, b.clause)
}

// truth brings NULL to BOOLEAN and refuses other types.
func (a *analyzer) truth(at ranged, c expr.Expr, clause string) (expr.Expr, error) {
	switch t := c.Type(); t.Kind {
	case types.Boolean:
		return c, nil
	case types.Null:
		return expr.Null(types.Of(types.Boolean)), nil
	default:
		return nil, a.failf(at, "%s is %s, want BOOLEAN", strings.TrimSpace(clause), t)
	}
}

// constant binds an expression without columns.
func (a *analyzer) constant(e ast.Expr, clause string) (expr.Expr, error) {
	return a.binder(&env{}, &scope{}, clause).bind(e)
}

// errNoInteger is what is no number of rows.
var errNoInteger = errors.New("want a whole number that is not negative")

// count returns the number that stands in LIMIT and such.
func (a *analyzer) count(e ast.Expr) (int64, error) {
	c, err := a.constant(e, "LIMIT")
	if err != nil {
		return 0, err
	}
	if l, ok := c.(*expr.Literal); ok {
		if v, ok := l.Value.(int64); ok && v >= 0 && (l.T.Kind == types.Int || l.T.Kind == types.BigInt) {
			return v, nil
		}
	}
	return 0, a.wrap(e, errNoInteger)
}
