package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/connectors"
	"millrace/connectors/nexmark"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
)

// measure carries a run out and checks its answer.
func (r run) measure(ctx context.Context) (line, error) {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	job := &measuredJob{run: r, graph: r.graph(), source: nexmark.Factory, gate: newGate(r.parallelism), sink: &checkedSink{}}
	if err := job.execute(ctx, dir); err != nil {
		return nil, err
	}
	want, err := r.expected(ctx)
	if err != nil {
		return nil, fmt.Errorf("direct computation: %w", err)
	}
	if err := job.sink.compare(want); err != nil {
		return nil, err
	}
	out := job.result(ctx)
	debug.FreeOSMemory() // the next run begins where this one began
	return out, nil
}

// measuredJob is a run under way.
type measuredJob struct {
	run
	graph  *jobgraph.Graph
	source connectors.SourceFactory // of gatedConnector
	gate   *gate
	sink   *checkedSink

	start, end  usage
	checkpoints []*apiv1.CheckpointDescription
}

// execute runs the job on a cluster of its own.
func (j *measuredJob) execute(ctx context.Context, dir string) (err error) {
	wiring := cluster.NewWiring(nil)
	wiring.Connectors.RegisterSource(gatedConnector, j.gate.before(j.source))
	wiring.Connectors.RegisterSink(checkedConnector, j.sink.factory())
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Wiring: wiring, Slots: j.slots(), Remote: j.remote})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	jobs := client.Over(c.Jobs())
	submitted, err := jobs.Submit(ctx, j.graph, false, "bench")
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- j.begin(ctx) }()
	last, err := jobs.Await(ctx, submitted.JobId, j.see)
	j.end = usageNow()
	cancel()
	err = errors.Join(err, <-started)
	if j.profile != "" {
		pprof.StopCPUProfile()
	}
	if err == nil && last.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		err = fmt.Errorf("the job ended as %s: %s", last.Summary.State, last.Summary.Failure)
	}
	return err
}

// slots returns how many a task manager has: enough for all tasks, or so few that
// they run on several.
func (r run) slots() int {
	if r.remote {
		return (r.parallelism + 1) / 2
	}
	return r.parallelism
}

// begin opens the gate when everybody stands before it, and starts the clock.
func (j *measuredJob) begin(ctx context.Context) error {
	select {
	case <-j.gate.ready:
	case <-ctx.Done():
		return errors.New("the job ended before its sources were ready")
	}
	if err := j.startProfile(); err != nil {
		return err
	}
	runtime.GC()
	j.start = usageNow()
	j.gate.open()
	return nil
}

// see notes checkpoints.
func (j *measuredJob) see(e *apiv1.WatchJobResponse) error {
	if c := e.GetCheckpointCompleted(); c != nil {
		j.checkpoints = append(j.checkpoints, c)
	}
	if f := e.GetCheckpointFailed(); f != nil {
		return fmt.Errorf("checkpoint %d failed: %s", f.CheckpointId, f.Reason)
	}
	return nil
}

// about says what was measured, where and when.
func (j *measuredJob) about(ctx context.Context, scenario string) about {
	return about{
		Scenario: scenario, Command: command(), Commit: commit(ctx), Machine: machine(), Time: j.end.at.UTC().Format(time.RFC3339),
		Parallelism: j.parallelism, PreAggregation: j.preAggregation, Remote: j.remote,
	}
}

func (j *measuredJob) result(ctx context.Context) *result {
	n := float64(j.sink.bids)
	wall, cpu := j.end.at.Sub(j.start.at), j.end.cpu-j.start.cpu
	out := &result{
		about: j.about(ctx, "prepared-bids"), EventRate: j.rate,
		Events: j.sink.bids, RowsOut: j.sink.rows, Seconds: wall.Seconds(), CPUSeconds: cpu.Seconds(),
		EventsPerSecond: n / wall.Seconds(), EventsPerCPUSecond: n / cpu.Seconds(),
		AllocsPerEvent: float64(j.end.mallocs-j.start.mallocs) / n, Collections: j.end.collections - j.start.collections,
		PeakResidentBytes: j.end.residentMax, CheckpointSeconds: j.interval.Seconds(), AnswerChecked: true,
	}
	for _, c := range j.checkpoints {
		out.Checkpoints = append(out.Checkpoints, checkpoint{c.DurationMillis, c.WrittenBytes, c.StateBytes})
	}
	return out
}
