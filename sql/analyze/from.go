package analyze

import (
	"slices"
	"strings"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/sql/plan"
	"millrace/types"
)

// joiner binds the FROM of one SELECT.
type joiner struct {
	*analyzer
	env   *env
	hints []plan.Hint
	// aliases are the names of all relations so far.
	aliases []string
}

// side is how a table is joined to those before it.
type side struct {
	at      ranged
	kind    plan.JoinKind
	natural bool
	on      ast.Expr
	using   []ast.Ident
}

var joinKinds = map[ast.JoinKind]plan.JoinKind{
	ast.InnerJoin: plan.Inner, ast.LeftJoin: plan.Left, ast.RightJoin: plan.Right, ast.FullJoin: plan.Full, ast.CrossJoin: plan.Inner,
}

// fromList binds FROM. Without one there is a row without columns that have names.
func (a *analyzer) fromList(tree *ast.Select, e *env) (relation, error) {
	if len(tree.From) == 0 {
		n := &plan.Values{Rows: [][]expr.Expr{{expr.Int(0)}}, Result: plan.Schema{{Name: "ZERO", Type: types.Of(types.Int).NotNull()}}}
		return relation{node: n}, nil
	}
	j := &joiner{analyzer: a, env: e, hints: hintsOf(tree.Hints, "")}
	left, err := j.table(tree.From[0])
	if err != nil {
		return relation{}, err
	}
	for _, ref := range tree.From[1:] {
		if left, err = j.join(left, ref, side{at: ref, kind: plan.Inner}); err != nil {
			return relation{}, err
		}
	}
	j.named(left)
	return left, j.checkHints(tree.Hints)
}

// hintsOf returns the hints of a SELECT: those of a name, or all if it is empty.
func hintsOf(list []*ast.Hint, name string) []plan.Hint {
	var out []plan.Hint
	for _, h := range list {
		p := plan.Hint{Name: strings.ToUpper(h.Name.Name), Options: make(map[string]string, len(h.Args))}
		if name != "" && p.Name != name {
			continue
		}
		for _, arg := range h.Args {
			p.Options[arg.Key] = ""
			if arg.Value != nil {
				p.Options[arg.Key] = arg.Value.Value
			}
		}
		out = append(out, p)
	}
	return out
}

// table binds a table that stands first, or by itself.
func (j *joiner) table(ref ast.TableRef) (relation, error) {
	switch ref := ref.(type) {
	case *ast.TableName:
		if ref.AsOf != nil {
			return relation{}, j.hinted(ref.AsOf, "t JOIN versions FOR SYSTEM_TIME AS OF t.time AS v ON t.key = v.key", "FOR SYSTEM_TIME AS OF needs a table to the left of a join")
		}
		return j.tableNamed(ref, j.env)
	case *ast.DerivedTable:
		r, err := j.query(ref.Query, &env{ctes: j.env.ctes})
		if err != nil {
			return r, err
		}
		return j.aliased(r, ref.Alias)
	case *ast.TableFunction:
		if isWindowFunction(ref.Call) {
			r, err := j.windowTable(ref.Call, j.env)
			if err != nil {
				return r, err
			}
			return j.aliased(r, ref.Alias)
		}
		return j.join(j.nothing(), ref, side{at: ref, kind: plan.Inner})
	case *ast.Unnest:
		return j.join(j.nothing(), ref, side{at: ref, kind: plan.Inner})
	case *ast.Join:
		left, err := j.table(ref.Left)
		if err != nil {
			return left, err
		}
		return j.join(left, ref.Right, side{at: ref.Right, kind: joinKinds[ref.Kind], natural: ref.Natural, on: ref.On, using: ref.Using})
	default:
		return relation{}, j.failf(ref, "%s is no table", ast.Print(ref))
	}
}

// nothing is what a table function stands beside that nothing stands before.
func (j *joiner) nothing() relation {
	r, _ := j.fromList(&ast.Select{}, j.env) // a SELECT without FROM has no error
	return r
}

