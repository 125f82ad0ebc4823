package kernel_test

import (
	"errors"
	"strings"
	"testing"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// TestBatches: a function of batches sees the rows that count, in any encoding, and no row with a NULL where it takes none.
func TestBatches(t *testing.T) {
	number, text := types.Of(types.BigInt), types.StringType()
	s := types.NewSchema(types.Field{Name: "n", Type: number}, types.Field{Name: "s", Type: text})
	d := &expr.Declared{Name: "LINE", Kind: expr.ScalarFunc, Args: []types.Type{number.NotNull(), text}, Result: text}
	calls := 0
	r, err := expr.Builtins().With(d.Signature(kernel.NewBatches(d.Strict(), func(args *stream.Batch, out *stream.Builder) error {
		calls += args.Rows()
		for i := range args.Rows() {
			row := args.Row(i)
			switch n := stream.Value[int64](&args.Columns[0], row); n {
			case 7:
				return errors.New("seven")
			case 8:
				return &kernel.RowError{Row: i, Err: errors.New("eight")}
			case 9:
				out.AppendNull()
				continue
			}
			out.AppendString(streamtest.Value(&args.Columns[0], row) + strings.Trim(streamtest.Value(&args.Columns[1], row), "'"))
		}
		return nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	column := func(i int) expr.Expr { return &expr.Column{Index: i, Name: s.Fields[i].Name, T: s.Fields[i].Type} }
	line := func(args ...expr.Expr) expr.Expr {
		c, err := expr.NewCall(r, "LINE", args...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	small, err := expr.NewCall(r, "<", column(0), expr.BigInt(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		e     expr.Expr
		rows  string
		want  string // or the error
		calls int
	}{
		{"rows", line(column(0), column(1)), "1 'a'\nNULL 'b'\n3 NULL\n9 'x'", "'1a' NULL '3NULL' NULL", 3},
		{"a constant", line(column(0), expr.String("k")), "1 'a'\n2 'b'", "'1k' '2k'", 2},
		{"guarded", &expr.Case{Whens: []expr.When{{If: small, Then: line(column(0), column(1))}}, T: text}, "1 'a'\n7 'b'\nNULL 'c'\n2 'd'", "'1a' NULL NULL '2d'", 2},
		{"nothing to call it for", line(column(0), column(1)), "NULL 'a'", "NULL", 0},
		{"an error", line(column(0), column(1)), "1 'a'\n7 'b'", "function LINE(7, 'b'): seven", 2},
		{"an error of a row", line(column(0), column(1)), "NULL 'a'\n1 'a'\n8 NULL\n1 'a'", "function LINE(8, NULL): eight", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			var pool stream.Pool
			p, err := kernel.Compile(c.e, s, r)
			if err != nil {
				t.Fatal(err)
			}
			b := streamtest.Batch(t, &pool, s, c.rows)
			calls = 0
			v, err := p.Eval(&pool, b)
			if err != nil {
				if err.Error() != c.want {
					t.Errorf("error %q, want %q", err, c.want)
				}
			} else {
				var got []string
				for i := range b.Rows() {
					got = append(got, streamtest.Value(&v, b.Row(i)))
				}
				if text := strings.Join(got, " "); text != c.want {
					t.Errorf("values %s, want %s", text, c.want)
				}
				v.Release()
			}
			if calls != c.calls {
				t.Errorf("%d rows were seen, want %d", calls, c.calls)
			}
			b.Release()
			if n := pool.Live(); n != 0 {
				t.Errorf("%d buffers are out", n)
			}
		})
	}
	if _, err := kernel.Compile(line(column(0), column(1)), s, expr.Builtins()); err == nil {
		t.Error("a function that nobody has compiles")
	}
}
