package cluster_test

import (
	"sync"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/connectors"
	"millrace/connectors/nexmark"
	"millrace/expr"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/stream"
	"millrace/types"
)

// counted is the Nexmark source, with the rows that its readers gave by attempt and subtask.
type counted struct {
	mu struct {
		sync.Mutex
		given map[reading]int64
	}
}

type reading struct {
	attempt types.Attempt
	subtask int32
}

func (c *counted) factory() connectors.SourceFactory {
	f := nexmark.Factory
	f.Open = func(given map[string]string, s *types.Schema) (connectors.Source, error) {
		source, err := nexmark.Open(given, s)
		return countedSource{source, c}, err
	}
	return f
}

type countedSource struct {
	connectors.Source
	counted *counted
}

func (s countedSource) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	r, err := s.Source.Reader(ctx)
	return &countedReader{r, s.counted, reading{ctx.Attempt, ctx.Subtask}}, err
}

type countedReader struct {
	connectors.Reader
	counted *counted
	reading reading
}

func (r *countedReader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	b, s, err := r.Reader.Read()
	if b != nil {
		r.counted.mu.Lock()
		r.counted.mu.given[r.reading] += int64(b.Rows())
		r.counted.mu.Unlock()
	}
	return b, s, err
}

// balanceGraph filters shuffled bids and counts them twice: raw, with the late ones sent aside, and pre-aggregated.
func balanceGraph(t *testing.T) *jobgraph.Graph {
	t.Helper()
	g := bids{parallelism: 2, interval: 50 * time.Millisecond}.graph()
	source := g.Vertices[0].Source
	source.Connector = "counted"
	source.Options = map[string]string{
		"event-type": "bid", "events.num": "150000", "first-event.rate": "50000", "rate.limited": "true", "splits": "3",
		"out-of-order.group-size": "50000",
	}
	source.Watermark.Delay = time.Millisecond
	window := g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)
	window.Window.Size = 500 * time.Millisecond
	local, global, raw := *window, *window, *window
	global.Partial, global.Input = true, source.Schema
	raw.LateOutput = true
	sink := func(id types.VertexID) *jobgraph.SinkSpec {
		return &jobgraph.SinkSpec{UID: types.OperatorUID(id + "-sink"), Connector: "blackhole"}
	}
	chain := func(o jobgraph.OperatorSpec) []jobgraph.OperatorSpec { return []jobgraph.OperatorSpec{o} }
	byAuction := jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}
	anywhere := jobgraph.Partitioning{Kind: jobgraph.Rebalance}
	g.Vertices = []jobgraph.Vertex{
		{ID: "bids", Source: source, Operators: chain(jobgraph.OperatorSpec{UID: "even", Body: even(t, source.Schema)})},
		{ID: "windows", Operators: chain(jobgraph.OperatorSpec{UID: "raw", Body: &raw})},
		{ID: "fired", Sink: sink("fired")},
		{ID: "late", Sink: sink("late")},
		{ID: "partials", Operators: chain(jobgraph.OperatorSpec{UID: "local", Body: (*jobgraph.LocalAggregateSpec)(&local)})},
		{ID: "totals", Operators: chain(jobgraph.OperatorSpec{UID: "global", Body: &global}), Sink: sink("totals")},
	}
	g.Edges = []jobgraph.Edge{
		{From: "bids", To: "windows", Partitioning: byAuction},
		{From: "bids", To: "partials", Partitioning: anywhere},
		{From: "windows", To: "fired", Partitioning: anywhere},
		{From: "windows", Port: 1, To: "late", Partitioning: anywhere},
		{From: "partials", To: "totals", Partitioning: byAuction},
	}
	return g
}

