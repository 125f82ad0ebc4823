package query_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/operators/aggregate"
	"millrace/operators/correlate"
	"millrace/sdk/query"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/tests/sqltest"
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
		total("TOTAL", true, true), total("TOTAL_ONCE", false, false), longest(), lists(), wanders(),
	}
}

// total is SUM, which may be able to take values back and to merge.
func total(name string, retracts, merges bool) expr.Signature {
	d := &expr.Declared{
		Name: name, Kind: expr.AggregateFunc, Args: []types.Type{bigint.NotNull()}, Result: bigint, Retracts: retracts, Merges: merges,
		Accumulator: []types.Field{field("sum", bigint.NotNull()), field("n", bigint.NotNull())},
	}
	return d.Signature(aggregate.NewFunction(func() aggregate.Function {
		switch {
		case !merges:
			return sums{}
		default:
			return struct {
				sums
				more
			}{}
		}
	}))
}

// sums has the sum and the number of values in its words.
type sums struct{}

func (sums) add(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch, sign int64) error {
	for i, s := range slots {
		x := stream.Value[int64](&args.Columns[0], args.Row(i))
		if x == -13 {
			panic("thirteen")
		}
		w := to.Rows().At(s)
		w[0], w[1] = w[0]+uint64(sign*x), w[1]+uint64(sign)
	}
	return nil
}

func (s sums) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	return s.add(to, slots, args, 1)
}

func (sums) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		if w := of.Rows().At(s); w[1] == 0 {
			out.AppendNull()
		} else {
			out.AppendInt64(int64(w[0]))
		}
	}
	return nil
}

// more is what sums may be able to do.
type more struct{}

func (more) Retract(from aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	return sums{}.add(from, slots, args, -1)
}

func (more) Merge(into aggregate.Accumulators, slots []statebackend.Slot, parts aggregate.Accumulators, of []statebackend.Slot) error {
	for i, s := range slots {
		w, p := into.Rows().At(s), parts.Rows().At(of[i])
		w[0], w[1] = w[0]+p[0], w[1]+p[1]
	}
	return nil
}

// longest gives the longest text, of several the first by the alphabet, with a number behind it: of two arguments one may be NULL.
func longest() expr.Signature {
	d := &expr.Declared{
		Name: "LONGEST", Kind: expr.AggregateFunc, Args: []types.Type{text.NotNull(), bigint}, Result: text, Merges: true,
		Accumulator: []types.Field{field("some", types.Of(types.Boolean).NotNull()), field("text", text.NotNull()), field("wide", types.DecimalOf(38, 0).NotNull())},
	}
	return d.Signature(aggregate.NewFunction(func() aggregate.Function { return texts{} }))
}

// lists takes lists, and is for tests of plans alone.
func lists() expr.Signature {
	d := &expr.Declared{
		Name: "LISTS", Kind: expr.AggregateFunc, Args: []types.Type{types.ArrayOf(text)}, Result: bigint, Accumulator: []types.Field{field("n", bigint.NotNull())},
	}
	return d.Signature(aggregate.NewFunction(func() aggregate.Function { return sums{} }))
}

// wanders gives what it likes, and is for tests of plans alone.
func wanders() expr.Signature {
	d := &expr.Declared{
		Name: "WANDERS", Kind: expr.AggregateFunc, Args: []types.Type{bigint}, Result: bigint, Varies: true, Retracts: true,
		Accumulator: []types.Field{field("sum", bigint.NotNull()), field("n", bigint.NotNull())},
	}
	return d.Signature(aggregate.NewFunction(func() aggregate.Function { return sums{} }))
}

type texts struct{}

func (texts) offer(to aggregate.Accumulators, s statebackend.Slot, x []byte, number int64) error {
	w, have := to.Rows().At(s), to.Bytes(1, s)
	if w[0] != 0 && (len(have) > len(x) || len(have) == len(x) && bytes.Compare(have, x) <= 0) {
		return nil
	}
	w[0], w[2], w[3] = 1, uint64(number), uint64(number>>63)
	return to.SetBytes(1, s, x)
}

