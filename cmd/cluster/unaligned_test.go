package cluster_test

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/connectors"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/stream"
	"millrace/types"
)

// slowCollect is a collection that takes a second for so many rows.
type slowCollect struct {
	*collect
	rowsPerSecond int
}

func (s *slowCollect) factory() connectors.SinkFactory {
	f := s.collect.factory()
	f.Open = func(map[string]string, *types.Schema) (connectors.Sink, error) { return s, nil }
	return f
}

func (s *slowCollect) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	w, err := s.collect.Writer(ctx)
	life, end := context.WithCancel(context.Background())
	return &slowWriter{Writer: w, sink: s, ctx: ctx, life: life, end: end}, err
}

type slowWriter struct {
	connectors.Writer
	sink *slowCollect
	ctx  connectors.WriterContext
	life context.Context //nolint:containedctx // of the writer: it ends with Close
	end  context.CancelFunc
	wait sync.WaitGroup
	busy atomic.Bool
}

func (w *slowWriter) Ready() bool { return !w.busy.Load() }

func (w *slowWriter) Write(b *stream.Batch) error {
	w.busy.Store(true)
	took := w.ctx.Clock.After(time.Duration(b.Rows()) * time.Second / time.Duration(w.sink.rowsPerSecond))
	w.wait.Go(func() {
		select {
		case <-took:
		case <-w.life.Done():
		}
		w.busy.Store(false)
		w.ctx.Waker.Wake()
	})
	return w.Writer.Write(b)
}

func (w *slowWriter) Close() error {
	w.end()
	w.wait.Wait()
	return w.Writer.Close()
}

// plain is the bids' job without windows: every bid comes out. Its last vertex is called as that of the windows.
func (b bids) plain() *jobgraph.Graph {
	g := b.graph()
	g.Vertices[1].Operators = nil
	return g
}

// TestSlowSinksGetEveryRowOnce: with a sink that is far slower than its source, every checkpoint's barrier stands behind
// rows and overtakes them; task managers are killed and the job moves to other parallelisms, and the rows that were in
// flight come out once like all others.
func TestSlowSinksGetEveryRowOnce(t *testing.T) {
	b := bids{events: 60_000, parallelism: 2, rate: 15_000, limited: true, interval: 100 * time.Millisecond}
	want := newCollect()
	c := start(t, want, cluster.Options{})
	if s := watch(t, c, submitAs(t, c, b.plain(), "fast"), nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	for name, o := range map[string]cluster.Options{"rings": {RowsMax: 128}, "gRPC": {RowsMax: 128, Remote: true}} {
		t.Run(name, func(t *testing.T) {
			got := &slowCollect{newCollect(), 4_000}
			c := startWith(t, o, func(w *cluster.Wiring) { w.Connectors.RegisterSink("collected", got.factory()) })
			g := b.plain()
			g.Checkpoint.Unaligned, g.Checkpoint.AlignedTimeout = true, 20*time.Millisecond
			disturb(t, c, submit(t, c, g))
			if !maps.Equal(got.rows(), want.rows()) {
				t.Errorf("%d different rows came out, want %d; or they came out another number of times", len(got.rows()), len(want.rows()))
			}
		})
	}
}

// disturb kills and moves a job at checkpoints with rows in flight, and sees to its end.
func disturb(t *testing.T, c *cluster.Cluster, id string) {
	t.Helper()
	to := func(p int32) func() {
		return func() {
			if _, err := c.Jobs().RescaleJob(t.Context(), &apiv1.RescaleJobRequest{JobId: id, Parallelism: p}); err != nil {
				t.Error(err)
			}
		}
	}
	kill := func() {
		victim := types.TaskManagerID(describe(t, c, id).Tasks[0].TaskManagerId)
		if err := c.KillTaskManager(victim); err != nil {
			t.Error(err)
		}
		if err := c.StartTaskManager(victim); err != nil {
			t.Error(err)
		}
	}
	steps := []step{{kill, 2}, {to(1), 1}, {kill, 1}, {to(3), 3}, {kill, 3}}
	next, runs := 0, 2
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		done := e.GetCheckpointCompleted()
		if done == nil || done.UnalignedTasks == 0 || done.InFlightBytes == 0 || next == len(steps) || width(t, c, id) != runs {
			return
		}
		steps[next].do()
		runs = steps[next].runs
		next++
	})
	if next < len(steps) {
		t.Errorf("the job ended before step %d of %d at a checkpoint with rows in flight", next, len(steps))
	}
	if s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Errorf("job ended as %s", s)
	}
}
