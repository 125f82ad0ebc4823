package nexmark

import (
	"strings"
	"testing"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// countChars evaluates the function over rows of a text and a character, and returns a value a row.
func countChars(tb testing.TB, pool *stream.Pool, rows string) (*kernel.Program, *stream.Batch) {
	tb.Helper()
	functions := expr.Builtins()
	if err := functions.Register(CountChar()); err != nil {
		tb.Fatal(err)
	}
	s := types.NewSchema(types.Field{Name: "text", Type: types.StringType()}, types.Field{Name: "char", Type: types.StringType()})
	call, err := expr.NewCall(functions, CountCharClass, &expr.Column{Index: 0, Name: "text", T: types.StringType()}, &expr.Column{Index: 1, Name: "char", T: types.StringType()})
	if err != nil {
		tb.Fatal(err)
	}
	p, err := kernel.Compile(call, s, functions)
	if err != nil {
		tb.Fatal(err)
	}
	return p, streamtest.Batch(tb, pool, s, rows)
}

func TestCountChar(t *testing.T) {
	var pool stream.Pool
	p, b := countChars(t, &pool, "'cocoa c' 'c'\n'' 'c'\n'abc' 'cb'\nNULL 'c'\n'c' NULL\n'CC' 'c'")
	v, err := p.Eval(&pool, b)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"3", "0", "1", "NULL", "NULL", "0"} {
		if got := streamtest.Value(&v, i); got != want {
			t.Errorf("row %d is %s, want %s", i, got, want)
		}
	}
	v.Release()
	b.Release()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers are out", n)
	}
}

func TestCountCharOfNothing(t *testing.T) {
	var pool stream.Pool
	p, b := countChars(t, &pool, "'abc' ''")
	defer b.Release()
	if _, err := p.Eval(&pool, b); err == nil || !strings.Contains(err.Error(), "empty text") {
		t.Errorf("error is %v", err)
	}
}

func BenchmarkCountChar(b *testing.B) {
	var pool stream.Pool
	p, rows := countChars(b, &pool, strings.Repeat("'aJVYW]Y[YOJ[][S_VpkihblLZO_[oucxlmezxdwopuxlvvmkugifZXPY]PieysfkivadvcIST' 'c'\n", 1024))
	defer rows.Release()
	b.ReportAllocs()
	for b.Loop() {
		v, err := p.Eval(&pool, rows)
		if err != nil {
			b.Fatal(err)
		}
		v.Release()
	}
}
