package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/sdk"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// bench is one operator, with its state at hand.
type bench struct {
	testing.TB
	c      operatortest.Case
	pool   stream.Pool
	store  statebackend.Store
	op     operators.Operator
	rows   []string // that have left by the main port
	given  int      // how many, where nobody wants to see them
	silent bool
}

func newBench(t testing.TB, c operatortest.Case) *bench {
	b := &bench{TB: t, c: c}
	b.open(stream.NoWatermark)
	return b
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// open opens the operator, from files, at an event time.
func (b *bench) open(w stream.Watermark, files ...statebackend.File) {
	b.Helper()
	groups := types.KeyGroupRangeOf(0, 1, 128)
	spec := statebackend.OpenSpec{Task: types.TaskID{Vertex: "v"}, KeyGroups: groups, MaxParallelism: 128, Parallelism: 1, Pool: &b.pool}
	if len(files) > 0 {
		spec.Restore = [][]statebackend.File{files}
	}
	var err error
	b.store, err = b.c.Backend.Open(b.Context(), spec)
	b.check(err)
	b.op, err = b.c.New(b.c.Spec)
	b.check(err)
	out, err := jobgraph.OutputSchema(b.c.Spec, b.c.Inputs)
	b.check(err)
	b.check(b.op.Open(&operators.Context{
		Task: spec.Task, Operator: b.c.Spec.UID, Parallelism: 1, MaxParallelism: 128, KeyGroups: groups, Inputs: b.c.Inputs, Output: out,
		Sides: jobgraph.SideSchemas(b.c.Spec, b.c.Inputs), Pool: &b.pool, State: b.store, Watermark: w, Time: new(operators.Time),
		RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	}))
}

func (b *bench) close() {
	b.Helper()
	b.check(b.op.Close())
	b.check(b.store.Close())
}

func (b *bench) drain() {
	b.Helper()
	for {
		o, err := b.op.Next()
		b.check(err)
		if o.Batch == nil {
			return
		}
		if o.Port == operators.MainPort {
			b.given += o.Batch.Rows()
			if !b.silent {
				b.rows = append(b.rows, streamtest.Rows(o.Batch)...)
			}
		}
		o.Batch.Release()
	}
}

func (b *bench) process(in *stream.Batch) {
	b.Helper()
	b.check(b.op.Process(0, in))
	b.drain()
}

func (b *bench) push(rows ...string) {
	b.Helper()
	in := streamtest.Batch(b, &b.pool, b.c.Inputs[0], strings.Join(rows, "\n"))
	b.process(in)
	in.Release()
}

func (b *bench) advance(w stream.Watermark) {
	b.Helper()
	b.check(b.op.Advance(w))
	b.drain()
}

// freeze returns the state as a file, the whole or what has changed since the last, and how many rows it has.
func (b *bench) freeze(full bool) (statebackend.File, int64) {
	b.Helper()
	s, err := b.store.Freeze(full)
	b.check(err)
	defer s.Release()
	var data bytes.Buffer
	info, err := s.Write(&data)
	b.check(err)
	return stateFile(data.Bytes()), info.Rows
}

type stateFile []byte

func (stateFile) Name() string { return "state" }
func (f stateFile) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f)), nil
}

// allWindows are windows of every sort.
var allWindows = []sdk.Window{
	sdk.Tumble(10 * time.Millisecond), sdk.Hop(12*time.Millisecond, 4*time.Millisecond), sdk.Cumulate(12*time.Millisecond, 4*time.Millisecond), sdk.Session(5 * time.Millisecond),
}

// Nothing is left of windows that are over: event time that is behind them all by the allowed lateness empties every table.
func TestNothingIsLeftOfWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, w := range allWindows {
		for _, lateness := range []time.Duration{0, 3 * time.Millisecond, 40 * time.Millisecond} {
			b := newBench(t, one(t, "totals", totalsWithin(w, true, lateness)))
			for now := range 100 {
				var rows []string
				for range 8 {
					at := time.UnixMilli(int64(now - r.IntN(60))).UTC().Format("2006-01-02 15:04:05.000")
					rows = append(rows, fmt.Sprintf("'u%d' 1 %s", r.IntN(5), at))
				}
				b.push(rows...)
				b.advance(stream.Watermark(now - 20))
			}
			if _, n := b.freeze(true); n == 0 {
				t.Errorf("%+v within %s: there never was anything", w, lateness)
			}
			b.advance(stream.Watermark(1000))
			if _, n := b.freeze(true); n != 0 {
				t.Errorf("%+v within %s: %d rows of state are left", w, lateness, n)
			}
			b.push("'a' 1 1970-01-01 00:00:02.000", "'b' 1 1970-01-01 00:00:00.000")
			b.advance(stream.MaxWatermark)
			if _, n := b.freeze(true); n != 0 {
				t.Errorf("%+v within %s: %d rows of state are left at the end", w, lateness, n)
			}
			b.close()
		}
	}
}

