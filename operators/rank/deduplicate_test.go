package rank_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/rank"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// visits has columns of every layout behind the key and the times.
var visits = types.NewSchema(
	field("k", types.Of(types.BigInt)), field("t", types.TimestampOf(3)), field("window_end", types.TimestampOf(3)), field("s", types.StringType()),
	field("b", types.Of(types.Boolean)), field("i", types.Of(types.TinyInt)), field("d", types.DecimalOf(30, 2)), field("f", types.Of(types.Float)))

func keep(last bool) *jobgraph.DeduplicateSpec {
	return &jobgraph.DeduplicateSpec{Keys: []int{0}, Time: 1, KeepLast: last, UpdateBefore: true, WindowEnd: jobgraph.NoColumn}
}

func deduplicateOf(s *jobgraph.DeduplicateSpec) *jobgraph.OperatorSpec {
	return &jobgraph.OperatorSpec{UID: "dedup", Body: s}
}

// keeper keeps rows one by one, as Flink's RowTimeDeduplicateFunction and ProcTimeDeduplicateKeep...RowFunction do.
type keeper struct {
	spec      *jobgraph.DeduplicateSpec
	rows      map[string][]string
	given     map[string]bool
	watermark int64
	out       []string
	late      int64
}

func (w *keeper) key(row []string) string {
	if w.spec.WindowEnd != jobgraph.NoColumn {
		return row[0] + " " + row[2]
	}
	return row[0]
}

func (w *keeper) row(row []string) {
	key := w.key(row)
	old, at := w.rows[key], number(row[1])
	switch {
	case w.spec.WindowEnd != jobgraph.NoColumn && number(row[2])-1 <= w.watermark, w.spec.AppendOnly && at < w.watermark:
		w.late++
		return
	case w.given[key]:
		return
	case old == nil:
	case w.spec.Time == jobgraph.NoColumn && !w.spec.KeepLast:
		return
	case w.spec.Time != jobgraph.NoColumn && w.spec.KeepLast && at < number(old[1]), w.spec.Time != jobgraph.NoColumn && !w.spec.KeepLast && at >= number(old[1]):
		return
	}
	w.rows[key] = row
	if w.spec.AppendOnly || w.spec.WindowEnd != jobgraph.NoColumn || slices.Equal(old, row) {
		return
	}
	kind := "+I "
	if old != nil {
		if kind = "+U "; w.spec.UpdateBefore {
			w.out = append(w.out, "-U "+strings.Join(old, " "))
		}
	}
	w.out = append(w.out, kind+strings.Join(row, " "))
}

// advance gives what the watermark has reached.
func (w *keeper) advance(to int64) {
	w.watermark = to
	for key, row := range w.rows {
		at := number(row[1])
		if w.spec.WindowEnd != jobgraph.NoColumn {
			at = number(row[2]) - 1
		}
		if at <= to && !w.given[key] {
			w.given[key] = w.spec.AppendOnly
			w.out = append(w.out, "+I "+strings.Join(row, " "))
			if !w.spec.AppendOnly {
				delete(w.rows, key)
			}
		}
	}
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func drawDeduplicate(r *rand.Rand) *jobgraph.DeduplicateSpec {
	s := keep(r.IntN(2) == 0)
	s.UpdateBefore = r.IntN(2) == 0
	s.EachChange = s.KeepLast && r.IntN(2) == 0
	switch r.IntN(4) {
	case 0:
		s.Time = jobgraph.NoColumn
	case 1:
		s.KeepLast, s.AppendOnly, s.EachChange = false, true, false
	case 2:
		s.WindowEnd, s.EachChange = 2, false
	}
	return s
}

// script draws rows and watermarks, and feeds the keeper with them.
func (w *keeper) script(r *rand.Rand, n int) string {
	var pool stream.Pool
	random := streamtest.Random(r, &pool, visits, streamtest.RandomOptions{Rows: n, NullPercent: 25, ExtremeEvery: 6})
	defer random.Release()
	var script []string
	timed := w.spec.AppendOnly || w.spec.WindowEnd != jobgraph.NoColumn
	for i := range n {
		row := make([]string, visits.Len())
		for c := range row {
			row[c] = streamtest.Value(&random.Columns[c], i)
		}
		row[0] = []string{"1", "2", "3", "NULL"}[r.IntN(4)]
		at := r.IntN(40)
		row[1], row[2] = strconv.Itoa(at), strconv.Itoa(at/10*10+10)
		if len(script) > 0 && r.IntN(8) == 0 && !strings.HasPrefix(script[len(script)-1], "w") {
			row = strings.Fields(script[len(script)-1]) // again
		}
		if slices.ContainsFunc(row, func(v string) bool { return strings.Contains(v, " ") }) || len(row) != visits.Len() {
			row = []string{row[0], row[1], row[2], "''", "NULL", "1", "1.00", "0.5"}
		}
		w.row(row)
		script = append(script, strings.Join(row, " "))
		if to := w.watermark + 1 + int64(r.IntN(8)); timed && r.IntN(5) == 0 {
			w.advance(to)
			script = append(script, fmt.Sprintf("watermark %d", to))
		}
	}
	if timed {
		w.advance(1 << 62)
		script = append(script, "end")
	}
	return strings.Join(script, "\n")
}

func TestDeduplicateEqualsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spec := drawDeduplicate(r)
		w := &keeper{spec: spec, rows: map[string][]string{}, given: map[string]bool{}, watermark: -1}
		v := drawVariant(t, r, spec.Keys)
		c := &operatortest.Case{
			Spec: deduplicateOf(spec), New: rank.NewDeduplicate, Inputs: []*types.Schema{visits}, Keys: [][]int{spec.Keys}, Backend: drawBackend(r),
			Script: w.script(r, rapid.IntRange(0, 50).Draw(t, "rows")),
		}
		out := operatortest.Play(t, c, v)
		timed := spec.AppendOnly || spec.WindowEnd != jobgraph.NoColumn
		if v.BatchRows == 1 || timed || spec.EachChange {
			if diff := streamtest.Diff(streamtest.Canonical(t, visits, strings.Join(w.out, "\n")), out.Rows[0], v.BatchRows == 1 && !v.Rescale && !timed); diff != "" {
				t.Fatalf("%+v\n%s\n(-twin +operator):\n%s", spec, c.Script, diff)
			}
		}
		if out.Counts.Late != w.late {
			t.Fatalf("%d rows late, want %d", out.Counts.Late, w.late)
		}
		if timed {
			return
		}
		id := func(row string) string {
			if spec.UpdateBefore {
				return ""
			}
			return strings.Fields(row)[0]
		}
		var want []string
		for _, row := range w.rows {
			want = append(want, strings.Join(row, " "))
		}
		got := materialize(t, out.Rows[0], id, spec.UpdateBefore)
		if diff := streamtest.Diff(streamtest.Canonical(t, visits, strings.Join(want, "\n")), got, false); diff != "" {
			t.Fatalf("%+v\n%s\n(-twin +operator):\n%s", spec, c.Script, diff)
		}
	})
}

