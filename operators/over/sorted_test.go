package over_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/over"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// byValue orders by v, descending, and counts, sums and lists s.
func byValue(frame jobgraph.FrameSpec, change func(*jobgraph.OverAggregateSpec)) *jobgraph.OperatorSpec {
	s := &jobgraph.OverAggregateSpec{
		Keys: []int{0}, Frame: frame, Order: []jobgraph.SortColumn{{Column: 2, Descending: true, NullsLast: true}}, Retract: true, UpdateBefore: true,
		Aggregates: []jobgraph.AggregateCall{
			{Func: "COUNT", Arg: jobgraph.CountStar, Name: "n"}, {Func: "SUM", Arg: 2, Name: "sum"}, {Func: "MAX", Arg: 3, Name: "most"},
		},
	}
	change(s)
	return &jobgraph.OperatorSpec{UID: "over", Body: s}
}

func asIs(*jobgraph.OverAggregateSpec) {}

// sortedRowByRow plays a script with batches of one row.
func sortedRowByRow(t *testing.T, name string, spec *jobgraph.OperatorSpec, script, want string, counts operators.Counts) {
	c := operatortest.Case{Name: name, Spec: spec, New: over.New, Inputs: []*types.Schema{rows}, Keys: [][]int{{0}}, Backend: columnar.New(), Script: script}
	t.Run(name, func(t *testing.T) {
		for i, v := range c.Variants() {
			if v.BatchRows != 1 {
				continue
			}
			v.Seed = uint64(i)
			out := operatortest.Play(t, &c, v)
			if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, want), out.Rows[0], true); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", v, diff)
			}
			if out.Counts != counts {
				t.Errorf("%s: counts %+v, want %+v", v, out.Counts, counts)
			}
		}
	})
}

const sortedScript = `
	+I 1 0 5 'a'
	+I 1 0 9 'b'
	+I 1 0 5 'c'
	+I 2 0 7 'x'
	+I 1 0 7 'a'
	-U 1 0 9 'b'
	+U 1 0 6 'b'
	-D 1 0 5 'a'
	-D 1 0 5 'a'
	-D 2 0 7 'x'
	+I 2 0 NULL 'y'
	end`

