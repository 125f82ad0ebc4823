package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/connectors"
	"millrace/connectors/nexmark"
	"millrace/internal/clock"
	"millrace/jobgraph"
	"millrace/options"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/stream"
	"millrace/types"
)

const (
	slowConnector = "slow-blackhole"
	// slower is how many times slower the sink is than its source.
	slower = 100
	// freeFor is how long the source's own speed is looked at, fillFor how long a run
	// goes on before its checkpoints count.
	freeFor, fillFor = 5 * time.Second, 5 * time.Second
	alignedTimeout   = time.Second
)

// backpressureResult is the line of a run with a slow sink: the same job without and with
// barriers that overtake.
type backpressureResult struct {
	about
	SourceRowsPerSecond float64                  `json:"source_rows_per_second"` // with a sink that takes all
	SinkRowsPerSecond   float64                  `json:"sink_rows_per_second"`
	AlignedTimeoutMs    int64                    `json:"aligned_timeout_millis"`
	Aligned             []backpressureCheckpoint `json:"aligned"`
	Unaligned           []backpressureCheckpoint `json:"unaligned"`
}

// backpressureCheckpoint is one that was triggered when the channels were full.
type backpressureCheckpoint struct {
	Millis          int64 `json:"millis"`
	WrittenBytes    int64 `json:"written_bytes"`
	InFlightBytes   int64 `json:"in_flight_bytes"`
	UnalignedTasks  int32 `json:"unaligned_tasks"`
	AlignmentMillis int64 `json:"alignment_millis"`
}

func (r *backpressureResult) checkpointed() int { return len(r.Aligned) + len(r.Unaligned) }

// measureBackpressure finds out how fast the source is, and then how long checkpoints
// take with a sink that is so many times slower.
func (r run) measureBackpressure(ctx context.Context) (line, error) {
	sink := &slowSink{}
	began := clock.System().Now()
	if _, err := r.underPressure(ctx, sink, false, 0); err != nil {
		return nil, err
	}
	free := float64(sink.rows.Load()) / clock.System().Now().Sub(began).Seconds()
	sink.perSecond = max(free/slower/float64(r.parallelism), 1)
	out := &backpressureResult{
		SourceRowsPerSecond: free, SinkRowsPerSecond: sink.perSecond * float64(r.parallelism), AlignedTimeoutMs: alignedTimeout.Milliseconds(),
	}
	var err error
	if out.Aligned, err = r.underPressure(ctx, sink, false, r.checkpoints); err != nil {
		return nil, fmt.Errorf("aligned: %w", err)
	}
	if out.Unaligned, err = r.underPressure(ctx, sink, true, r.checkpoints); err != nil {
		return nil, fmt.Errorf("unaligned: %w", err)
	}
	j := &measuredJob{run: r, end: usageNow()}
	out.about = j.about(ctx, "backpressure")
	return out, nil
}

// underPressure runs the job until so many checkpoints count, or for a while where none
// are wanted.
func (r run) underPressure(ctx context.Context, sink *slowSink, unaligned bool, checkpoints int) (out []backpressureCheckpoint, err error) {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w := cluster.NewWiring(nil)
	w.Connectors.RegisterSink(slowConnector, sink.factory())
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Wiring: w, Slots: r.parallelism})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	jobs := client.Over(c.Jobs())
	submitted, err := jobs.Submit(ctx, r.backpressureGraph(unaligned), false, "bench")
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	var full time.Time // when checkpoints begin to count
	_, err = jobs.Await(ctx, submitted.JobId, func(e *apiv1.WatchJobResponse) error {
		now, wait := clock.System().Now(), fillFor
		if checkpoints == 0 {
			wait = freeFor
		}
		if e.GetState().GetState() == apiv1.JobState_JOB_STATE_RUNNING && full.IsZero() {
			full = now.Add(wait)
		}
		if f := e.GetCheckpointFailed(); f != nil {
			return fmt.Errorf("checkpoint %d failed: %s", f.CheckpointId, f.Reason)
		}
		if k := e.GetCheckpointCompleted(); k != nil && !full.IsZero() && k.Triggered.AsTime().After(full) {
			out = append(out, backpressureCheckpoint{k.DurationMillis, k.WrittenBytes, k.InFlightBytes, k.UnalignedTasks, k.AlignmentMillis})
		}
		if !full.IsZero() && now.After(full) && len(out) >= checkpoints {
			return errMeasured
		}
		return nil
	})
	if !errors.Is(err, errMeasured) {
		return nil, errors.Join(errors.New("the job ended before it was measured"), err)
	}
	return out, jobs.Cancel(ctx, submitted.JobId)
}

