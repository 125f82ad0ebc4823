package kernel

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// integerTwin computes in 64 bits and drops the high ones, which is what
// wrapping in the type means.
func integerTwin[T signed](op string, a, b T) (int64, bool) {
	x, y := int64(a), int64(b)
	switch op {
	case "+":
		return int64(T(x + y)), true
	case "-":
		return int64(T(x - y)), true
	case "*":
		return int64(T(x * y)), true
	case "/":
		if y == 0 {
			return 0, false
		}
		return int64(T(x / y)), true
	default:
		if y == 0 {
			return 0, false
		}
		return int64(T(x % y)), true
	}
}

func compareTwin(op string, c int) bool {
	switch op {
	case "=":
		return c == 0
	case "<>":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

// TestIntegersEqualTwin evaluates every operator over two random columns of
// every integer type, row by row against plain Go.
func TestIntegersEqualTwin(t *testing.T) {
	t.Run("tinyint", func(t *testing.T) { integersEqualTwin[int8](t, types.Of(types.TinyInt)) })
	t.Run("smallint", func(t *testing.T) { integersEqualTwin[int16](t, types.Of(types.SmallInt)) })
	t.Run("int", func(t *testing.T) { integersEqualTwin[int32](t, types.Of(types.Int)) })
	t.Run("bigint", func(t *testing.T) { integersEqualTwin[int64](t, types.Of(types.BigInt)) })
}

func integersEqualTwin[T signed](t *testing.T, typ types.Type) {
	reg := expr.Builtins()
	s := types.NewSchema(types.Field{Name: "a", Type: typ}, types.Field{Name: "b", Type: typ})
	rapid.Check(t, func(t *rapid.T) {
		var pool stream.Pool
		b := drawBatch(t, &pool, s, map[int]bool{0: true, 1: true})
		defer b.Release()
		x, y := &b.Columns[0], &b.Columns[1]
		for _, op := range []string{"+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">="} {
			v, err := evalOver(t, &pool, reg, op, s, b)
			failed := false
			for i := range b.Rows() {
				row := b.Row(i)
				null := x.IsNull(row) || y.IsNull(row)
				if err == nil && v.IsNull(row) != null {
					t.Fatalf("%s: row %d NULL is %v, want %v", op, row, v.IsNull(row), null)
				}
				if null {
					continue
				}
				p, q := stream.Value[T](x, row), stream.Value[T](y, row)
				want, ok := integerTwin(op, p, q)
				compared := op[0] == '=' || op[0] == '<' || op[0] == '>'
				failed = failed || !ok && !compared
				switch {
				case err != nil:
				case compared && v.Bool(row) != compareTwin(op, int(bit(p > q))-int(bit(p < q))):
					t.Fatalf("%d %s %d is %v", p, op, q, v.Bool(row))
				case !compared && int64(stream.Value[T](&v, row)) != want:
					t.Fatalf("%d %s %d is %d, want %d", p, op, q, stream.Value[T](&v, row), want)
				}
			}
			if failed != (err != nil) {
				t.Fatalf("%s: %v, want failure %v", op, err, failed)
			}
			v.Release()
		}
	})
}

func evalOver(t *rapid.T, pool *stream.Pool, reg *expr.Registry, op string, s *types.Schema, b *stream.Batch) (stream.Vector, error) {
	e, err := expr.NewCall(reg, op, column(s, 0), column(s, 1))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(e, s, reg)
	if err != nil {
		t.Fatal(err)
	}
	return p.Eval(pool, b)
}

// TestFloatsAndTextEqualTwin compares doubles as Go (and Java's primitives)
// do, and text by its bytes.
func TestFloatsAndTextEqualTwin(t *testing.T) {
	reg := expr.Builtins()
	floats := types.NewSchema(types.Field{Name: "a", Type: types.Of(types.Double)}, types.Field{Name: "b", Type: types.Of(types.Double)})
	texts := types.NewSchema(types.Field{Name: "a", Type: types.StringType()}, types.Field{Name: "b", Type: types.StringType()})
	rapid.Check(t, func(t *rapid.T) {
		for _, s := range []*types.Schema{floats, texts} {
			var pool stream.Pool
			b := drawBatch(t, &pool, s, map[int]bool{0: true, 1: true})
			for _, op := range []string{"=", "<>", "<", "<=", ">", ">="} {
				v, err := evalOver(t, &pool, reg, op, s, b)
				if err != nil {
					t.Fatal(err)
				}
				for i := range b.Rows() {
					row := b.Row(i)
					if v.IsNull(row) {
						continue
					}
					if want := rowTwin(op, b, row); v.Bool(row) != want {
						t.Fatalf("%s %s %s is %v", show(&pool, &b.Columns[0], row), op, show(&pool, &b.Columns[1], row), v.Bool(row))
					}
				}
				v.Release()
			}
			b.Release()
		}
	})
}

func rowTwin(op string, b *stream.Batch, row int) bool {
	x, y := &b.Columns[0], &b.Columns[1]
	if x.Type.Layout() == types.LayoutBytes {
		return compareTwin(op, bytes.Compare(x.Bytes(row), y.Bytes(row)))
	}
	p, q := stream.Value[float64](x, row), stream.Value[float64](y, row)
	if math.IsNaN(p) || math.IsNaN(q) {
		return op == "<>"
	}
	return compareTwin(op, int(bit(p > q))-int(bit(p < q)))
}

// TestJunctionsEqualTruthTable runs AND and OR of three columns against
// Kleene's tables: all 27 rows, in every encoding that drawBatch knows.
func TestJunctionsEqualTruthTable(t *testing.T) {
	reg := expr.Builtins()
	typ := types.Of(types.Boolean)
	s := types.NewSchema(types.Field{Name: "a", Type: typ}, types.Field{Name: "b", Type: typ}, types.Field{Name: "c", Type: typ})
	rapid.Check(t, func(t *rapid.T) {
		var pool stream.Pool
		b := drawBatch(t, &pool, s, map[int]bool{0: true, 1: true, 2: true})
		defer b.Release()
		for _, op := range []string{"AND", "OR"} {
			e, err := expr.NewCall(reg, op, column(s, 0), column(s, 1), column(s, 2))
			if err != nil {
				t.Fatal(err)
			}
			p, err := Compile(e, s, reg)
			if err != nil {
				t.Fatal(err)
			}
			v, err := p.Eval(&pool, b)
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Rows() {
				row := b.Row(i)
				if got, want := truth(&v, row), kleene(op, b, row); got != want {
					t.Fatalf("row %d: %s is %s, want %s", row, op, got, want)
				}
			}
			v.Release()
		}
	})
}

func truth(v *stream.Vector, i int) string {
	if v.IsNull(i) {
		return "unknown"
	}
	return fmt.Sprint(v.Bool(i))
}

func kleene(op string, b *stream.Batch, row int) string {
	decisive := fmt.Sprint(op == "OR")
	out := fmt.Sprint(op == "AND")
	for c := range b.Columns {
		switch v := truth(&b.Columns[c], row); v {
		case decisive:
			return decisive
		case "unknown":
			out = v
		}
	}
	return out
}