func TestSorted(t *testing.T) {
	counts := operators.Counts{Folded: 11, Expired: 1}
	sortedRowByRow(t, "all rows before", byValue(jobgraph.FrameSpec{}, asIs), sortedScript, `
		+I 1 0 5 'a' 1 5 'a'
		+I 1 0 9 'b' 1 9 'b'
		-U 1 0 5 'a' 1 5 'a'
		+U 1 0 5 'a' 2 14 'b'
		+I 1 0 5 'c' 3 19 'c'
		+I 2 0 7 'x' 1 7 'x'
		+I 1 0 7 'a' 2 16 'b'
		-U 1 0 5 'a' 2 14 'b'
		+U 1 0 5 'a' 3 21 'b'
		-U 1 0 5 'c' 3 19 'c'
		+U 1 0 5 'c' 4 26 'c'
		-D 1 0 9 'b' 1 9 'b'
		-U 1 0 7 'a' 2 16 'b'
		+U 1 0 7 'a' 1 7 'a'
		-U 1 0 5 'a' 3 21 'b'
		+U 1 0 5 'a' 2 12 'a'
		-U 1 0 5 'c' 4 26 'c'
		+U 1 0 5 'c' 3 17 'c'
		+I 1 0 6 'b' 2 13 'b'
		-U 1 0 5 'a' 2 12 'a'
		+U 1 0 5 'a' 3 18 'b'
		-U 1 0 5 'c' 3 17 'c'
		+U 1 0 5 'c' 4 23 'c'
		-D 1 0 5 'a' 3 18 'b'
		-U 1 0 5 'c' 4 23 'c'
		+U 1 0 5 'c' 3 18 'c'
		-D 2 0 7 'x' 1 7 'x'
		+I 2 0 NULL 'y' 1 NULL 'y'`, counts)
	sortedRowByRow(t, "all rows of equal order", byValue(jobgraph.FrameSpec{Range: true}, func(s *jobgraph.OverAggregateSpec) { s.UpdateBefore = false }), `
		+I 1 0 5 'a'
		+I 1 0 9 'b'
		+I 1 0 5 'c'
		-D 1 0 5 'a'
		end`, `
		+I 1 0 5 'a' 1 5 'a'
		+I 1 0 9 'b' 1 9 'b'
		+U 1 0 5 'a' 2 14 'b'
		+U 1 0 5 'a' 3 19 'c'
		+I 1 0 5 'c' 3 19 'c'
		-D 1 0 5 'a' 3 19 'c'
		+U 1 0 5 'c' 2 14 'c'`, operators.Counts{Folded: 4})
	sortedRowByRow(t, "a row before", byValue(jobgraph.FrameSpec{Bounded: true, Preceding: 1}, asIs), `
		+I 1 0 5 'a'
		+I 1 0 4 'b'
		+I 1 0 3 'c'
		+I 1 0 9 'd'
		-D 1 0 4 'b'
		end`, `
		+I 1 0 5 'a' 1 5 'a'
		+I 1 0 4 'b' 2 9 'b'
		+I 1 0 3 'c' 2 7 'c'
		+I 1 0 9 'd' 1 9 'd'
		-U 1 0 5 'a' 1 5 'a'
		+U 1 0 5 'a' 2 14 'd'
		-D 1 0 4 'b' 2 9 'b'
		-U 1 0 3 'c' 2 7 'c'
		+U 1 0 3 'c' 2 8 'c'`, operators.Counts{Folded: 5})
	sortedRowByRow(t, "values once", byValue(jobgraph.FrameSpec{}, func(s *jobgraph.OverAggregateSpec) {
		s.Aggregates = []jobgraph.AggregateCall{{Func: "COUNT", Arg: 3, Name: "texts", Distinct: true}}
	}), `
		+I 1 0 5 'a'
		+I 1 0 9 'a'
		+I 1 0 4 'b'
		-U 1 0 9 'a'
		+U 1 0 9 'b'
		-D 1 0 5 'a'
		end`, `
		+I 1 0 5 'a' 1
		+I 1 0 9 'a' 1
		+I 1 0 4 'b' 2
		-D 1 0 9 'a' 1
		+I 1 0 9 'b' 1
		-U 1 0 5 'a' 1
		+U 1 0 5 'a' 2
		-D 1 0 5 'a' 2
		-U 1 0 4 'b' 2
		+U 1 0 4 'b' 1`, operators.Counts{Folded: 6})
}

func TestSortedPlaces(t *testing.T) {
	sortedRowByRow(t, "ranks", byValue(jobgraph.FrameSpec{}, func(s *jobgraph.OverAggregateSpec) {
		s.Aggregates = []jobgraph.AggregateCall{
			{Func: "RANK", Arg: jobgraph.CountStar, Name: "rank"},
			{Func: "DENSE_RANK", Arg: jobgraph.CountStar, Name: "dense"},
			{Func: "LAG", Arg: 3, Name: "before", Offset: 1},
		}
	}), `
		+I 1 0 5 'a'
		+I 1 0 5 'b'
		+I 1 0 4 'c'
		+I 1 0 9 'd'
		-D 1 0 5 'a'
		end`, `
		+I 1 0 5 'a' 1 1 NULL
		+I 1 0 5 'b' 1 1 'a'
		+I 1 0 4 'c' 3 2 'b'
		+I 1 0 9 'd' 1 1 NULL
		-U 1 0 5 'a' 1 1 NULL
		+U 1 0 5 'a' 2 2 'd'
		-U 1 0 5 'b' 1 1 'a'
		+U 1 0 5 'b' 2 2 'a'
		-U 1 0 4 'c' 3 2 'b'
		+U 1 0 4 'c' 4 3 'b'
		-D 1 0 5 'a' 2 2 'd'
		-U 1 0 5 'b' 2 2 'a'
		+U 1 0 5 'b' 2 2 'd'
		-U 1 0 4 'c' 4 3 'b'
		+U 1 0 4 'c' 3 3 'b'`, operators.Counts{Folded: 5})
}