// backpressureGraph has bids dealt out twice, so that there are channels in front of the
// sink and in front of what feeds it.
func (r run) backpressureGraph(unaligned bool) *jobgraph.Graph {
	return &jobgraph.Graph{
		Name: "bids to a slow sink", Parallelism: r.parallelism,
		Checkpoint: jobgraph.CheckpointSpec{
			Interval: r.interval, MinPause: r.interval, Timeout: 10 * time.Minute, Unaligned: unaligned, AlignedTimeout: alignedTimeout,
		},
		Restart: jobgraph.RestartSpec{Strategy: jobgraph.RestartNone},
		Vertices: []jobgraph.Vertex{
			{ID: "bids", Name: "bids", Source: &jobgraph.SourceSpec{
				UID: "bids", Connector: nexmark.Name, Schema: bidSchema, Watermark: &jobgraph.WatermarkSpec{Column: timeColumn, Delay: 4 * time.Second},
				Options: map[string]string{
					"event-type": "bid", "events.num": strconv.FormatInt(1<<40, 10), "first-event.rate": strconv.FormatInt(r.rate, 10),
					"splits": strconv.Itoa(r.parallelism),
				},
			}},
			{ID: "between", Name: "between"},
			{ID: "sink", Name: "sink", Sink: &jobgraph.SinkSpec{UID: "sink", Connector: slowConnector}},
		},
		Edges: []jobgraph.Edge{
			{From: "bids", To: "between", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance}},
			{From: "between", To: "sink", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{auctionColumn}}},
		},
	}
}

// slowSink drops rows, so many a second and writer. A checkpoint waits for the rows that
// it has taken.
type slowSink struct {
	perSecond float64 // 0: as many as come
	rows      atomic.Int64
}

func (s *slowSink) factory() connectors.SinkFactory {
	return connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return options.Spec{Name: slowConnector}, nil },
		Open:    func(map[string]string, *types.Schema) (connectors.Sink, error) { return s, nil },
	}
}

// Writer implements connectors.Sink.
func (s *slowSink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	return &slowWriter{sink: s, ctx: ctx, closed: make(chan struct{})}, nil
}

// Committer implements connectors.Sink.
func (s *slowSink) Committer(connectors.CommitterContext) (connectors.Committer, error) {
	return nil, nil
}

type slowWriter struct {
	sink   *slowSink
	ctx    connectors.WriterContext
	closed chan struct{}
	wait   sync.WaitGroup
	busy   atomic.Bool
}

// Ready implements connectors.Writer.
func (w *slowWriter) Ready() bool { return !w.busy.Load() }

// Write implements connectors.Writer.
func (w *slowWriter) Write(b *stream.Batch) error {
	w.sink.rows.Add(int64(b.Rows()))
	if w.sink.perSecond == 0 {
		return nil
	}
	w.busy.Store(true)
	written := w.ctx.Clock.After(time.Duration(float64(b.Rows()) / w.sink.perSecond * float64(time.Second)))
	w.wait.Go(func() {
		select {
		case <-written:
		case <-w.closed:
		}
		w.busy.Store(false)
		w.ctx.Waker.Wake()
	})
	return nil
}

// Prepare implements connectors.Writer.
func (w *slowWriter) Prepare(types.CheckpointID) error { return nil }

// Prepared implements connectors.Writer.
func (w *slowWriter) Prepared(types.CheckpointID) ([][]byte, bool, error) {
	return nil, !w.busy.Load(), nil
}

// CheckpointComplete implements connectors.Writer.
func (w *slowWriter) CheckpointComplete(types.CheckpointID) {}

// CheckpointAborted implements connectors.Writer.
func (w *slowWriter) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer.
func (w *slowWriter) Close() error {
	close(w.closed)
	w.wait.Wait()
	return nil
}
