package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/stream"
	"millrace/types"
)

// bids is a bounded job: Nexmark bids, counted by auction in windows of 10 s.
type bids struct {
	events      int
	parallelism int
	local       bool // pre-aggregation
	rate        int
	limited     bool
	interval    time.Duration
	window      time.Duration // 0: 10 s
	// cold makes few bids go to the hot auctions: more keys, more state.
	cold bool
}

func (b bids) graph() *jobgraph.Graph {
	schema := types.NewSchema(
		types.Field{Name: "auction", Type: types.Of(types.BigInt)}, types.Field{Name: "price", Type: types.Of(types.BigInt)},
		types.Field{Name: "dateTime", Type: types.TimestampOf(3)})
	agg := jobgraph.WindowAggregateSpec{
		Keys: []int{0}, Time: 2, Window: jobgraph.WindowSpec{Size: 10 * time.Second},
		Aggregates: []jobgraph.AggregateCall{
			{Func: "COUNT", Arg: jobgraph.CountStar, Name: "n"}, {Func: "SUM", Arg: 1, Name: "total"}, {Func: "MAX", Arg: 1, Name: "highest"},
		},
	}
	source := jobgraph.Vertex{ID: "bids", Name: "bids", Source: &jobgraph.SourceSpec{
		UID: "bids-source", Connector: "nexmark", Schema: schema,
		Options: map[string]string{
			"event-type": "bid", "events.num": strconv.Itoa(b.events), "first-event.rate": strconv.Itoa(b.rate),
			"rate.limited": strconv.FormatBool(b.limited), "splits": "3",
		},
		Watermark: &jobgraph.WatermarkSpec{Column: 2, Delay: 4 * time.Second},
	}}
	if b.window > 0 {
		agg.Window.Size = b.window
	}
	if b.cold {
		source.Source.Options["bid.hot-ratio.auctions"] = "1"
	}
	window := agg
	if b.local {
		source.Operators = []jobgraph.OperatorSpec{{UID: "local", Body: (*jobgraph.LocalAggregateSpec)(&agg)}}
		window.Partial, window.Input = true, schema
	}
	return &jobgraph.Graph{
		Name: "bids per auction", Parallelism: b.parallelism,
		Checkpoint: jobgraph.CheckpointSpec{Interval: b.interval, TolerableFailures: 3},
		Restart:    jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: 100, Delay: 10 * time.Millisecond},
		Vertices: []jobgraph.Vertex{source, {
			ID: "windows", Name: "windows", Operators: []jobgraph.OperatorSpec{{UID: "window", Body: &window}},
			Sink: &jobgraph.SinkSpec{UID: "sink", Connector: "collected"},
		}},
		Edges: []jobgraph.Edge{{From: "bids", To: "windows", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}}},
	}
}

func start(t *testing.T, sink *collect, o cluster.Options) *cluster.Cluster {
	t.Helper()
	return startWith(t, o, func(w *cluster.Wiring) { w.Connectors.RegisterSink("collected", sink.factory()) })
}

// startWith starts a cluster, in a folder of its own if none is named, whose jobs may name what wire adds.
func startWith(t *testing.T, o cluster.Options, wire func(*cluster.Wiring)) *cluster.Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Wiring = cluster.NewWiring(nil)
	wire(o.Wiring)
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if n := c.Pool().Live(); n != 0 && !t.Failed() {
			t.Errorf("%d buffers are not given back", n)
		}
	})
	return c
}

// submit submits a graph under the name of the test, waiting for a leader.
func submit(t *testing.T, c *cluster.Cluster, g *jobgraph.Graph) string {
	t.Helper()
	return submitAs(t, c, g, t.Name())
}

// submitAs submits a graph under an idempotency key, waiting for a leader.
func submitAs(t *testing.T, c *cluster.Cluster, g *jobgraph.Graph, key string) string {
	t.Helper()
	p, err := codec.ToProto(g)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		r, err := c.Jobs().SubmitJob(ctx, &apiv1.SubmitJobRequest{Graph: p, IdempotencyKey: key})
		if err == nil {
			return r.JobId
		}
		if !strings.Contains(err.Error(), "does not lead") {
			t.Fatal(err)
		}
	}
}

// watch calls see for every event until the job has ended, and returns its last state.
func watch(t *testing.T, c *cluster.Cluster, id string, see func(*apiv1.WatchJobResponse)) apiv1.JobState {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w, err := c.Jobs().WatchJob(ctx, &apiv1.WatchJobRequest{JobId: id})
	if err != nil {
		t.Fatal(err)
	}
	var last apiv1.JobState
	for {
		e, err := w.Recv()
		if errors.Is(err, io.EOF) {
			if found := describe(t, c, id).LedgerDiscrepancies; len(found) > 0 {
				t.Errorf("rows are not accounted for: %q", found)
			}
			if testing.Verbose() {
				d, err := c.Jobs().DescribeJob(t.Context(), &apiv1.DescribeJobRequest{JobId: id})
				t.Log(d, err)
			}
			return last
		}
		if err != nil {
			d, derr := c.Jobs().DescribeJob(t.Context(), &apiv1.DescribeJobRequest{JobId: id})
			t.Fatalf("%v\n%v %v", err, d, derr)
		}
		if s := e.GetState(); s != nil {
			last = s.State
			t.Logf("%s %s", s.State, s.Reason)
		}
		if see != nil {
			see(e)
		}
	}
}

// check compares the windows with those that the generator's events make.
func check(t *testing.T, sink *collect, b bids) {
	t.Helper()
	expectWindows(t, sink.rows(), b)
}

func TestBoundedJobFinishes(t *testing.T) {
	for _, local := range []bool{false, true} {
		for _, p := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("local=%v,p=%d", local, p), func(t *testing.T) {
				sink := newCollect()
				c := start(t, sink, cluster.Options{Remote: p == 4})
				b := bids{events: 100_000, parallelism: p, local: local, rate: 1000, interval: 50 * time.Millisecond}
				if s := watch(t, c, submit(t, c, b.graph()), nil); s != apiv1.JobState_JOB_STATE_FINISHED {
					t.Fatalf("job ended as %s", s)
				}
				check(t, sink, b)
			})
		}
	}
}

func TestTaskManagerLostInTheMiddle(t *testing.T) {
	for name, o := range map[string]cluster.Options{"rings": {RowsMax: stream.RowsMax}, "gRPC": {Remote: true, Slots: 1}} {
		t.Run(name, func(t *testing.T) { loseTaskManagers(t, o) })
	}
}

func loseTaskManagers(t *testing.T, o cluster.Options) {
	sink := newCollect()
	c := start(t, sink, o)
	b := bids{events: 200_000, parallelism: 2, local: true, rate: 50_000, limited: true, interval: 100 * time.Millisecond}
	id := submit(t, c, b.graph())
	killed, restarts := 0, 0
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		if e.GetRestarted() != nil {
			restarts++
		}
		if e.GetCheckpointCompleted() == nil || killed >= 2 || restarts < killed {
			return
		}
		killed++
		d, err := c.Jobs().DescribeJob(t.Context(), &apiv1.DescribeJobRequest{JobId: id})
		if err != nil {
			t.Fatal(err)
		}
		victim := types.TaskManagerID(d.Tasks[0].TaskManagerId)
		if err := c.KillTaskManager(victim); err != nil {
			t.Error(err)
		}
		if err := c.StartTaskManager(victim); err != nil {
			t.Error(err)
		}
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	if restarts < 2 {
		t.Errorf("%d restarts, want at least 2", restarts)
	}
	check(t, sink, b)
}