// join puts a table beside those before it.
func (j *joiner) join(left relation, ref ast.TableRef, s side) (relation, error) {
	switch ref := ref.(type) {
	case *ast.TableName:
		if ref.AsOf != nil {
			return j.temporal(left, ref, s)
		}
	case *ast.Unnest:
		return j.unnest(left, ref, s)
	case *ast.TableFunction:
		if !isWindowFunction(ref.Call) {
			return j.correlate(left, ref, s)
		}
	case *ast.DerivedTable:
		if ref.Lateral {
			return j.lateral(left, ref, s)
		}
	}
	right, err := j.table(ref)
	if err != nil {
		return right, err
	}
	j.named(left, right)
	node := &plan.Join{Kind: s.kind, Left: left.node, Right: right.node, Hints: j.joinHints(left, right), Result: sideBySide(left.node, right.node, s.kind)}
	both := beside(node, left, right)
	switch {
	case s.natural:
		s.using = common(left, right)
	case s.on != nil:
		if node.Condition, err = j.condition(both, s.on); err != nil {
			return both, err
		}
	}
	if s.using == nil {
		if _, err = j.add(node, s.at); err != nil {
			return both, err
		}
		return both, j.distinctNames(left, right, s.at)
	}
	return j.using(left, right, node, s)
}

// distinctNames refuses two tables of one name: no column of either could be named. Tables of one name in two databases are
// told apart by these.
func (a *analyzer) distinctNames(left, right relation, at ranged) error {
	for i := range right.cols {
		from := right.cols[i].from
		if len(from) == 0 || i > 0 && slices.Equal(right.cols[i-1].from, from) {
			continue
		}
		for j := range left.cols {
			have := left.cols[j].from
			short := min(len(have), len(from))
			if short > 0 && slices.Equal(have[len(have)-short:], from[len(from)-short:]) {
				return a.hinted(at, "give one of them another with AS", "two tables are called %s", sqlName(from[len(from)-1]))
			}
		}
	}
	return nil
}

// sideBySide returns the columns of a join: those of a side that may have no partner can be NULL.
func sideBySide(left, right plan.Node, kind plan.JoinKind) plan.Schema {
	out := slices.Concat(left.Schema(), right.Schema())
	width := len(left.Schema())
	for i := range out {
		if i < width && (kind == plan.Right || kind == plan.Full) || i >= width && (kind == plan.Left || kind == plan.Full) {
			out[i].Type = out[i].Type.AsNullable()
		}
	}
	return out
}

// condition binds ON. TRUE is no condition.
func (j *joiner) condition(both relation, on ast.Expr) (expr.Expr, error) {
	// ON sees rows before those without a partner get theirs, so that columns are as nullable as their tables have them.
	raw := *both.node.(*plan.Join)
	raw.Result = slices.Concat(raw.Left.Schema(), raw.Right.Schema())
	both.node = &raw
	x, err := j.binder(j.env, &scope{relation: both}, "ON").condition(on)
	if err != nil {
		return nil, err
	}
	if isTrue(x) {
		return nil, nil
	}
	return x, nil
}

func isTrue(x expr.Expr) bool {
	l, ok := x.(*expr.Literal)
	return ok && l.Value == true
}

// common returns the names that two tables share.
func common(left, right relation) []ast.Ident {
	out := []ast.Ident{}
	for i := range left.cols {
		name := left.cols[i].name
		if !left.cols[i].hidden && len(right.find(nil, name)) > 0 {
			out = append(out, ast.Ident{Name: name})
		}
	}
	return out
}

// using joins by equal names, and merges these columns into one each, which come first.
func (j *joiner) using(left, right relation, node *plan.Join, s side) (relation, error) {
	width := len(left.node.Schema())
	var parts, merged []expr.Expr
	var names plan.Schema
	for _, id := range s.using {
		at := s.at
		if id.Span != (ast.Span{}) {
			at = id
		}
		l, err := j.sharedColumn(left, id, at)
		if err != nil {
			return left, err
		}
		r, err := j.sharedColumn(right, id, at)
		if err != nil {
			return right, err
		}
		r.Index += width
		eq, err := j.apply(at, "=", l, r)
		if err != nil {
			return left, err
		}
		parts = append(parts, eq)
		x, err := j.mergedColumn(at, node, l, r)
		if err != nil {
			return left, err
		}
		merged = append(merged, x)
		names = append(names, resultColumn(id.Name, x, node.Result))
	}
	if len(parts) > 0 {
		var err error
		if node.Condition, err = j.joined(s.at, "AND", parts); err != nil {
			return left, err
		}
	}
	if _, err := j.add(node, s.at); err != nil {
		return left, err
	}
	return j.mergedRelation(beside(node, left, right), merged, names, s)
}

