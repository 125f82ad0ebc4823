package parser

import (
	"testing"

	"pgregory.net/rapid"

	"millrace/sql/ast"
)

// TestPrintedExpressionsParse: an expression of any shape prints as a text whose parse is an equal tree. So brackets stand
// where they have to, whoever made the tree.
func TestPrintedExpressionsParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyExpr(t, 5)
		text := ast.Print(e)
		again, err := ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		if !ast.Equal(e, again) {
			t.Fatalf("%s\nis parsed as %s", text, ast.Print(again))
		}
	})
}

var (
	someUnaries  = []ast.UnaryOp{ast.Not, ast.Minus, ast.Plus}
	someBinaries = []ast.BinaryOp{
		ast.Or, ast.And, ast.DistinctFrom, ast.NotDistinctFrom, ast.Equals, ast.NotEquals, ast.Less, ast.GreaterOrEqual,
		ast.Overlaps, ast.Add, ast.Subtract, ast.Multiply, ast.Divide, ast.Remainder, ast.Concat,
	}
	someTests  = []ast.Test{ast.IsNull, ast.IsTrue, ast.IsUnknown, ast.IsJSON, ast.IsJSONObject}
	someLeaves = []string{
		"a", "a.b", "`or`.`x y`", "1", "1.5", ".5", "2.", "1e3", "'x'", "NULL", "TRUE", "X'0A'", "DATE '2024-01-01'", "INTERVAL '1' DAY",
		"INTERVAL -'1' SECOND(3)", "CURRENT_DATE", "f()", "COUNT(*)", "ARRAY[]", "ROW()", "DEFAULT", "EXISTS (SELECT 1)", "(SELECT 1)",
		"CASE a WHEN 1 THEN 2 END", "CAST(a AS INT)", "TRIM(BOTH 'x' FROM a)", "SUM(a) OVER (ORDER BY b)",
	}
)

// anyExpr makes an expression that is at most so deep.
func anyExpr(t *rapid.T, depth int) ast.Expr {
	part := func() ast.Expr { return anyExpr(t, depth-1) }
	parts := func(least int) []ast.Expr {
		list := make([]ast.Expr, rapid.IntRange(least, 3).Draw(t, "parts"))
		if len(list) == 0 {
			return nil
		}
		for i := range list {
			list[i] = part()
		}
		if _, ok := list[0].(*ast.Subquery); ok && len(list) == 1 {
			return append(list, part()) // alone in brackets it is a query
		}
		return list
	}
	not := func() bool { return rapid.Bool().Draw(t, "not") }
	shape := rapid.IntRange(0, 15).Draw(t, "shape")
	if depth == 0 {
		shape = 0
	}
	switch shape {
	case 1:
		return &ast.Unary{Op: rapid.SampledFrom(someUnaries).Draw(t, "op"), X: part()}
	case 2, 3, 4:
		return &ast.Binary{Op: rapid.SampledFrom(someBinaries).Draw(t, "op"), Left: part(), Right: part()}
	case 5:
		return &ast.Between{X: part(), Not: not(), Symmetric: not(), Low: part(), High: part()}
	case 6:
		return &ast.In{X: part(), Not: not(), List: parts(1)}
	case 7:
		like := &ast.Like{X: part(), Not: not(), Similar: not(), Pattern: part()}
		if rapid.Bool().Draw(t, "escape") {
			like.Escape = part()
		}
		return like
	case 8:
		return &ast.Is{X: part(), Not: not(), Test: rapid.SampledFrom(someTests).Draw(t, "test")}
	case 9:
		return &ast.Quantified{X: part(), Op: ast.Less, All: not(), List: parts(1)}
	case 10:
		return &ast.Index{X: part(), At: part()}
	case 11:
		return &ast.FieldOf{X: part(), Field: ast.Ident{Name: "f"}}
	case 12:
		return &ast.Row{Items: parts(2)}
	case 13:
		return &ast.Case{Whens: []*ast.When{{If: part(), Then: part()}}, Else: part()}
	case 14:
		return call("f", parts(0)...)
	case 15:
		return call("POSITION", part(), part())
	default:
		e, err := ParseExpr(rapid.SampledFrom(someLeaves).Draw(t, "leaf"))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
}

func call(name string, args ...ast.Expr) ast.Expr {
	return &ast.Call{Name: ast.Name{Parts: []ast.Ident{{Name: name}}}, Args: args}
}

// TestPrintedQueriesParse is TestPrintedExpressionsParse for set operations and joins.
func TestPrintedQueriesParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := &ast.Query{Body: anyBody(t, 4)}
		text := ast.Print(q)
		again, err := ParseStatement(text)
		if err != nil {
			t.Fatal(err)
		}
		if inner, ok := q.Body.(*ast.Query); ok {
			q = inner // brackets around the whole leave no trace
		}
		if !ast.Equal(q, again) {
			t.Fatalf("%s\nis parsed as %s", text, ast.Print(again))
		}
	})
}

func anyBody(t *rapid.T, depth int) ast.QueryBody {
	shape := rapid.IntRange(0, 6).Draw(t, "shape")
	if depth == 0 {
		shape = 0
	}
	switch shape {
	case 1, 2, 3:
		return &ast.SetOp{
			Op:  rapid.SampledFrom([]ast.SetOperator{ast.Union, ast.Intersect, ast.Except}).Draw(t, "op"),
			All: rapid.Bool().Draw(t, "all"), Left: anyBody(t, depth-1), Right: anyBody(t, depth-1),
		}
	case 4:
		body := anyBody(t, depth-1)
		return &ast.Query{Body: body, Limit: &ast.Literal{Kind: ast.IntegerLiteral, Text: "1"}}
	case 5:
		return &ast.Select{Items: []*ast.SelectItem{{X: &ast.Star{}}}, From: []ast.TableRef{anyTable(t, depth-1), anyTable(t, depth-1)}}
	case 6:
		return &ast.Values{Rows: []ast.Expr{anyExpr(t, 2), anyExpr(t, 1)}}
	default:
		return &ast.TableQuery{Name: ast.Name{Parts: []ast.Ident{{Name: "t"}}}}
	}
}

func anyTable(t *rapid.T, depth int) ast.TableRef {
	shape := rapid.IntRange(0, 4).Draw(t, "shape")
	if depth <= 0 {
		shape = 0
	}
	switch shape {
	case 1:
		return &ast.Join{Kind: ast.LeftJoin, Left: anyTable(t, depth-1), Right: anyTable(t, depth-1), On: anyExpr(t, 2)}
	case 2:
		return &ast.Join{Kind: ast.CrossJoin, Left: anyTable(t, depth-1), Right: anyTable(t, depth-1)}
	case 3:
		return &ast.Join{Kind: ast.InnerJoin, Natural: true, Left: anyTable(t, depth-1), Right: anyTable(t, depth-1)}
	case 4:
		q := &ast.Query{Body: anyBody(t, depth-1)}
		if inner, ok := q.Body.(*ast.Query); ok {
			q = inner
		}
		return &ast.DerivedTable{Query: q, Alias: &ast.TableAlias{Name: ast.Ident{Name: "d"}}}
	default:
		return &ast.TableName{Name: ast.Name{Parts: []ast.Ident{{Name: "t"}}}}
	}
}
