package kernel

import (
	"testing"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// TestChanceIsSeeded: two programs of one seed draw the same, another seed
// others; every row has a value of its own, and RAND with a seed is Java's.
func TestChanceIsSeeded(t *testing.T) {
	var pool stream.Pool
	reg := expr.Builtins()
	b := textBatch(&pool, []string{"a"}, []int32{0, 0, 0}, nil)
	draw := func(seed uint64, name string, args ...expr.Expr) [3]string {
		p, err := Session{Seed: seed}.Compile(newExpr(t, reg, name, args...), b.Schema, reg)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Eval(&pool, b)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Release()
		return [3]string{show(&pool, &v, 0), show(&pool, &v, 1), show(&pool, &v, 2)}
	}
	for _, name := range []string{"RAND", "UUID"} {
		one := draw(1, name)
		if draw(1, name) != one || draw(2, name) == one || one[0] == one[1] || one[1] == one[2] {
			t.Errorf("%s draws %v, again %v, with another seed %v", name, one, draw(1, name), draw(2, name))
		}
	}
	if got, want := draw(1, "RAND", expr.Int(42)), [3]string{"0.7275636800328681", "0.6832234717598454", "0.30871945533265976"}; got != want {
		t.Errorf("RAND(42) draws %v, want %v", got, want)
	}
	if got, want := draw(1, "RAND_INTEGER", expr.Int(42), expr.Int(10)), [3]string{"0", "3", "8"}; got != want {
		t.Errorf("RAND_INTEGER(42, 10) draws %v, want %v", got, want)
	}
	if got := draw(1, "RAND_INTEGER", expr.Int(1)); got != [3]string{"0", "0", "0"} {
		t.Errorf("RAND_INTEGER(1) draws %v", got)
	}
	b.Release()
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers leaked", n)
	}
}

// TestOneTimeABatch: the clock is asked once an evaluation, however often it is
// read, and what reads it is never folded.
func TestOneTimeABatch(t *testing.T) {
	var pool stream.Pool
	reg := expr.Builtins()
	b := textBatch(&pool, []string{"a"}, []int32{0, 0}, nil)
	defer b.Release()
	asked := 0
	session := Session{Now: func() int64 { asked++; return int64(asked) * 1000 }}
	now := newExpr(t, reg, "NOW")
	p, err := session.Compile(newExpr(t, reg, "TIMESTAMPDIFF", expr.String("SECOND"), now, newExpr(t, reg, "CURRENT_TIMESTAMP")), b.Schema, reg)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v, err := p.Eval(&pool, b)
		if err != nil {
			t.Fatal(err)
		}
		if show(&pool, &v, 1) != "0" {
			t.Error("one batch has two times")
		}
		v.Release()
	}
	if asked != 2 {
		t.Errorf("the clock was asked %d times for two batches", asked)
	}
	if _, err := Compile(now, b.Schema, reg); err == nil {
		t.Error("a program without a clock reads one")
	}
}

// TestFoldKnowsNoSession: what the time zone decides is left to the session.
func TestFoldKnowsNoSession(t *testing.T) {
	reg := expr.Builtins()
	cast, err := expr.NewCast(&expr.Literal{T: types.TimestampOf(3).NotNull(), Value: int64(0)}, types.TimestampLTZOf(3), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []expr.Expr{cast, newExpr(t, reg, "FROM_UNIXTIME", expr.BigInt(0)), newExpr(t, reg, "RAND")} {
		if folded, err := Fold(e, reg); err != nil || isLiteral(folded) {
			t.Errorf("%s was folded to %s", e, folded)
		}
	}
	if folded := (Session{}).Fold(cast, reg); !isLiteral(folded) {
		t.Errorf("%s was not folded in a session", folded)
	}
}
