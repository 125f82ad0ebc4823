package kernel

import (
	"strings"
	"testing"

	"millrace/expr"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// textBatch has one column of text as a dictionary whose rows pick by index;
// a negative index is NULL.
func textBatch(pool *stream.Pool, dict []string, indices []int32, sel []int32) *stream.Batch {
	s := types.NewSchema(types.Field{Name: "s", Type: types.StringType()})
	builder := stream.NewBuilder(pool, s.Fields[0].Type, len(dict))
	for _, d := range dict {
		builder.AppendString(d)
	}
	buf := pool.Get(len(indices) * 4)
	v := stream.DictionaryOf(s.Fields[0].Type, buf, len(indices), builder.Finish())
	for i, x := range indices {
		stream.Int32s(buf)[i] = max(x, 0)
		if x < 0 {
			v.WithValidity(pool).Clear(i)
		}
	}
	b := pool.NewBatch(s, len(indices))
	b.Columns[0] = v
	if sel != nil {
		picked := pool.Get(len(sel) * 4)
		copy(stream.Int32s(picked), sel)
		b.SetSel(picked, len(sel))
	}
	return b
}

// TestErrorNamesTheRow: the first row that fails, though a dictionary's value is
// computed once for all, and neither NULL nor unselected rows have it.
func TestErrorNamesTheRow(t *testing.T) {
	reg := expr.Builtins()
	cases := []struct {
		name    string
		indices []int32
		sel     []int32
		want    string // "" for no error
	}{
		{"first of two", []int32{0, 1, 1, 0}, nil, "row 1: "},
		{"behind a NULL", []int32{-1, 0, 0, 1}, nil, "row 3: "},
		{"selected", []int32{1, 0, 1, 1}, []int32{1, 3}, "row 3: "},
		{"not selected", []int32{1, 0, 0, 1}, []int32{1, 2}, ""},
		{"not used", []int32{0, 0, 0}, nil, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var pool stream.Pool
			b := textBatch(&pool, []string{"1", "x"}, c.indices, c.sel)
			cast, err := expr.NewCast(column(b.Schema, 0), types.Of(types.Int), false)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compile(cast, b.Schema, reg)
			if err != nil {
				t.Fatal(err)
			}
			v, err := p.Eval(&pool, b)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
				t.Fatalf("error is %v, want one of %q", err, c.want)
			case err != nil && failure.ClassOf(err).Domain != failure.DomainUser:
				t.Errorf("class is %s", failure.ClassOf(err))
			case err == nil:
				v.Release()
			}
			b.Release()
			if n := pool.Live(); n != 0 {
				t.Errorf("%d buffers leaked", n)
			}
		})
	}
}

// TestCompileNamesEveryProblem: all at once, of the user's class.
func TestCompileNamesEveryProblem(t *testing.T) {
	s := types.NewSchema(types.Field{Name: "a", Type: types.Of(types.Int)})
	bad := &expr.Call{Func: "AND", T: types.Of(types.Boolean), Args: []expr.Expr{
		&expr.Column{Index: 3, T: types.Of(types.Boolean)},
		&expr.Call{Func: "NOPE", T: types.Of(types.Boolean)},
	}}
	_, err := Compile(bad, s, expr.Builtins())
	if err == nil || failure.ClassOf(err) != (failure.Class{Domain: failure.DomainUser, Retry: failure.Never}) {
		t.Fatalf("error is %v", err)
	}
	for _, part := range []string{"column 3", `"NOPE"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

// TestColumnIsRetained: a column reference
// costs nothing, the batch's own memory comes back.
func TestColumnIsRetained(t *testing.T) {
	var pool stream.Pool
	b := textBatch(&pool, []string{"a"}, []int32{0, 0}, nil)
	p, err := Compile(column(b.Schema, 0), b.Schema, expr.Builtins())
	if err != nil {
		t.Fatal(err)
	}
	live := pool.Live()
	v, err := p.Eval(&pool, b)
	if err != nil {
		t.Fatal(err)
	}
	if pool.Live() != live || v.Dict().Data()[0] != 'a' {
		t.Error("the column was copied")
	}
	b.Release()
	if string(v.Bytes(1)) != "a" {
		t.Error("the column did not outlive its batch")
	}
	v.Release()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers leaked", n)
	}
}