func TestDeduplicate(t *testing.T) {
	short := types.NewSchema(field("k", types.Of(types.BigInt)), field("t", types.TimestampOf(3)), field("s", types.StringType()))
	first, last := keep(false), keep(true)
	first.Time, first.TTL = jobgraph.NoColumn, 10*time.Second
	last.TTL = 10 * time.Second
	once := keep(false)
	once.AppendOnly, once.TTL = true, 5*time.Second
	final := keep(true)
	final.FinalOnly, final.UpdateBefore = true, false
	for _, c := range []operatortest.Case{
		{
			Name: "the first row counts until its time has passed", Spec: deduplicateOf(first),
			Script: "time 1\n1 5 'a'\n1 4 'b'\ntime 10000\n1 3 'c'\n2 1 'x'\ntime 10001\n1 2 'd'\ntime 20001\n2 9 'y'",
			Want:   "1 5 'a'\n2 1 'x'\n1 2 'd'\n2 9 'y'",
		},
		{
			Name: "the last row is said again where state does not live for ever", Spec: deduplicateOf(last),
			Script: "time 1\n1 5 'a'\ntime 2\n1 5 'a'\n\ntime 3\n1 4 'b'\ntime 10002\n1 1 'c'",
			Want:   "1 5 'a'\n-U 1 5 'a'\n+U 1 5 'a'\n1 1 'c'",
		},
		{
			Name: "a row that waits for the watermark does not expire", Spec: deduplicateOf(once),
			Script: "time 1\n1 500 'a'\ntime 9000\n2 1 'x'\nwatermark 500\ntime 14000\n1 600 'b'\nwatermark 700\nend",
			Want:   "1 500 'a'\n2 1 'x'\n1 600 'b'",
		},
		{
			Name: "at the end once", Spec: deduplicateOf(final),
			Script: "1 5 'a'\n1 6 'b'\nNULL 6 NULL\n1 6 'c'\nend",
			Want:   "1 6 'c'\nNULL 6 NULL",
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = rank.NewDeduplicate, []*types.Schema{short}, columnar.New(), [][]int{{0}}
		operatortest.Run(t, c)
	}
}

func TestDeduplicatesThatCannotBe(t *testing.T) {
	for _, s := range []*jobgraph.DeduplicateSpec{
		{Time: jobgraph.NoColumn, AppendOnly: true, WindowEnd: jobgraph.NoColumn},
		{Time: 1, KeepLast: true, AppendOnly: true, WindowEnd: jobgraph.NoColumn},
		{Time: jobgraph.NoColumn, WindowEnd: 1},
	} {
		if _, err := rank.NewDeduplicate(deduplicateOf(s)); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}

var _ operators.Finisher = (*rank.Deduplicate)(nil)

// BenchmarkLastBid is q18: the last bid of each bidder and auction.
func BenchmarkLastBid(b *testing.B) {
	for _, updateBefore := range []bool{true, false} {
		b.Run(fmt.Sprintf("updateBefore=%v", updateBefore), func(b *testing.B) {
			var pool stream.Pool
			spec := &jobgraph.DeduplicateSpec{Keys: []int{1, 0}, Time: 3, KeepLast: true, UpdateBefore: updateBefore, WindowEnd: jobgraph.NoColumn}
			benchmark(b, deduplicateOf(spec), rank.NewDeduplicate, nexmarkBids(&pool, 256), &pool)
		})
	}
}
