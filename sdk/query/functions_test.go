package query_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/operators/correlate"
	"millrace/sdk/query"
	"millrace/stream"
	"millrace/types"
)

var text = types.StringType()

// scalar declares a function with what it does of each row.
func scalar(name string, result types.Type, args []types.Type, row func(args *stream.Batch, row int, out *stream.Builder) error) expr.Signature {
	d := &expr.Declared{Name: name, Kind: expr.ScalarFunc, Args: args, Result: result}
	return d.Signature(kernel.NewBatches(d.Strict(), func(args *stream.Batch, out *stream.Builder) error {
		for i := range args.Rows() {
			if err := row(args, args.Row(i), out); err != nil {
				return err
			}
		}
		return nil
	}))
}

// functions are those of a program, and what they are by built-in ones.
func functions() []expr.Signature {
	words := &expr.Declared{
		Name: "WORDS", Kind: expr.TableFunc, Args: []types.Type{text.NotNull()},
		Result: types.RowOf(field("word", text.NotNull()), field("size", types.Of(types.Int).NotNull())).NotNull(),
	}
	return []expr.Signature{
		scalar("TWICE", bigint.NotNull(), []types.Type{bigint.NotNull()}, func(args *stream.Batch, row int, out *stream.Builder) error {
			out.AppendInt64(2 * stream.Value[int64](&args.Columns[0], row))
			return nil
		}),
		scalar("OR_ELSE", text, []types.Type{text, text}, func(args *stream.Batch, row int, out *stream.Builder) error {
			if v := &args.Columns[0]; !v.IsNull(row) {
				out.AppendFrom(v, row)
				return nil
			}
			out.AppendFrom(&args.Columns[1], row)
			return nil
		}),
		scalar("PAIR", types.ArrayOf(text), []types.Type{text, text}, func(args *stream.Batch, row int, out *stream.Builder) error {
			out.Child(0).AppendFrom(&args.Columns[0], row)
			out.Child(0).AppendFrom(&args.Columns[1], row)
			out.AppendList()
			return nil
		}),
		scalar("REFUSES", bigint, []types.Type{bigint.NotNull(), text}, func(args *stream.Batch, row int, out *stream.Builder) error {
			x := stream.Value[int64](&args.Columns[0], row)
			switch x {
			case 7:
				return errors.New("it is seven")
			case 8:
				panic("it is eight")
			}
			out.AppendInt64(x)
			return nil
		}),
		scalar("FEW", bigint, []types.Type{bigint}, func(*stream.Batch, int, *stream.Builder) error { return nil }),
		words.Signature(correlate.NewFunction(words, func(args *stream.Batch, out []*stream.Builder, counts []int32) error {
			for i := range args.Rows() {
				for word := range bytes.FieldsSeq(args.Columns[0].Bytes(args.Row(i))) {
					if string(word) == "bad" {
						return &kernel.RowError{Row: i, Err: errors.New("a bad word")}
					}
					out[0].AppendBytes(word)
					stream.AppendFixed(out[1], int32(len(word)))
					counts[i]++
				}
			}
			return nil
		})),
	}
}

// notes are rows of a number and a text, of which both may be NULL.
var notes = query.View{
	Schema: types.NewSchema(field("n", bigint), field("note", text), field("few", types.Of(types.Int).NotNull())), Rowtime: query.NoColumn, Bounded: true,
}

func noteRows() [][]any {
	return [][]any{{int64(1), "the quick fox", int64(3)}, {int64(2), nil, int64(4)}, {nil, "", int64(5)}, {int64(4), "jumps", int64(6)}}
}