func TestSortedFinalOnly(t *testing.T) {
	for _, keys := range [][]int{{0}, {}} {
		want := "1 0 6 'b' 2 13 'b'\n1 0 7 'a' 1 7 'a'\n1 0 5 'c' 3 18 'c'\n2 0 NULL 'y' 1 NULL 'y'"
		if len(keys) == 0 {
			want = "1 0 6 'b' 2 13 'b'\n1 0 7 'a' 1 7 'a'\n1 0 5 'c' 3 18 'c'\n2 0 NULL 'y' 4 18 'y'"
		}
		operatortest.Run(t, operatortest.Case{
			Name: fmt.Sprint(keys), New: over.New, Inputs: []*types.Schema{rows}, Keys: [][]int{keys}, Backend: columnar.New(),
			Spec:   byValue(jobgraph.FrameSpec{}, func(s *jobgraph.OverAggregateSpec) { s.Keys, s.FinalOnly, s.UpdateBefore = keys, true, false }),
			Script: sortedScript, Want: want,
		})
	}
}

// sortedModel answers all rows anew after each, and tells what differs.
type sortedModel struct {
	frame   jobgraph.FrameSpec
	sliding bool
	there   [][]string // as they arrived
	out     []string
}

// answers returns the rows of a partition in order, with their aggregates.
func (m *sortedModel) answers(key string) (of [][]string, out []string) {
	for _, r := range m.there {
		if r[0] == key {
			of = append(of, r)
		}
	}
	value := func(r []string) int64 {
		if r[2] == "NULL" {
			return 1 << 40 // last
		}
		return -number(r[2])
	}
	slices.SortStableFunc(of, func(a, b []string) int { return int(value(a) - value(b)) })
	for i, row := range of {
		from, to := 0, i+1
		if m.frame.Bounded {
			from = max(0, i-int(m.frame.Preceding))
		}
		for m.frame.Range && to < len(of) && of[to][2] == row[2] {
			to++
		}
		places := ""
		if m.frame == (jobgraph.FrameSpec{}) {
			places = placesOf(of[:i+1], 2)
		}
		out = append(out, strings.Join(row, " ")+" "+answerOf(of[from:to], m.sliding)+places)
	}
	return of, out
}

func (m *sortedModel) row(kind string, row []string) {
	rowsBefore, before := m.answers(row[0])
	var gone int
	if kind == "-D" {
		i := slices.IndexFunc(m.there, func(r []string) bool { return slices.Equal(r, row) })
		gone = slices.IndexFunc(rowsBefore, func(r []string) bool { return &r[0] == &m.there[i][0] })
		m.there = slices.Delete(m.there, i, i+1)
		m.out = append(m.out, "-D "+before[gone])
	} else {
		m.there = append(m.there, row)
	}
	rowsAfter, after := m.answers(row[0])
	for i, r := range rowsAfter {
		k := slices.IndexFunc(rowsBefore, func(o []string) bool { return &o[0] == &r[0] })
		switch {
		case k < 0:
			m.out = append(m.out, "+I "+after[i])
		case before[k] != after[i]:
			m.out = append(m.out, "-U "+before[k], "+U "+after[i])
		}
	}
}

