package rank_test

import (
	"strings"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/rank"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/types"
)

// bids are nexmark's, as far as Top-N needs them.
var bids = types.NewSchema(
	field("auction", types.Of(types.BigInt)), field("bidder", types.Of(types.BigInt)), field("price", types.Of(types.BigInt)), field("datetime", types.TimestampOf(3)))

// highest is the highest bids of each auction, with their ranks.
func highest(n int64) *jobgraph.RankSpec {
	return &jobgraph.RankSpec{
		Keys: []int{0}, Order: []jobgraph.SortColumn{{Column: 2, Descending: true, NullsLast: true}}, Strategy: jobgraph.AppendFast,
		From: 1, To: n, ToColumn: jobgraph.NoColumn, RankNumber: "rank", UpdateBefore: true, WindowEnd: jobgraph.NoColumn,
	}
}

func rankOf(s *jobgraph.RankSpec) *jobgraph.OperatorSpec {
	return &jobgraph.OperatorSpec{UID: "rank", Body: s}
}

func TestRank(t *testing.T) {
	ttl := highest(1)
	ttl.TTL, ttl.RankNumber = 10*time.Second, ""
	windows := highest(2)
	windows.WindowEnd, windows.UpdateBefore = 3, false
	second := highest(3)
	second.WindowEnd, second.From, second.UpdateBefore, second.RankNumber = 3, 2, false, ""
	byColumn := highest(0)
	byColumn.ToColumn, byColumn.RankNumber = 1, ""
	for _, c := range []operatortest.Case{
		{
			Name: "a partition without changes for its TTL is forgotten", Spec: rankOf(ttl), Keys: [][]int{{0}},
			Script: `
				time 1000
				1 1 10 0
				time 10999
				1 1 5 0
				time 11000
				1 1 4 0
				2 1 7 0
				time 15000
				2 1 8 0
				time 25000
				2 1 1 0`,
			Want: `
				1 1 10 0
				1 1 4 0
				2 1 7 0
				-D 2 1 7 0
				2 1 8 0
				2 1 1 0`,
		},
		{
			Name: "windows are ranked when they close", Spec: rankOf(windows), Keys: [][]int{{0}},
			Script: `
				1 1 10 10000
				1 2 12 10000
				1 3 10 10000
				2 1 NULL 10000
				1 1 5 20000
				watermark 9998
				watermark 9999
				1 1 9 10000
				1 2 6 20000
				end`,
			Want: `
				1 2 12 10000 1
				1 1 10 10000 2
				2 1 NULL 10000 1
				1 2 6 20000 1
				1 1 5 20000 2`,
			Counts: &operators.Counts{Folded: 6, Late: 1},
		},
		{
			Name: "ranks of windows from the second on", Spec: rankOf(second), Keys: [][]int{{0}},
			Script: "1 1 10 10000\n1 2 12 10000\n1 3 10 10000\n1 4 1 10000\n2 1 1 -5\nend",
			Want:   "1 1 10 10000\n1 3 10 10000",
			Counts: &operators.Counts{Folded: 5},
		},
		{
			Name: "the first row of a partition says how many ranks it has", Spec: rankOf(byColumn), Keys: [][]int{{0}},
			Script: "1 1 10 0\n1 9 11 0\n1 0 9 0\n2 0 5 0\n3 NULL 5 0",
			Normalize: func(_ int, rows []string) []string { // in one batch, what leaves again never entered
				var out []string
				for _, r := range rows {
					if !strings.Contains(r, " 1 1 10 ") {
						out = append(out, r)
					}
				}
				return out
			},
			Want: "1 1 10 0\n-D 1 1 10 0\n1 9 11 0",
		},
	} {
		c.New, c.Inputs, c.Backend = rank.New, []*types.Schema{bids}, columnar.New()
		if c.Counts == nil && c.Normalize == nil {
			c.Normalize = final
		}
		operatortest.Run(t, c)
	}
}

// final leaves out what was taken back.
func final(_ int, rows []string) (out []string) {
	gone := map[string]int{}
	for _, r := range rows {
		if kind := r[:2]; kind == "-U" || kind == "-D" {
			gone[r[3:]]++
		}
	}
	for _, r := range rows {
		if kind := r[:2]; kind == "-U" || kind == "-D" {
			continue
		}
		if gone[r[3:]] > 0 {
			gone[r[3:]]--
			continue
		}
		out = append(out, r[3:])
	}
	return out
}

func TestSpecsThatCannotBeRanked(t *testing.T) {
	for name, change := range map[string]func(*jobgraph.RankSpec){
		"no strategy":          func(s *jobgraph.RankSpec) { s.Strategy = 0 },
		"no ranks":             func(s *jobgraph.RankSpec) { s.From = 0 },
		"no unique key":        func(s *jobgraph.RankSpec) { s.Strategy = jobgraph.UpdateFast },
		"retract in a window":  func(s *jobgraph.RankSpec) { s.Strategy, s.WindowEnd = jobgraph.Retract, 3 },
		"ranks the wrong way":  func(s *jobgraph.RankSpec) { s.From = 11 },
		"another strategy yet": func(s *jobgraph.RankSpec) { s.Strategy = 4 },
	} {
		s := highest(10)
		change(s)
		if _, err := rank.New(rankOf(s)); err == nil || !strings.Contains(err.Error(), "rank rank: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var _ operators.Finisher = (*rank.Rank)(nil)

// benchmark runs batches through an operator and reports the time a row.
func benchmark(b *testing.B, spec *jobgraph.OperatorSpec, make operators.Factory, batches []*stream.Batch, pool *stream.Pool) {
	store, err := columnar.New().Open(b.Context(), openSpec(pool))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	op, err := make(spec)
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	inputs := []*types.Schema{batches[0].Schema}
	out, err := jobgraph.OutputSchema(spec, inputs)
	if err != nil {
		b.Fatal(err)
	}
	err = op.Open(&operators.Context{
		Operator: "rank", Inputs: inputs, Output: out, Pool: pool, State: store, Time: &operators.Time{},
		Watermark: stream.NoWatermark, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	})
	if err != nil {
		b.Fatal(err)
	}
	rows := 0
	feed := func(i int) {
		if err := op.Process(0, batches[i%len(batches)]); err != nil {
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
			rows += out.Batch.Rows()
			out.Batch.Release()
		}
	}
	i := 0
	for ; i < len(batches)/2; i++ {
		feed(i)
	}
	rows = 0
	b.ReportAllocs()
	for b.Loop() {
		feed(i)
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
	b.ReportMetric(float64(rows)/float64(b.N)/stream.RowsMax, "out/row")
}
