package sort_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/sort"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var schema = types.NewSchema(field("t", types.TimestampOf(3)), field("v", types.Of(types.Int)), field("s", types.StringType()))

func spec(body jobgraph.OperatorBody) *jobgraph.OperatorSpec {
	return &jobgraph.OperatorSpec{UID: "sort", Body: body}
}

// TestSortEqualsTwin draws rows and watermarks; the twin sorts slices.
func TestSortEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		s := &jobgraph.SortSpec{Time: []int{jobgraph.NoColumn, 0}[r.IntN(2)]}
		if s.Time == jobgraph.NoColumn || r.IntN(2) == 0 {
			s.Order = []jobgraph.SortColumn{{Column: 1, Descending: r.IntN(2) == 0, NullsLast: true}}
		}
		compare := func(a, b []string) int {
			if s.Time == 0 && a[0] != b[0] {
				return cmp.Compare(number(a[0]), number(b[0]))
			}
			if len(s.Order) == 0 || a[1] == b[1] {
				return 0
			}
			if a[1] == "NULL" || b[1] == "NULL" {
				return cmp.Compare(a[1], b[1]) // digits before letters
			}
			if s.Order[0].Descending {
				a, b = b, a
			}
			return cmp.Compare(number(a[1]), number(b[1]))
		}
		var script, want []string
		var held [][]string
		watermark, late := -1, int64(0)
		give := func(upTo int) {
			slices.SortStableFunc(held, compare)
			for len(held) > 0 && number(held[0][0]) <= upTo || len(held) > 0 && s.Time != 0 {
				want = append(want, strings.Join(held[0], " "))
				held = held[1:]
			}
		}
		for i := range rapid.IntRange(0, 60).Draw(t, "rows") {
			row := []string{strconv.Itoa(r.IntN(30)), []string{"NULL", "1", "2", "3"}[r.IntN(4)], fmt.Sprintf("'%d'", i)}
			script = append(script, strings.Join(row, " "))
			if s.Time == 0 && number(row[0]) <= watermark {
				late++
			} else {
				held = append(held, row)
			}
			if r.IntN(6) == 0 {
				watermark += 1 + r.IntN(6)
				script = append(script, fmt.Sprintf("watermark %d", watermark))
				if s.Time == 0 {
					give(watermark)
				}
			}
		}
		give(1 << 30)
		c := &operatortest.Case{
			Spec: spec(s), New: sort.New, Inputs: []*types.Schema{schema}, Backend: columnar.New(), Script: strings.Join(append(script, "end"), "\n"),
		}
		all := c.Variants()
		v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
		v.Seed = r.Uint64()
		out := operatortest.Play(t, c, v)
		if diff := streamtest.Diff(streamtest.Canonical(t, schema, strings.Join(want, "\n")), out.Rows[0], true); diff != "" {
			t.Fatalf("%+v\n%s\n(-twin +operator):\n%s", s, c.Script, diff)
		}
		if out.Counts.Late != late {
			t.Fatalf("%d rows late, want %d", out.Counts.Late, late)
		}
	})
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func TestLimit(t *testing.T) {
	rows := "1 1 'a'\n2 2 'b'\nwatermark 1\n3 3 'c'\n4 4 'd'\n5 5 'e'\nend"
	for _, c := range []operatortest.Case{
		{Name: "limit", Spec: spec(&jobgraph.LimitSpec{Count: 2}), Want: "1 1 'a'\n2 2 'b'", Counts: &operators.Counts{Filtered: 3}},
		{Name: "offset", Spec: spec(&jobgraph.LimitSpec{Offset: 3}), Want: "4 4 'd'\n5 5 'e'", Counts: &operators.Counts{Filtered: 3}},
		{Name: "both", Spec: spec(&jobgraph.LimitSpec{Offset: 1, Count: 3}), Want: "2 2 'b'\n3 3 'c'\n4 4 'd'", Counts: &operators.Counts{Filtered: 2}},
		{Name: "none", Spec: spec(&jobgraph.LimitSpec{Offset: 9, Count: 1 << 62}), Counts: &operators.Counts{Filtered: 5}},
	} {
		c.New, c.Inputs, c.Backend, c.Script, c.Ordered = sort.NewLimit, []*types.Schema{schema}, columnar.New(), rows, true
		operatortest.Run(t, c)
	}
}

func TestRefused(t *testing.T) {
	if _, err := sort.New(spec(&jobgraph.SortSpec{Time: jobgraph.NoColumn})); err == nil {
		t.Error("a sort by nothing: no error")
	}
	if _, err := sort.NewLimit(spec(&jobgraph.LimitSpec{Offset: -1})); err == nil {
		t.Error("a negative offset: no error")
	}
}

// open makes a sort over a budget of state.
func open(t testing.TB, body *jobgraph.SortSpec, pool *stream.Pool, budget *statebackend.Budget) (operators.Operator, *operators.Counts) {
	store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: pool, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	op, err := sort.New(spec(body))
	if err != nil {
		t.Fatal(err)
	}
	counts := &operators.Counts{}
	err = op.Open(&operators.Context{
		Operator: "sort", Inputs: []*types.Schema{schema}, Output: schema, Pool: pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: counts,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = op.Close()
		_ = store.Close()
	})
	return op, counts
}

// TestMoreThanTheBudget has the error name what is missing and what to do; a restart would not mend it.
func TestMoreThanTheBudget(t *testing.T) {
	var pool stream.Pool
	op, _ := open(t, &jobgraph.SortSpec{Order: []jobgraph.SortColumn{{Column: 2}}, Time: jobgraph.NoColumn}, &pool, statebackend.NewBudget(4<<20, "raise the memory"))
	b := randomRows(&pool)
	defer b.Release()
	var err error
	for range 1000 {
		if err = op.Process(0, b); err != nil {
			break
		}
	}
	if class := failure.ClassOf(err); err == nil || class.Retry != failure.Never || !strings.Contains(err.Error(), "sort sort: ") || !strings.Contains(err.Error(), "budget") {
		t.Errorf("got %v", err)
	}
}

func randomRows(pool *stream.Pool) *stream.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	b := streamtest.Random(r, pool, schema, streamtest.RandomOptions{Rows: stream.RowsMax})
	times := stream.NewFixed(pool, schema.Fields[0].Type, stream.RowsMax)
	for i := range stream.Values[int64](&times) {
		stream.Values[int64](&times)[i] = r.Int64N(1 << 40)
	}
	b.Columns[0].Release()
	b.Columns[0] = times
	return b
}

// BenchmarkSort puts rows in by random times, and takes them out by a watermark behind each batch.
func BenchmarkSort(b *testing.B) {
	var pool stream.Pool
	op, _ := open(b, &jobgraph.SortSpec{Time: 0}, &pool, nil)
	rows := randomRows(&pool)
	times := stream.Values[int64](&rows.Columns[0])
	for i := range times {
		times[i] %= 4096
	}
	w := stream.Watermark(0)
	feed := func() {
		if err := op.Process(0, rows); err != nil {
			b.Fatal(err)
		}
		w += 4096
		if err := op.Advance(w); err != nil {
			b.Fatal(err)
		}
		for {
			out, err := op.Next()
			if err != nil {
				b.Fatal(err)
			}
			if out.Batch == nil {
				break
			}
			out.Batch.Release()
		}
		for i := range times {
			times[i] += 4096
		}
	}
	feed()
	b.ReportAllocs()
	for b.Loop() {
		feed()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}