// TestSortedEqualsModel: row by row the changelog is that of answering all rows anew; with batches, what it leaves.
func TestSortedEqualsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		m := &sortedModel{frame: jobgraph.FrameSpec{Range: r.IntN(2) == 0}}
		if !m.frame.Range && r.IntN(3) > 0 {
			m.frame.Bounded, m.frame.Preceding = true, int64(r.IntN(4))
		}
		of, keys, most := byValue(m.frame, func(s *jobgraph.OverAggregateSpec) { s.Aggregates = modelCalls }), []string{"1", "2", "NULL"}, 90
		if m.frame == (jobgraph.FrameSpec{}) {
			of = byValue(m.frame, func(s *jobgraph.OverAggregateSpec) { s.Aggregates = append(slices.Clone(modelCalls), placeCalls()...) })
		}
		m.sliding = m.frame.Bounded && r.IntN(3) == 0
		if m.sliding { // without extremes and lists, which can't be taken back
			m.frame.Preceding = int64(32 + r.IntN(4))
			of = byValue(m.frame, func(s *jobgraph.OverAggregateSpec) { s.Aggregates = slidingCalls })
			keys, most = keys[:1], 150
		}
		least, spread := 0, []int{4, 300}[r.IntN(2)]
		if m.sliding {
			least = 60
		}
		var script []string
		for range rapid.IntRange(least, most).Draw(t, "rows") {
			pick := func(of ...string) string { return of[r.IntN(len(of))] }
			row := []string{pick(keys...), "0", pick("NULL", strconv.Itoa(r.IntN(spread)), strconv.Itoa(r.IntN(spread))), pick("NULL", "'a'", "'b'"), pick("NULL", "TRUE", "FALSE")}
			kind := "+I"
			if len(m.there) > 0 && r.IntN(5) < 2 {
				kind, row = "-D", slices.Clone(m.there[r.IntN(len(m.there))])
			}
			m.row(kind, row)
			script = append(script, kind+" "+strings.Join(row, " "))
		}
		c := &operatortest.Case{
			Spec: of, New: over.New, Inputs: []*types.Schema{flagged}, Keys: [][]int{{0}}, Backend: columnar.New(), Functions: ownFunctions,
			Script: strings.Join(append(script, "end"), "\n"),
		}
		all := c.Variants()
		v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
		v.Seed = r.Uint64()
		out := operatortest.Play(t, c, v)
		want := streamtest.Canonical(t, out.Schema, strings.Join(m.out, "\n"))
		if v.BatchRows == 1 {
			if diff := streamtest.Diff(want, out.Rows[0], true); diff != "" {
				t.Fatalf("%+v\n%s\n(-model +operator):\n%s", m.frame, c.Script, diff)
			}
		}
		wanted, err := operatortest.Materialize(want, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := operatortest.Materialize(out.Rows[0], 0)
		if err != nil {
			t.Fatalf("%+v\n%s\n%v", m.frame, c.Script, err)
		}
		if diff := streamtest.Diff(wanted, got, true); diff != "" {
			t.Fatalf("%+v, batches of %d\n%s\n(-model +operator):\n%s", m.frame, v.BatchRows, c.Script, diff)
		}
	})
}