// even keeps the bids of an even price.
func even(t *testing.T, s *types.Schema) *jobgraph.CalcSpec {
	t.Helper()
	reg := expr.Builtins()
	of := func(name string, args ...expr.Expr) expr.Expr {
		c, err := expr.NewCall(reg, name, args...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	column := func(i int) expr.Expr { return &expr.Column{Index: i, Name: s.Fields[i].Name, T: s.Fields[i].Type} }
	number := func(n int64) expr.Expr { return &expr.Literal{T: types.Of(types.BigInt).NotNull(), Value: n} }
	c := &jobgraph.CalcSpec{Filter: of("=", of("%", column(1), number(2)), number(0))}
	for i, f := range s.Fields {
		c.Columns = append(c.Columns, jobgraph.Projection{Name: f.Name, Expr: column(i)})
	}
	return c
}

// figures adds up what the tasks of each vertex report.
func figures(d *apiv1.DescribeJobResponse) map[string]*controlv1.TaskProgress {
	out := make(map[string]*controlv1.TaskProgress)
	for _, task := range d.Tasks {
		v := out[task.VertexId]
		if v == nil {
			v = &controlv1.TaskProgress{}
			out[task.VertexId] = v
		}
		p := task.Progress
		v.RecordsIn += p.GetRecordsIn()
		v.RecordsOut += p.GetRecordsOut()
		v.Filtered += p.GetFiltered()
		v.Folded += p.GetFolded()
		v.Late += p.GetLate()
		v.Expired += p.GetExpired()
		v.Skipped += p.GetSkipped()
		v.DeadLetters += p.GetDeadLetters()
	}
	return out
}

// TestFiguresOfARunningJobBalance: behind a restart, the figures of the last attempt add up over every operator and every
// edge, and those of the sources are what their readers gave.
func TestFiguresOfARunningJobBalance(t *testing.T) {
	source := &counted{}
	source.mu.given = make(map[reading]int64)
	wiring := cluster.NewWiring(nil)
	wiring.Connectors.RegisterSource("counted", source.factory())
	c, err := cluster.Start(t.Context(), cluster.Options{Dir: t.TempDir(), Wiring: wiring})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	id := submit(t, c, balanceGraph(t))
	state := watch(t, c, id, afterCheckpoint(func() {
		victim := types.TaskManagerID(describe(t, c, id).Tasks[0].TaskManagerId)
		if err := c.KillTaskManager(victim); err != nil {
			t.Error(err)
		}
		if err := c.StartTaskManager(victim); err != nil {
			t.Error(err)
		}
	}))
	d := describe(t, c, id)
	if state != apiv1.JobState_JOB_STATE_FINISHED || d.Summary.Restarts < 1 {
		t.Fatalf("job ended as %s after %d restarts, want it finished after one", state, d.Summary.Restarts)
	}
	expectGiven(t, source, d)
	expectBalance(t, figures(d))
}

// expectGiven compares each source task's figure with what its reader gave in the last attempt.
func expectGiven(t *testing.T, source *counted, d *apiv1.DescribeJobResponse) {
	t.Helper()
	source.mu.Lock()
	defer source.mu.Unlock()
	for _, task := range d.Tasks {
		given := source.mu.given[reading{types.Attempt(d.Attempt), task.Subtask}]
		if got := task.Progress.GetRecordsIn(); task.VertexId == "bids" && (got != given || given == 0) {
			t.Errorf("source task %d counts %d rows, its reader gave %d", task.Subtask, got, given)
		}
	}
}

func expectBalance(t *testing.T, v map[string]*controlv1.TaskProgress) {
	t.Helper()
	same := func(what string, left, right int64) {
		if left != right {
			t.Errorf("%s: %d and %d", what, left, right)
		}
	}
	bids, windows, partials, totals := v["bids"], v["windows"], v["partials"], v["totals"]
	same("bids out, windows in", bids.RecordsOut, windows.RecordsIn)
	same("bids out, partials in", bids.RecordsOut, partials.RecordsIn)
	same("windows out by both ports, fired and late in", windows.RecordsOut, v["fired"].RecordsIn+v["late"].RecordsIn)
	same("windows late, late in", windows.Late, v["late"].RecordsIn)
	same("partials out, totals in", partials.RecordsOut, totals.RecordsIn)

	same("filter: in, out and filtered", bids.RecordsIn, bids.RecordsOut+bids.Filtered)
	same("window: in, folded and late", windows.RecordsIn, windows.Folded+windows.Late)
	same("local aggregate: in, out and folded", partials.RecordsIn, partials.RecordsOut+partials.Folded)
	same("window behind it: raw rows, folded and late", partials.RecordsIn, totals.Folded+totals.Late)
	same("sink: in and out", v["fired"].RecordsIn, v["fired"].RecordsOut)
	same("sink of late rows: in and out", v["late"].RecordsIn, v["late"].RecordsOut)
	for name, p := range v {
		if p.Expired != 0 || p.Skipped != 0 || p.DeadLetters != 0 {
			t.Errorf("%s: %v", name, p)
		}
	}
	// A balance of nothing says nothing.
	for name, n := range map[string]int64{
		"filtered": bids.Filtered, "late": windows.Late, "folded": windows.Folded, "fired": v["fired"].RecordsIn,
		"folded before the exchange": partials.Folded, "late behind a partial row": totals.Late, "totals": totals.RecordsOut,
	} {
		if n == 0 {
			t.Errorf("no row is %s", name)
		}
	}
}