// mergedRelation puts merged columns before all others, of which it hides those that were merged.
func (j *joiner) mergedRelation(both relation, merged []expr.Expr, names plan.Schema, s side) (relation, error) {
	columns := slices.Clone(merged)
	for i := range both.node.Schema() {
		columns = append(columns, columnOf(both.node, i))
	}
	n, err := j.projected(both.node, s.at, columns, slices.Concat(names, both.node.Schema()))
	if err != nil {
		return both, err
	}
	out := relation{node: n}
	for i := range names {
		out.cols = append(out.cols, column{name: names[i].Name, index: i})
	}
	for _, c := range both.cols {
		c.index += len(names)
		c.hidden = c.hidden || names.Index(c.name) >= 0
		out.cols = append(out.cols, c)
	}
	return out, nil
}

func (j *joiner) sharedColumn(r relation, id ast.Ident, at ranged) (*expr.Column, error) {
	switch found := r.find(nil, id.Name); len(found) {
	case 1:
		return columnOf(r.node, found[0].index), nil
	case 0:
		return nil, j.unknownColumn(&scope{relation: r}, ast.Name{Span: at.Range(), Parts: []ast.Ident{id}})
	default:
		return nil, j.failf(at, "%s is ambiguous on one side of the join", id)
	}
}

// mergedColumn is the side that is always there, or the first that is.
func (j *joiner) mergedColumn(at ranged, node *plan.Join, l, r *expr.Column) (expr.Expr, error) {
	left, right := columnOf(node, l.Index), columnOf(node, r.Index)
	switch node.Kind {
	case plan.Full:
		return j.apply(at, "COALESCE", left, right)
	case plan.Right:
		return right, nil
	default:
		return left, nil
	}
}

// temporal joins rows with the version of the right table that was valid at a moment of the left one.
func (j *joiner) temporal(left relation, ref *ast.TableName, s side) (relation, error) {
	if s.kind != plan.Inner && s.kind != plan.Left {
		return left, j.failf(ref, "a join FOR SYSTEM_TIME AS OF is INNER or LEFT")
	}
	moment, err := j.binder(j.env, &scope{relation: left}, "FOR SYSTEM_TIME AS OF").bind(ref.AsOf)
	if err != nil {
		return left, err
	}
	c, ok := moment.(*expr.Column)
	if !ok || left.node.Schema()[c.Index].Time == plan.NoTime {
		return left, j.notTime(ref.AsOf, "FOR SYSTEM_TIME AS OF")
	}
	plain := *ref
	plain.AsOf = nil
	right, err := j.tableNamed(&plain, j.env)
	if err != nil {
		return right, err
	}
	if s.on == nil && s.using == nil && !s.natural {
		return right, j.failf(ref, "a join FOR SYSTEM_TIME AS OF needs ON")
	}
	node := &plan.Join{Kind: s.kind, Left: left.node, Right: right.node, Result: sideBySide(left.node, right.node, s.kind)}
	both := beside(node, left, right)
	if s.on == nil {
		return both, j.unsupported(ref, "USING in a join FOR SYSTEM_TIME AS OF")
	}
	on, err := j.condition(both, s.on)
	if err != nil {
		return both, err
	}
	both.node, err = j.add(&plan.TemporalJoin{
		Kind: s.kind, Left: left.node, Right: right.node, Time: c.Index, Condition: on, Hints: j.hints, Result: node.Result,
	}, s.at)
	return both, err
}

// unnest gives each row those of a collection in it.
func (j *joiner) unnest(left relation, ref *ast.Unnest, s side) (relation, error) {
	if len(ref.Items) != 1 {
		return left, j.unsupported(ref, "UNNEST of several collections")
	}
	x, err := j.binder(j.env, &scope{relation: left}, "UNNEST").bind(ref.Items[0])
	if err != nil {
		return left, err
	}
	var columns plan.Schema
	switch t := x.Type(); t.Kind {
	case types.Array:
		columns = elementColumns(*t.Elem)
	case types.Map:
		columns = plan.Schema{{Name: "KEY", Type: *t.Key}, {Name: "VALUE", Type: *t.Elem}}
	default:
		return left, j.failf(ref.Items[0], "UNNEST takes an ARRAY or MAP, got %s", t)
	}
	if ref.Ordinality {
		columns = append(columns, plan.Column{Name: "ORDINALITY", Type: types.Of(types.Int).NotNull()})
	}
	c := &plan.Correlate{Kind: s.kind, Func: "UNNEST", Args: []expr.Expr{x}, Ordinality: ref.Ordinality}
	return j.correlated(left, c, columns, ref.Alias, s)
}