// TestFunctions: a function of the program gives what a built-in one does, whatever it is given.
func TestFunctions(t *testing.T) {
	world := newWorld(t, functions()...)
	for _, c := range []struct{ name, text, same string }{
		{"scalar", "SELECT twice(n), Twice(few) FROM notes", "SELECT n * 2, few * 2 FROM notes"},
		{"where", "SELECT n FROM notes WHERE TWICE(n) > 2 AND OR_ELSE(note, 'none') <> ''", "SELECT n FROM notes WHERE n * 2 > 2 AND COALESCE(note, 'none') <> ''"},
		{"guarded", "SELECT CASE WHEN note <> '' THEN TWICE(n) ELSE -1 END FROM notes", "SELECT CASE WHEN note <> '' THEN n * 2 ELSE -1 END FROM notes"},
		{"of constants", "SELECT TWICE(21), OR_ELSE(NULL, 'x') FROM notes", "SELECT 42, 'x' FROM notes"},
		{"of others", "SELECT TWICE(CHAR_LENGTH(or_else(note, 'abc'))) FROM notes", "SELECT 2 * CHAR_LENGTH(COALESCE(note, 'abc')) FROM notes"},
		{"nested", "SELECT PAIR(note, 'x')[1], CARDINALITY(PAIR(note, note)) FROM notes WHERE n IS NOT NULL", "SELECT note, 2 FROM notes WHERE n IS NOT NULL"},
		{"of aggregates", "SELECT TWICE(SUM(n)) FROM notes", "SELECT 2 * SUM(n) FROM notes"},
		{"in an aggregate", "SELECT SUM(TWICE(n)), note FROM notes GROUP BY note HAVING TWICE(COUNT(*)) > 1", "SELECT SUM(2 * n), note FROM notes GROUP BY note"},
		{"in a join", "SELECT a.n FROM notes AS a JOIN notes AS b ON a.n = TWICE(b.n)", "SELECT a.n FROM notes AS a JOIN notes AS b ON a.n = 2 * b.n"},
		{"table", "SELECT n, word, size FROM notes, LATERAL TABLE(WORDS(note))", "SELECT n, w, CAST(CHAR_LENGTH(w) AS INT) FROM notes CROSS JOIN UNNEST(SPLIT(note, ' ')) AS u (w) WHERE w <> ''"},
		{
			"left join of a table", "SELECT n, w FROM notes LEFT JOIN LATERAL TABLE(words(note)) AS u (w, c) ON TRUE",
			"SELECT n, CASE WHEN note <> '' THEN w END FROM notes LEFT JOIN UNNEST(SPLIT(note, ' ')) AS u (w) ON TRUE",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got [2][]string
			for i, text := range []string{c.text, c.same} {
				w := world.again(t)
				w.source(t, "notes", notes, noteRows()...)
				got[i] = w.rows(t, w.query(t, "q", text))
			}
			if diff := cmp.Diff(got[1], got[0]); diff != "" {
				t.Errorf("by built-in functions (-), by those of the program (+):\n%s", diff)
			}
		})
	}
}

// TestFunctionsThatFail: what a function does wrong is told with its name and what it was given.
func TestFunctionsThatFail(t *testing.T) {
	w := newWorld(t, functions()...)
	rows := [][]any{{int64(7), "lucky", int64(0)}, {int64(8), strings.Repeat("long ", 100), int64(0)}, {int64(9), "a bad word", int64(0)}}
	for _, c := range []struct{ name, text, want string }{
		{"error", "SELECT REFUSES(n, note) FROM notes WHERE n = 7", "function REFUSES(7, 'lucky'): it is seven"},
		{"panic", "SELECT REFUSES(n, note) FROM notes WHERE n = 8", "function REFUSES(8, 'long long"},
		{"panic, its value", "SELECT REFUSES(n, note) FROM notes WHERE n = 8", "panic: it is eight"},
		{"table", "SELECT word FROM notes, LATERAL TABLE(WORDS(note)) WHERE n = 9", "function WORDS('a bad word'): a bad word"},
		{"number of results", "SELECT FEW(n) FROM notes", "FEW gave 0 values for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := w.again(t)
			of.source(t, "notes", notes, rows...)
			_, err := of.run(t, of.query(t, "q", c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the job failed of\n%v\nwant %q", err, c.want)
			}
			if err != nil && len(err.Error()) > 8000 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
		})
	}
}