// A task may begin with the state of one that was further in event time. What has given its result there gives it only once, but where rows come that the other has not seen.
func TestKeptWindowsBehindARestoreFurtherBack(t *testing.T) {
	for _, w := range []sdk.Window{sdk.Tumble(10 * time.Millisecond), sdk.Session(10 * time.Millisecond)} {
		b := newBench(t, one(t, "totals", totalsWithin(w, false, 50*time.Millisecond)))
		b.push("'a' 1 1970-01-01 00:00:00.000", "'b' 1 1970-01-01 00:00:00.000", "'c' 1 1970-01-01 00:00:00.000", "'c' 1 1970-01-01 00:00:00.030")
		all, _ := b.freeze(true)
		b.advance(20)
		changed, _ := b.freeze(false)
		b.close()
		b.rows = nil
		b.open(5, all, changed)
		b.push("'b' 2 1970-01-01 00:00:00.000")
		b.advance(45)
		want := []string{
			"+I 'b' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 2 3",
			"+I 'c' 1970-01-01 00:00:00.030 1970-01-01 00:00:00.040 1 1",
		}
		if d := cmp.Diff(want, b.rows); d != "" {
			t.Errorf("%+v (-want +got):\n%s", w, d)
		}
		b.close()
	}
}

// A row may be in many windows that are kept: what they give leaves by batches, and is the same as if rows came alone.
func TestRowsOfManyKeptWindows(t *testing.T) {
	var got [2][]string
	for i := range got {
		b := newBench(t, one(t, "totals", totalsWithin(sdk.Hop(2*time.Second, time.Millisecond), false, time.Hour)))
		b.advance(3000)
		var rows []string
		for n := range 20 {
			rows = append(rows, fmt.Sprintf("'%c' %d 1970-01-01 00:00:0%d.%03d", 'a'+rune(n%3), n, n%2, n))
		}
		rows = append(rows, "'a' 1 1970-01-01 00:00:02.000")
		if i == 0 {
			b.push(rows...)
		} else {
			for _, r := range rows {
				b.push(r)
			}
		}
		if want := 20*2000 + 1001 - 90; len(b.rows) != want { // some windows of rows with odd numbers are open
			t.Errorf("%d results, want %d", len(b.rows), want)
		}
		b.advance(6000)
		got[i] = b.rows
		b.close()
	}
	if !slices.Equal(got[0], got[1]) {
		t.Errorf("rows that come together give %d results, or others, not the %d that they give alone", len(got[0]), len(got[1]))
	}
}

// Sessions leave by their ends, also where more of them are due at once than are looked at together and timers are of ends that have moved since.
func TestSessionsLeaveByTheirEnds(t *testing.T) {
	b := newBench(t, one(t, "totals", totalsWithin(sdk.Session(10*time.Millisecond), false, 200*time.Millisecond)))
	r := rand.New(rand.NewPCG(3, 4))
	text := func(user, at int) string {
		return fmt.Sprintf("'u%04d' 1 %s", user, time.UnixMilli(int64(at)).UTC().Format("2006-01-02 15:04:05.000"))
	}
	const users = 3000
	last := make([]int, users)
	sessions := 0
	for range 8 {
		var rows []string
		for user := range users {
			step := 1 + r.IntN(18)
			if at := last[user]; at == 0 || step > 10 {
				sessions++
			}
			last[user] += step
			rows = append(rows, text(user, last[user]))
		}
		b.push(rows...)
	}
	b.advance(150)
	if len(b.rows) != sessions {
		t.Fatalf("%d sessions, want %d", len(b.rows), sessions)
	}
	ends := func(row string) string { return strings.Join(strings.Fields(row)[4:6], " ") }
	if !slices.IsSortedFunc(b.rows, func(x, y string) int { return strings.Compare(ends(x), ends(y)) }) {
		t.Error("sessions that end later leave before others")
	}
	b.advance(400)
	if _, n := b.freeze(true); n != 0 || len(b.rows) != sessions {
		t.Errorf("%d rows of state are left, and %d rows left", n, len(b.rows)-sessions)
	}
	b.close()
}

// A row of windows costs no allocation: those of a batch do not grow with its rows.
func TestWindowsDoNotAllocateByRow(t *testing.T) {
	for _, c := range windowBenches {
		f := newFeed(t, c)
		for range 64 {
			f.next()
		}
		allocs := testing.AllocsPerRun(64, f.next)
		if most := float64(f.in[0].Rows()) / 10; allocs > most {
			t.Errorf("%s: %.0f allocations a batch of %d rows", c.name, allocs, f.in[0].Rows())
		}
		t.Logf("%s: %.0f allocations a batch, %.2f results a row", c.name, allocs, float64(f.given)/float64(f.rows))
		f.end()
	}
}

// A time so far away that windows around it have no bounds fails the job, with its row.
func TestTimesBeyondWindows(t *testing.T) {
	for _, w := range allWindows {
		f := newFeed(t, windowBench{window: w, keys: 10})
		f.next()
		stream.Values[int64](&f.in[0].Columns[2])[300] = -1<<62 - 1
		f.check(f.op.Process(0, f.in[0]))
		_, err := f.op.Next()
		for _, want := range []string{"aggregate totals (windowstate_test.go:", "beyond the times that windows cover", "Page:300"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v\nhas no %q", err, want)
			}
		}
		f.end()
	}
}

