package ast

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
)

func name(parts ...string) Name {
	var n Name
	for _, p := range parts {
		n.Parts = append(n.Parts, Ident{Name: p})
	}
	return n
}

func column(parts ...string) Expr { return &ColumnRef{Name: name(parts...)} }

// What nobody wrote is printed so that it can be parsed; what was parsed is printed in package parser's tests.
func TestPrintOfMadeTrees(t *testing.T) {
	minus := func(x Expr) Expr { return &Unary{Op: Minus, X: x} }
	cases := []struct {
		name string
		node Node
		want string
	}{
		{"a reserved word is quoted", column("t", "order"), "t.`order`"},
		{"what is no word is quoted", column("a b", "1a", "", "x`y"), "`a b`.`1a`.``.`x``y`"},
		{"a function may have a reserved name", &Call{Name: name("count"), Args: []Expr{&Star{}}}, "count(*)"},
		{"two signs are no comment", minus(minus(column("a"))), "- -a"},
		{"a field of a column is no name", &FieldOf{X: column("a"), Field: Ident{Name: "b"}}, "(a).b"},
		{"a row of one", &Row{Items: []Expr{column("a")}}, "ROW(a)"},
		{"a text stays on its line", &Literal{Kind: StringLiteral, Text: "a'\n\\b"}, `U&'a''\000A\\b'`},
		{
			"brackets where they have to be",
			&Binary{
				Op: Multiply, Left: &Binary{Op: Add, Left: column("a"), Right: column("b")},
				Right: &Binary{Op: Divide, Left: column("c"), Right: &Unary{Op: Not, X: column("d")}},
			},
			"(a + b) * (c / (NOT d))",
		},
		{"a form with other arguments", &Call{Name: name("EXTRACT"), Args: []Expr{column("a")}}, "EXTRACT(a)"},
		{
			"sets of sets",
			&SetOp{
				Op: Except, Left: &SetOp{Op: Union, All: true, Left: &TableQuery{Name: name("a")}, Right: &TableQuery{Name: name("b")}},
				Right: &SetOp{Op: Union, Left: &TableQuery{Name: name("c")}, Right: &Query{Body: &TableQuery{Name: name("d")}, Limit: &Literal{Kind: IntegerLiteral, Text: "1"}}},
			},
			"TABLE a UNION ALL TABLE b EXCEPT (TABLE c UNION (TABLE d LIMIT 1))",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Print(c.node)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEqualIgnoresPlacesOnly(t *testing.T) {
	tree := func(start int, op BinaryOp, items ...Expr) Node {
		return &Binary{Span: Span{start, start + 5}, Op: op, Left: &Row{Items: items}, Right: column("b")}
	}
	base := tree(0, And, column("a"))
	cases := []struct {
		name  string
		other Node
		want  bool
	}{
		{"elsewhere", tree(7, And, column("a")), true},
		{"another operator", tree(0, Or, column("a")), false},
		{"another name", tree(0, And, column("b")), false},
		{"another length", tree(0, And), false},
		{"another node", tree(0, And, &Star{}), false},
		{"nothing", nil, false},
	}
	for _, c := range cases {
		if got := Equal(base, c.other); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if !Equal(&Row{}, &Row{Items: []Expr{}}) {
		t.Error("an empty list differs from none")
	}
}

func TestPositionOf(t *testing.T) {
	text := "añ b\r\nc\xffd\n"
	for offset, want := range map[int]failure.Position{
		0: {Line: 1, Column: 1}, 3: {Line: 1, Column: 3}, 7: {Line: 2, Column: 1}, 9: {Line: 2, Column: 3}, 11: {Line: 3, Column: 1},
		99: {Line: 3, Column: 1}, -1: {Line: 1, Column: 1},
	} {
		if got := PositionOf(text, offset); got != want {
			t.Errorf("offset %d: %v, want %v", offset, got, want)
		}
	}
}

// TestWalkMeetsEveryNode fills every node type with nodes by reflection and compares what Walk meets with what is there.
func TestWalkMeetsEveryNode(t *testing.T) {
	declared := declaredNodes(t)
	for _, node := range allNodes {
		typ := reflect.TypeOf(node).Elem()
		delete(declared, typ.Name())
		n := reflect.New(typ)
		want := map[Node]bool{}
		fill(n.Elem(), want)
		got := map[Node]bool{}
		n.Interface().(Node).each(func(child Node) { got[child] = true })
		if len(got) != len(want) {
			t.Errorf("%s: met %d children of %d", typ.Name(), len(got), len(want))
		}
		for child := range want {
			if !got[child] {
				t.Errorf("%s: a %T was not met", typ.Name(), child)
			}
		}
	}
	for name := range declared {
		t.Errorf("%s is missing in allNodes", name)
	}
}

// declaredNodes reads from the source which types have the method each.
func declaredNodes(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "children.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "each" {
			found[f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name] = true
		}
	}
	return found
}

// allNodes has one of each type of node.
var allNodes = []Node{
	&Alter{}, &Analyze{}, &Assignment{}, &Between{}, &Binary{}, &CTE{}, &Call{}, &CallProcedure{}, &Case{}, &Cast{},
	&ChangeSchema{}, &Collection{}, &Column{}, &ColumnChange{}, &ColumnRef{}, &Constraint{}, &CreateCatalog{},
	&CreateDatabase{}, &CreateFunction{}, &CreateTable{}, &CreateView{}, &DefaultArg{}, &Delete{}, &DerivedTable{},
	&Describe{}, &Descriptor{}, &Distribution{}, &Drop{}, &DropColumns{}, &DropPart{}, &Exists{}, &Explain{}, &FieldOf{},
	&Frame{}, &GroupExpr{}, &GroupSets{}, &GroupTuple{}, &Hint{}, &In{}, &Index{}, &Insert{}, &Interval{}, &Is{},
	&JSONBehavior{}, &JSONClauses{}, &Jar{}, &Join{}, &Like{}, &LikeClause{}, &LikeOption{}, &Literal{}, &NamedArg{},
	&NamedWindow{}, &Option{}, &OrderItem{}, &Over{}, &PartitionValue{}, &Quantified{}, &Query{}, &Rename{},
	&RenameColumn{}, &Reset{}, &ResetOptions{}, &Row{}, &RowField{}, &Sample{}, &Select{}, &SelectItem{}, &Set{},
	&SetComment{}, &SetFunction{}, &SetOp{}, &SetOptions{}, &SetQuery{}, &Show{}, &Star{}, &StatementSet{}, &StopJob{},
	&Subquery{}, &Symbol{}, &TableAlias{}, &TableArg{}, &TableFunction{}, &TableName{}, &TableQuery{}, &Truncate{},
	&TypeName{}, &Unary{}, &Unnest{}, &Update{}, &Use{}, &Values{}, &ViewColumn{}, &Watermark{}, &When{}, &WindowSpec{},
}

var nodeType = reflect.TypeFor[Node]()

// fill sets every field of a node that holds nodes, and remembers them.
func fill(v reflect.Value, made map[Node]bool) {
	for _, f := range v.Fields() {
		switch t := f.Type(); {
		case t.Implements(nodeType):
			f.Set(sample(t, made))
		case t.Kind() == reflect.Slice && t.Elem().Implements(nodeType):
			f.Set(reflect.Append(f, sample(t.Elem(), made), sample(t.Elem(), made)))
		case t == reflect.TypeFor[FrameBound]():
			fill(f, made)
		case t == reflect.TypeFor[*FrameBound]():
			f.Set(reflect.New(t.Elem()))
			fill(f.Elem(), made)
		}
	}
}

func sample(t reflect.Type, made map[Node]bool) reflect.Value {
	var v reflect.Value
	if t.Kind() == reflect.Pointer {
		v = reflect.New(t.Elem())
	} else {
		for _, n := range []Node{&ColumnRef{}, &Values{}, &TableName{}, &GroupExpr{}, &Rename{}, &Drop{}} {
			if reflect.TypeOf(n).Implements(t) {
				v = reflect.New(reflect.TypeOf(n).Elem())
				break
			}
		}
	}
	made[v.Interface().(Node)] = true
	return v
}
