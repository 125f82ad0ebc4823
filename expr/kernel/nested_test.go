package kernel

import (
	"strings"
	"testing"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// nestedBatch has a ROW<price BIGINT NOT NULL, tag STRING> and an ARRAY<INT> of
// three rows, the second of them NULL.
func nestedBatch(pool *stream.Pool) *stream.Batch {
	row := types.RowOf(types.Field{Name: "price", Type: types.Of(types.BigInt).NotNull()}, types.Field{Name: "tag", Type: types.StringType()})
	s := types.NewSchema(types.Field{Name: "bid", Type: row}, types.Field{Name: "list", Type: types.ArrayOf(types.Of(types.Int))})
	b := pool.NewBatch(s, 3)
	bids, lists := stream.NewBuilder(pool, row, 3), stream.NewBuilder(pool, s.Fields[1].Type, 3)
	for i := range 3 {
		if i == 1 {
			bids.AppendNull()
			lists.AppendNull()
			continue
		}
		bids.Child(0).AppendInt64(int64(i + 7))
		bids.Child(1).AppendString("t")
		bids.AppendStruct()
		for k := range i {
			stream.AppendFixed(lists.Child(0), int32(k+40))
		}
		lists.AppendList()
	}
	b.Columns[0], b.Columns[1] = bids.Finish(), lists.Finish()
	return b
}

func evalAll(t *testing.T, pool *stream.Pool, b *stream.Batch, e expr.Expr) string {
	t.Helper()
	p, err := Compile(e, b.Schema, expr.Builtins())
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Eval(pool, b)
	if err != nil {
		return err.Error()
	}
	defer v.Release()
	if !v.Type.Equal(e.Type()) {
		t.Errorf("%s: the vector is %s", e, v.Type)
	}
	var out []string
	for i := range v.Len() {
		out = append(out, show(pool, &v, i))
	}
	return strings.Join(out, " ")
}

func TestNestedValues(t *testing.T) {
	var pool stream.Pool
	reg, b := expr.Builtins(), nestedBatch(&pool)
	bid, list := column(b.Schema, 0), column(b.Schema, 1)
	price, err := expr.NewField(reg, bid, "price")
	if err != nil {
		t.Fatal(err)
	}
	if got := price.T.String(); got != "BIGINT" {
		t.Errorf("the price of a ROW that may be NULL is %s", got)
	}
	for _, c := range []struct {
		e    expr.Expr
		want string
	}{
		{price, "7 NULL 9"},
		{newExpr(t, reg, "GET", bid, expr.Int(1)), `"t" NULL "t"`},
		{newExpr(t, reg, "+", price, expr.BigInt(1)), "8 NULL 10"},
		{newExpr(t, reg, "CARDINALITY", list), "0 NULL 2"},
		{newExpr(t, reg, "AT", list, expr.Int(1)), "NULL NULL 40"},
		{newExpr(t, reg, "AT", list, expr.Int(3)), "NULL NULL NULL"},
		{newExpr(t, reg, "AT", list, expr.Null(types.Of(types.Int))), "NULL NULL NULL"},
		{newExpr(t, reg, "AT", list, expr.Int(0)), "row 0: AT(list, 0): array positions begin at 1"},
		{newExpr(t, reg, "ELEMENT", list), "row 2: ELEMENT(list): the array has more than one element"},
	} {
		if got := evalAll(t, &pool, b, c.e); got != c.want {
			t.Errorf("%s is %s, want %s", c.e, got, c.want)
		}
	}
	b.Release()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers leaked", n)
	}
}

func TestFieldsThatAreNotThere(t *testing.T) {
	var pool stream.Pool
	b := nestedBatch(&pool)
	defer b.Release()
	reg, bid := expr.Builtins(), column(b.Schema, 0)
	if _, err := expr.NewField(reg, bid, "Price"); err == nil {
		t.Error("a field of another name was found")
	}
	if _, err := expr.NewField(reg, column(b.Schema, 1), "price"); err == nil {
		t.Error("an ARRAY has fields")
	}
	for _, index := range []expr.Expr{expr.Int(2), expr.Int(-1), expr.Null(types.Of(types.Int)), expr.String("price"), bid} {
		if c, err := expr.NewCall(reg, "GET", bid, index); err == nil {
			t.Errorf("%s was built", c)
		}
	}
}

func TestValuesThatAreMade(t *testing.T) {
	var pool stream.Pool
	reg := expr.Builtins()
	b := textBatch(&pool, []string{"a,b,,c", "", "é日"}, []int32{0, 1, 2, -1}, nil)
	text := column(b.Schema, 0)
	split := newExpr(t, reg, "SPLIT", text, expr.String(","))
	letters := newExpr(t, reg, "SPLIT", text, expr.String(""))
	row := newExpr(t, reg, "ROW", text, expr.Int(7))
	array := newExpr(t, reg, "ARRAY", text, expr.String("x"))
	second := func(array expr.Expr) expr.Expr { return newExpr(t, reg, "AT", array, expr.Int(2)) }
	for _, c := range []struct {
		e    expr.Expr
		want string
	}{
		{newExpr(t, reg, "CARDINALITY", split), "4 1 1 NULL"},
		{second(split), `"b" NULL NULL NULL`},
		{newExpr(t, reg, "CARDINALITY", letters), "6 1 2 NULL"},
		{second(letters), `"," NULL "日" NULL`},
		{newExpr(t, reg, "GET", row, expr.Int(0)), `"a,b,,c" "" "é日" NULL`},
		{newExpr(t, reg, "GET", row, expr.Int(1)), "7 7 7 7"},
		{newExpr(t, reg, "IS NULL", row), "FALSE FALSE FALSE FALSE"},
		{newExpr(t, reg, "AT", array, expr.Int(1)), `"a,b,,c" "" "é日" NULL`},
		{second(array), `"x" "x" "x" "x"`},
		{second(newExpr(t, reg, "ARRAY", expr.Int(1), expr.BigInt(2))), "2 2 2 2"},
		{newExpr(t, reg, "GET", newExpr(t, reg, "ROW", expr.Int(1)), expr.Int(0)), "1 1 1 1"},
	} {
		if got := evalAll(t, &pool, b, c.e); got != c.want {
			t.Errorf("%s is %s, want %s", c.e, got, c.want)
		}
	}
	b.Release()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers leaked", n)
	}
}