// windowBench is a run of rows, one every millisecond, of many keys, with event time behind them.
type windowBench struct {
	name     string
	window   sdk.Window
	lateness time.Duration
	keys     int64
	back     int64 // how many milliseconds rows may be behind, and event time is
	late     int64 // every so many rows one is behind event time; 0: none
}

var windowBenches = []windowBench{
	{name: "tumble", window: sdk.Tumble(8 * time.Second), keys: 1000},
	{name: "tumble within lateness", window: sdk.Tumble(8 * time.Second), keys: 1000, lateness: 10 * time.Second},
	{name: "tumble, 1 of 100 late", window: sdk.Tumble(8 * time.Second), keys: 1000, lateness: 10 * time.Second, late: 100},
	{name: "session", window: sdk.Session(8 * time.Second), keys: 1000},
	{name: "session within lateness", window: sdk.Session(8 * time.Second), keys: 1000, lateness: 10 * time.Second},
	{name: "session, 1 of 100 late", window: sdk.Session(8 * time.Second), keys: 1000, lateness: 10 * time.Second, late: 100},
	{name: "session, out of order", window: sdk.Session(8 * time.Second), keys: 1000, back: 1000},
	{name: "tumble, a result a row", window: sdk.Tumble(100 * time.Millisecond), keys: 1000},
	{name: "session a row", window: sdk.Session(100 * time.Millisecond), keys: 1000},
	{name: "session a row, several open", window: sdk.Session(100 * time.Millisecond), keys: 1000, back: 5000},
}

// feed gives batches of it to an operator.
type feed struct {
	*bench
	c    windowBench
	r    *rand.Rand
	in   []*stream.Batch
	at   int64
	rows int64
}

func newFeed(t testing.TB, c windowBench) *feed {
	type total struct{ Clicks, Pages int64 }
	type visit struct {
		User int64
		Page int64
		At   time.Time `millrace:"at,rowtime"`
	}
	job := func(e *sdk.Env) {
		visits := sdk.From[visit](e, "visits", sdk.Connect{Name: "values"})
		windows := sdk.Windows(sdk.KeyByFields[int64](visits, "user"), c.window).AllowedLateness(c.lateness)
		sdk.Aggregate(windows, "totals", sdk.Aggregator[int64, visit, total, total]{
			Add:    func(s *total, v *visit) error { s.Clicks, s.Pages = s.Clicks+1, s.Pages+v.Page; return nil },
			Merge:  func(s, o *total) error { s.Clicks, s.Pages = s.Clicks+o.Clicks, s.Pages+o.Pages; return nil },
			Result: func(_ sdk.WindowOf[int64], s *total) (total, error) { return *s, nil },
		}).To("out", nowhere)
	}
	f := &feed{bench: newBench(t, one(t, "totals", job)), c: c, r: rand.New(rand.NewPCG(1, 2))}
	f.silent = true
	for range 4 {
		in := f.pool.NewBatch(f.bench.c.Inputs[0], stream.RowsMax)
		for i, field := range f.bench.c.Inputs[0].Fields {
			in.Columns[i] = stream.NewFixed(&f.pool, field.Type, stream.RowsMax)
		}
		f.in = append(f.in, in)
	}
	return f
}

func (f *feed) next() {
	in := f.in[f.rows/stream.RowsMax%int64(len(f.in))]
	users, pages, times := stream.Values[int64](&in.Columns[0]), stream.Values[int64](&in.Columns[1]), stream.Values[int64](&in.Columns[2])
	for i := range times {
		users[i], pages[i], times[i] = f.r.Int64N(f.c.keys), int64(i), f.at
		if f.c.back > 0 {
			times[i] -= f.r.Int64N(f.c.back)
		}
		if f.c.late > 0 && int64(i)%f.c.late == 0 {
			times[i] -= 9000 + f.r.Int64N(8000)
		}
		f.at++
	}
	f.rows += int64(len(times))
	f.process(in)
	f.advance(stream.Watermark(f.at - 1 - f.c.back))
}

func (f *feed) end() {
	f.close()
	for _, in := range f.in {
		in.Release()
	}
	if n := f.pool.Live(); n != 0 {
		f.Errorf("%d buffers and batches leak", n)
	}
}

// BenchmarkWindows is what a row costs of each sort of windows, with what its results cost.
func BenchmarkWindows(b *testing.B) {
	for _, c := range windowBenches {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			f := newFeed(b, c)
			for range 64 {
				f.next()
			}
			given, rows := f.given, f.rows
			b.ReportAllocs()
			for b.Loop() {
				f.next()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(f.rows-rows), "ns/row")
			b.ReportMetric(float64(f.given-given)/float64(f.rows-rows), "results/row")
			f.end()
		})
	}
}