// TestWhole has the functions that need the rows behind a row, beside those that don't: each row is answered at the end.
func TestWhole(t *testing.T) {
	whole := func(s *jobgraph.OverAggregateSpec) {
		s.FinalOnly, s.UpdateBefore = true, false
		s.Aggregates = []jobgraph.AggregateCall{
			{Func: "RANK", Arg: jobgraph.CountStar, Name: "rank"},
			{Func: "LEAD", Arg: 2, Name: "next", Offset: 1},
			{Func: "LEAD", Arg: 3, Name: "text", Offset: 2, Defaulted: true, Default: 3},
			{Func: "NTILE", Arg: jobgraph.CountStar, Name: "tile", Offset: 3},
			{Func: "PERCENT_RANK", Arg: jobgraph.CountStar, Name: "percent"},
			{Func: "CUME_DIST", Arg: jobgraph.CountStar, Name: "share"},
		}
	}
	operatortest.Run(t, operatortest.Case{
		Name: "whole partitions", New: over.New, Inputs: []*types.Schema{rows}, Keys: [][]int{{0}}, Backend: columnar.New(),
		Spec: byValue(jobgraph.FrameSpec{}, whole),
		Script: `
			+I 1 0 5 'a'
			+I 2 0 7 'x'
			+I 1 0 9 'b'
			+I 1 0 5 NULL
			-D 2 0 7 'x'
			+I 1 0 8 'gone'
			+I 2 0 NULL 'y'
			-D 1 0 8 'gone'
			+I 1 0 4 'd'
			+I 1 0 1 'e'
			+I 3 0 2 'f'
			+I 3 0 2 'g'
			end`,
		Want: `
			1 0 9 'b' 1 5 NULL 1 0.0 0.2
			1 0 5 'a' 2 5 'd' 1 0.25 0.6
			1 0 5 NULL 2 4 'e' 2 0.25 0.6
			1 0 4 'd' 4 1 'd' 2 0.75 0.8
			1 0 1 'e' 5 NULL 'e' 3 1.0 1.0
			2 0 NULL 'y' 1 NULL 'y' 1 0.0 1.0
			3 0 2 'f' 1 2 'f' 1 0.0 1.0
			3 0 2 'g' 1 NULL 'g' 2 0.0 1.0`,
	})
}

// wholeOf returns what the functions are that TestWhole has, of a row of a partition in order: by their definitions, by counting rows.
func wholeOf(of [][]string, i, tiles int) string {
	before, with := 0, 0
	for _, r := range of {
		if r[2] == of[i][2] {
			with++
		}
	}
	for before < i && of[before][2] != of[i][2] {
		before++
	}
	ahead := func(n, column int, instead string) string {
		if i+n >= len(of) {
			return instead
		}
		return of[i+n][column]
	}
	tile, left := 1, 0 // of rows dealt out one after the other, the first tiles have those that are left over
	for row := range i + 1 {
		if left == 0 {
			if left = len(of) / tiles; tile <= len(of)%tiles {
				left++
			}
		}
		if left--; left == 0 && row < i {
			tile++
		}
	}
	percent := 0.0
	if len(of) > 1 {
		percent = float64(before) / float64(len(of)-1)
	}
	return fmt.Sprintf("%s %s %d %v %v", ahead(1, 2, "NULL"), ahead(2, 3, of[i][3]), tile, percent, float64(before+with)/float64(len(of)))
}

// TestWholeEqualsModel: at the end rows have what counting says.
func TestWholeEqualsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		m, tiles := &sortedModel{}, 1+r.IntN(6)
		var script []string
		for range rapid.IntRange(0, 60).Draw(t, "rows") {
			pick := func(of ...string) string { return of[r.IntN(len(of))] }
			row := []string{pick("1", "2", "NULL"), "0", pick("NULL", strconv.Itoa(r.IntN(6))), pick("NULL", "'a'", "'b'"), "TRUE"}
			kind := "+I"
			if len(m.there) > 0 && r.IntN(5) == 0 {
				i := r.IntN(len(m.there))
				kind, row = "-D", slices.Clone(m.there[i])
				i = slices.IndexFunc(m.there, func(o []string) bool { return slices.Equal(o, row) })
				m.there = slices.Delete(m.there, i, i+1)
			} else {
				m.there = append(m.there, row)
			}
			script = append(script, kind+" "+strings.Join(row, " "))
		}
		var want []string
		for _, key := range []string{"1", "2", "NULL"} {
			of, _ := m.answers(key)
			for i, row := range of {
				want = append(want, strings.Join(row, " ")+placesOf(of[:i+1], 2)+" "+wholeOf(of, i, tiles))
			}
		}
		c := &operatortest.Case{
			Spec: byValue(jobgraph.FrameSpec{}, func(s *jobgraph.OverAggregateSpec) {
				s.FinalOnly, s.UpdateBefore = true, false
				s.Aggregates = append(placeCalls(), jobgraph.AggregateCall{Func: "LEAD", Arg: 2, Name: "next", Offset: 1},
					jobgraph.AggregateCall{Func: "LEAD", Arg: 3, Name: "after", Offset: 2, Defaulted: true, Default: 3},
					jobgraph.AggregateCall{Func: "NTILE", Arg: jobgraph.CountStar, Name: "tile", Offset: int64(tiles)},
					jobgraph.AggregateCall{Func: "PERCENT_RANK", Arg: jobgraph.CountStar, Name: "percent"},
					jobgraph.AggregateCall{Func: "CUME_DIST", Arg: jobgraph.CountStar, Name: "share"})
			}),
			New: over.New, Inputs: []*types.Schema{flagged}, Keys: [][]int{{0}}, Backend: columnar.New(), Script: strings.Join(append(script, "end"), "\n"),
		}
		all := c.Variants()
		v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
		v.Seed = r.Uint64()
		out := operatortest.Play(t, c, v)
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(want, "\n")), out.Rows[0], false); diff != "" {
			t.Fatalf("%d tiles\n%s\n(-model +operator):\n%s", tiles, c.Script, diff)
		}
	})
}