// elementColumns are the fields of a ROW, or one column.
func elementColumns(t types.Type) plan.Schema {
	if t.Kind != types.Row {
		return plan.Schema{{Name: "EXPR$0", Type: t}}
	}
	out := make(plan.Schema, len(t.Fields))
	for i, f := range t.Fields {
		f.Type.Nullable = f.Type.Nullable || t.Nullable
		out[i] = plan.Column{Name: f.Name, Type: f.Type}
	}
	return out
}

// correlate gives each row those that a table function makes of it.
func (j *joiner) correlate(left relation, ref *ast.TableFunction, s side) (relation, error) {
	b := j.binder(j.env, &scope{relation: left}, "a table function")
	name, err := b.function(ref.Call.Name, strings.ToUpper(ref.Call.Name.Parts[len(ref.Call.Name.Parts)-1].Name))
	if err != nil {
		return left, err
	}
	sig, _ := j.Functions.Lookup(name)
	if sig.Kind != expr.TableFunc {
		return left, j.failf(ref.Call, "%s is no table function", ref.Call.Name)
	}
	x, err := b.call(ref.Call, name, ref.Call.Args...)
	if err != nil {
		return left, err
	}
	call := x.(*expr.Call)
	c := &plan.Correlate{Kind: s.kind, Func: name, Args: call.Args}
	return j.correlated(left, c, elementColumns(call.T), ref.Alias, s)
}

// correlated puts the columns of a table function beside those of its rows.
func (j *joiner) correlated(left relation, c *plan.Correlate, columns plan.Schema, alias *ast.TableAlias, s side) (relation, error) {
	if s.kind != plan.Inner && s.kind != plan.Left {
		return left, j.failf(s.at, "a join with what is made of its left side is INNER or LEFT")
	}
	c.Input = left.node
	made := &plan.Values{Result: columns}
	c.Result = sideBySide(left.node, made, s.kind)
	right, err := j.aliased(named(made), alias)
	if err != nil {
		return left, err
	}
	n, err := j.add(c, s.at)
	if err != nil {
		return left, err
	}
	return j.restricted(beside(n, left, right), s)
}

// restricted applies ON to rows that were made of the left side.
func (j *joiner) restricted(both relation, s side) (relation, error) {
	if s.natural || s.using != nil {
		return both, j.unsupported(s.at, "USING in a join with what is made of its left side")
	}
	if s.on == nil {
		return both, nil
	}
	x, err := j.binder(j.env, &scope{relation: both}, "ON").condition(s.on)
	if err != nil || isTrue(x) {
		return both, err
	}
	if s.kind != plan.Inner {
		return both, j.unsupported(s.on, "LEFT JOIN with what is made of its left side ON other than TRUE")
	}
	both.node, err = j.add(&plan.Filter{Input: both.node, Condition: x}, s.on)
	return both, err
}

// lateral is LATERAL (SELECT expressions): columns computed of those before.
func (j *joiner) lateral(left relation, ref *ast.DerivedTable, s side) (relation, error) {
	tree, ok := ref.Query.Body.(*ast.Select)
	bare := ok && len(ref.Query.With) == 0 && len(ref.Query.OrderBy) == 0 && ref.Query.Limit == nil && ref.Query.Offset == nil
	if !bare || tree.From != nil || tree.Where != nil || tree.GroupBy != nil || tree.Having != nil || tree.Qualify != nil || tree.Quantifier == ast.Distinct {
		return left, j.unsupported(ref, "a LATERAL query that does more than compute columns of the tables before it")
	}
	b := j.binder(j.env, &scope{relation: left}, "LATERAL")
	in := left.node.Schema()
	columns := make([]expr.Expr, 0, len(in)+len(tree.Items))
	for i := range in {
		columns = append(columns, columnOf(left.node, i))
	}
	result := slices.Clone(in)
	right := relation{}
	for i, it := range tree.Items {
		x, err := b.bind(it.X)
		if err != nil {
			return left, err
		}
		columns = append(columns, x)
		result = append(result, resultColumn(itemName(it, i), x, in))
		right.cols = append(right.cols, column{name: itemName(it, i), index: i})
	}
	n, err := j.projected(left.node, ref, columns, result)
	if err != nil {
		return left, err
	}
	if right, err = j.aliased(right, ref.Alias); err != nil {
		return left, err
	}
	return j.restricted(beside(n, left, right), s)
}