func (t texts) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	for i, s := range slots {
		row, number := args.Row(i), int64(-1)
		if !args.Columns[1].IsNull(row) {
			number = stream.Value[int64](&args.Columns[1], row)
		}
		if err := t.offer(to, s, args.Columns[0].Bytes(row), number); err != nil {
			return err
		}
	}
	return nil
}

func (t texts) Merge(into aggregate.Accumulators, slots []statebackend.Slot, parts aggregate.Accumulators, of []statebackend.Slot) error {
	for i, s := range slots {
		if p := parts.Rows().At(of[i]); p[0] != 0 {
			if err := t.offer(into, s, parts.Bytes(1, of[i]), int64(p[2])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (texts) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		w := of.Rows().At(s)
		if w[0] == 0 {
			out.AppendNull()
			continue
		}
		out.AppendString(fmt.Sprintf("%s %d", of.Bytes(1, s), int64(w[2])))
	}
	return nil
}

// TestAggregateFunctions: an aggregate function of the program gives what a built-in one does, in one phase and in two, where rows are taken back, and in windows of every kind.
func TestAggregateFunctions(t *testing.T) {
	world := newWorld(t, functions()...)
	bids := query.View{Schema: schemas["bids"], Rowtime: 4, Bounded: true, Parallelism: 2}
	window := func(kind, of string) string {
		return "SELECT channel, window_end, " + of + " FROM TABLE(" + kind + ") GROUP BY channel, window_start, window_end"
	}
	const tumble, hop = "TUMBLE(TABLE bids, DESCRIPTOR(moment), INTERVAL '10' SECOND)", "HOP(TABLE bids, DESCRIPTOR(moment), INTERVAL '5' SECOND, INTERVAL '15' SECOND)"
	const cumulate, session = "CUMULATE(TABLE bids, DESCRIPTOR(moment), INTERVAL '5' SECOND, INTERVAL '20' SECOND)", "SESSION(TABLE bids PARTITION BY channel, DESCRIPTOR(moment), INTERVAL '4' SECOND)"
	const first = "(SELECT channel, COUNT(*) AS n FROM bids GROUP BY channel)"
	for _, c := range []struct{ name, text, same string }{
		{"all rows", "SELECT TOTAL(price) FROM bids", "SELECT SUM(price) FROM bids"},
		{"groups", "SELECT channel, total(price), COUNT(*), TOTAL(bidder) FROM bids GROUP BY channel", "SELECT channel, SUM(price), COUNT(*), SUM(bidder) FROM bids GROUP BY channel"},
		{"one phase", "SELECT channel, TOTAL_ONCE(price), COUNT(*) FROM bids GROUP BY channel", "SELECT channel, SUM(price), COUNT(*) FROM bids GROUP BY channel"},
		{"filter", "SELECT channel, TOTAL(price) FILTER (WHERE price > 130) FROM bids GROUP BY channel", "SELECT channel, SUM(price) FILTER (WHERE price > 130) FROM bids GROUP BY channel"},
		{"nothing", "SELECT channel, TOTAL(price) FILTER (WHERE price < 0) FROM bids GROUP BY channel", "SELECT channel, SUM(price) FILTER (WHERE price < 0) FROM bids GROUP BY channel"},
		{"of changes", "SELECT TOTAL(n) FROM " + first, "SELECT SUM(n) FROM " + first},
		{"distinct", "SELECT channel, TOTAL(DISTINCT price), COUNT(*), TOTAL(price) FROM bids GROUP BY channel", "SELECT channel, SUM(DISTINCT price), COUNT(*), SUM(price) FROM bids GROUP BY channel"},
		{"distinct, one phase", "SELECT channel, TOTAL_ONCE(DISTINCT price % 7) FROM bids GROUP BY channel", "SELECT channel, SUM(DISTINCT price % 7) FROM bids GROUP BY channel"},
		{
			"distinct, filter", "SELECT TOTAL(DISTINCT price % 7) FILTER (WHERE price > 130), SUM(DISTINCT price % 7), TOTAL(DISTINCT price % 7) FROM bids",
			"SELECT SUM(DISTINCT price % 7) FILTER (WHERE price > 130), SUM(DISTINCT price % 7), SUM(DISTINCT price % 7) FROM bids",
		},
		{"distinct, of changes", "SELECT TOTAL(DISTINCT n) FROM " + first, "SELECT SUM(DISTINCT n) FROM " + first},
		{"distinct, sets", "SELECT channel, auction, TOTAL(DISTINCT price % 7) FROM bids GROUP BY ROLLUP (channel, auction)", "SELECT channel, auction, SUM(DISTINCT price % 7) FROM bids GROUP BY ROLLUP (channel, auction)"},
		{"distinct, tumble", window(tumble, "TOTAL(DISTINCT price % 7)"), window(tumble, "SUM(DISTINCT price % 7)")},
		{"distinct, hop", window(hop, "TOTAL_ONCE(DISTINCT price % 7), COUNT(*)"), window(hop, "SUM(DISTINCT price % 7), COUNT(*)")},
		{"distinct, cumulate", window(cumulate, "TOTAL(DISTINCT price % 7), TOTAL(price)"), window(cumulate, "SUM(DISTINCT price % 7), SUM(price)")},
		{"distinct, session", window(session, "TOTAL(DISTINCT price % 7), COUNT(*), TOTAL(price)"), window(session, "SUM(DISTINCT price % 7), COUNT(*), SUM(price)")},
		{
			"over", "SELECT bidder, TOTAL_ONCE(price) OVER w, COUNT(*) OVER w, TOTAL(DISTINCT price % 7) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY moment)",
			"SELECT bidder, SUM(price) OVER w, COUNT(*) OVER w, SUM(DISTINCT price % 7) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY moment)",
		},
		{
			"over rows", "SELECT bidder, TOTAL(price) FILTER (WHERE price > 130) OVER w, TOTAL(DISTINCT price % 7) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY moment ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)",
			"SELECT bidder, SUM(price) FILTER (WHERE price > 130) OVER w, SUM(DISTINCT price % 7) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY moment ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)",
		},
		{
			"over time", "SELECT bidder, TOTAL(price) OVER w, MAX(price) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY moment RANGE BETWEEN INTERVAL '7' SECOND PRECEDING AND CURRENT ROW)",
			"SELECT bidder, SUM(price) OVER w, MAX(price) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY moment RANGE BETWEEN INTERVAL '7' SECOND PRECEDING AND CURRENT ROW)",
		},
		{
			"over any order", "SELECT channel, bidder, TOTAL_ONCE(price) OVER w, TOTAL(DISTINCT price % 7) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY price DESC)",
			"SELECT channel, bidder, SUM(price) OVER w, SUM(DISTINCT price % 7) OVER w FROM bids WINDOW w AS (PARTITION BY channel ORDER BY price DESC)",
		},
		{"over changes", "SELECT channel, TOTAL(n) OVER (ORDER BY channel) FROM " + first, "SELECT channel, SUM(n) OVER (ORDER BY channel) FROM " + first},
		{
			"over, of groups", "SELECT channel, TOTAL(SUM(price)) OVER (ORDER BY channel ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM bids GROUP BY channel",
			"SELECT channel, SUM(SUM(price)) OVER (ORDER BY channel ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM bids GROUP BY channel",
		},
		{
			"over, of its own groups", "SELECT channel, SUM(TOTAL(price)) OVER (ORDER BY channel) FROM bids GROUP BY channel",
			"SELECT channel, SUM(SUM(price)) OVER (ORDER BY channel) FROM bids GROUP BY channel",
		},
		{"beside DISTINCT", "SELECT auction, TOTAL(price), COUNT(DISTINCT channel) FROM bids GROUP BY auction", "SELECT auction, SUM(price), COUNT(DISTINCT channel) FROM bids GROUP BY auction"},
		{"sets", "SELECT channel, auction, TOTAL(price) FROM bids GROUP BY ROLLUP (channel, auction)", "SELECT channel, auction, SUM(price) FROM bids GROUP BY ROLLUP (channel, auction)"},
		{"tumble", window(tumble, "TOTAL(price)"), window(tumble, "SUM(price)")},
		{"tumble, one phase", window(tumble, "TOTAL_ONCE(price)"), window(tumble, "SUM(price)")},
		{"hop", window(hop, "TOTAL(price), COUNT(*)"), window(hop, "SUM(price), COUNT(*)")},
		{"hop, one phase", window(hop, "TOTAL_ONCE(price), COUNT(*)"), window(hop, "SUM(price), COUNT(*)")},
		{"cumulate", window(cumulate, "TOTAL(price)"), window(cumulate, "SUM(price)")},
		{"cumulate, one phase", window(cumulate, "TOTAL_ONCE(price)"), window(cumulate, "SUM(price)")},
		{"session", window(session, "TOTAL(price), COUNT(*)"), window(session, "SUM(price), COUNT(*)")},
		{
			"two arguments", "SELECT auction, LONGEST(CONCAT(channel, channel), bidder) FROM bids GROUP BY auction",
			"SELECT auction, CONCAT(MIN(channel), MIN(channel), ' ', CAST(MIN(bidder) FILTER (WHERE channel = 'a') AS STRING)) FROM bids WHERE price < 112 GROUP BY auction",
		},
	} {
		for _, mode := range []string{"streaming", "batch"} {
			if mode == "batch" && !strings.HasPrefix(c.name, "over") && !strings.HasPrefix(c.name, "distinct") {
				continue
			}
			t.Run(c.name+" "+mode, func(t *testing.T) {
				var got [2][]string
				for i, text := range []string{c.text, c.same} {
					if strings.Contains(c.name, "two arguments") {
						text = strings.Replace(text, "FROM bids GROUP", "FROM bids WHERE price < 112 GROUP", 1)
					}
					w := world.again(t)
					if _, err := w.Execute("SET 'execution.runtime-mode' = '" + mode + "'"); err != nil {
						t.Fatal(err)
					}
					w.source(t, "bids", bids, bidRows()...)
					got[i] = w.rows(t, w.query(t, "q", text))
				}
				if diff := cmp.Diff(got[1], got[0]); diff != "" {
					t.Errorf("by built-in functions (-), by those of the program (+):\n%s", diff)
				}
			})
		}
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
		{"aggregate", "SELECT TOTAL(n - 22) FROM notes", "function TOTAL: panic: thirteen"},
		{"aggregate over rows", "SELECT TOTAL(n - 22) OVER (ORDER BY n) FROM notes", "function TOTAL(-13): panic: thirteen"},
		{"aggregate over rows, DISTINCT", "SELECT TOTAL(DISTINCT n - 22) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM notes", "function TOTAL(-13): panic: thirteen"},
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

// TestFunctionsOverFailures: what functions of the program keep comes back with a checkpoint, in another process that has the program.
func TestFunctionsOverFailures(t *testing.T) {
	w := newWorld(t, functions()...)
	_, err := w.Execute(`SET 'execution.checkpointing.interval' = '20 ms'; SET 'restart-strategy.type' = 'fixed-delay'; SET 'restart-strategy.fixed-delay.delay' = '10 ms';
		SET 'restart-strategy.fixed-delay.attempts' = '100';
		CREATE TABLE numbers (k BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1500', 'fields.k.kind' = 'sequence', 'fields.k.start' = '1', 'fields.k.end' = '3000')`)
	if err != nil {
		t.Fatal(err)
	}
	o := w.query(t, "q", `SELECT k % 3 AS part, TOTAL(k) AS total, TOTAL_ONCE(TWICE(k)) AS twice, LONGEST(CAST(k % 1000 AS STRING), k % 3) AS longest, TOTAL(DISTINCT k % 10) AS digits, MAX(up) AS up, MAX(near) AS near
		FROM (SELECT k, TOTAL_ONCE(k) OVER (PARTITION BY k % 3 ORDER BY PROCTIME() ROWS UNBOUNDED PRECEDING) AS up, TOTAL(DISTINCT k % 1 + 5) OVER (PARTITION BY k % 3 ORDER BY PROCTIME() ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS near FROM numbers)
		GROUP BY k % 3`)
	w.graph = settled(w)
	got, err := w.runWith(t, o, func(q *sqltest.Query) {
		q.UntilCheckpoint(t, "a crash")
		w.CrashOne(t)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0 1501500 3003000 100 0 45 1501500 5", "1 1499500 2999000 100 1 45 1499500 5", "2 1500500 3001000 100 2 45 1500500 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