// BenchmarkSorted takes back and adds a row in each of 1,000 partitions of some 100 rows, over frames of 10 rows.
func BenchmarkSorted(b *testing.B) {
	var pool stream.Pool
	store, err := columnar.New().Open(b.Context(), statebackend.OpenSpec{MaxParallelism: 128, KeyGroups: types.AllKeyGroups(128), Pool: &pool})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	s := types.NewSchema(types.Field{Name: "k", Type: types.Of(types.BigInt)}, types.Field{Name: "v", Type: types.Of(types.BigInt)})
	o := &jobgraph.OperatorSpec{UID: "over", Body: &jobgraph.OverAggregateSpec{
		Keys: []int{0}, Order: []jobgraph.SortColumn{{Column: 1}}, Retract: true, UpdateBefore: true, Frame: jobgraph.FrameSpec{Bounded: true, Preceding: 10},
		Aggregates: []jobgraph.AggregateCall{{Func: "AVG", Arg: 1, Name: "x"}},
	}}
	out, _ := jobgraph.OutputSchema(o, []*types.Schema{s})
	op, err := over.New(o)
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	if err := op.Open(&operators.Context{
		Operator: "over", Inputs: []*types.Schema{s}, Output: out, Pool: &pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	}); err != nil {
		b.Fatal(err)
	}
	given := 0
	feed := func(in *stream.Batch) {
		if err := op.Process(0, in); err != nil {
			b.Fatal(err)
		}
		for {
			out, err := op.Next()
			if err != nil {
				b.Fatal(err)
			}
			if out.Batch == nil {
				return
			}
			given += out.Batch.Rows()
			out.Batch.Release()
		}
	}
	value := func(k int) int64 { return int64(k) * 7919 % 100_003 }
	batch := func(n int, row func(i int) (k, v int64, kind stream.RowKind)) *stream.Batch {
		in := pool.NewBatch(s, n)
		for i, f := range s.Fields {
			in.Columns[i] = stream.NewFixed(&pool, f.Type, n)
		}
		kinds := in.MakeKinds()
		for i := range n {
			stream.Values[int64](&in.Columns[0])[i], stream.Values[int64](&in.Columns[1])[i], kinds[i] = row(i)
		}
		return in
	}
	for from := 0; from < 100_000; from += 1000 {
		feed(batch(1000, func(i int) (int64, int64, stream.RowKind) { return int64(i), value(from + i), stream.Insert }))
	}
	in := batch(2000, func(i int) (int64, int64, stream.RowKind) { // the same rows come again, so that each batch finds them
		return int64(i / 2), value(i / 2), []stream.RowKind{stream.UpdateBefore, stream.UpdateAfter}[i%2]
	})
	given = 0
	b.ReportAllocs()
	for b.Loop() {
		feed(in)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/row")
	b.ReportMetric(float64(given)/float64(b.N), "rows/op")
}
