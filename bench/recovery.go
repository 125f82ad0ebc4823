package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/connectors/nexmark"
	"millrace/internal/clock"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
)

const (
	// recoveryWindow keeps every key of a run in state.
	recoveryWindow = time.Hour
	// recoveryPause lies between the end of a task manager and the start of the next.
	recoveryPause = 200 * time.Millisecond
	bidderColumn  = 1
)

// recoveryResult is the line of a run in which a task manager is killed.
type recoveryResult struct {
	about
	StateBytes        int64   `json:"state_bytes"`          // in the checkpoint that is restored
	RunningSeconds    float64 `json:"running_seconds"`      // from the kill until every task runs
	CheckpointSeconds float64 `json:"next_checkpoint_secs"` // from the kill until the next checkpoint is complete
	Restarts          int32   `json:"restarts"`
	Failure           string  `json:"failure"` // what the job says of it
}

func (r *recoveryResult) checkpointed() int { return checkpointsWanted + 1 }

// measureRecovery grows the main job's state by auction and bidder in two task
// managers that are processes, kills one of them with SIGKILL, starts another in
// its place, and measures until every task of the job runs again.
func (r run) measureRecovery(ctx context.Context) (_ line, err error) {
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	j := &measuredJob{run: r, graph: r.recoveryGraph(), sink: &checkedSink{}}
	s, err := cluster.Start(ctx, cluster.Options{Dir: dir, Wiring: j.wiring(), Cluster: crossingCluster, TaskManagers: cluster.NoTaskManagers})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	k := &killing{measuredJob: j, cluster: s, dir: dir, crew: newCrew(r.parallelism + 1)}
	defer k.crew.dismiss()
	for i := range r.parallelism {
		if err := k.hireOne(i); err != nil {
			return nil, err
		}
	}
	jobs := client.Over(s.Jobs())
	submitted, err := jobs.Submit(ctx, j.graph, false, "bench")
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	if _, err := jobs.Await(ctx, submitted.JobId, k.see); !errors.Is(err, errMeasured) {
		return nil, errors.Join(errors.New("the job ended before it was measured: ask for more bids"), err)
	}
	d, err := jobs.Describe(ctx, submitted.JobId)
	if err != nil {
		return nil, err
	}
	if err := jobs.Cancel(ctx, submitted.JobId); err != nil {
		return nil, err
	}
	return k.result(ctx, d), nil
}

var errMeasured = errors.New("measured")

// killing is a run of recovery under way.
type killing struct {
	*measuredJob
	cluster *cluster.Cluster
	dir     string
	crew    *crew

	state                        int64
	killed, running, checkpoints time.Time
}

// wiring names what a graph of these runs may, for the job manager.
func (j *measuredJob) wiring() *cluster.Wiring {
	w := cluster.NewWiring(nil)
	w.Connectors.RegisterSource(gatedConnector, nexmark.Factory)
	w.Connectors.RegisterSink(checkedConnector, j.sink.factory())
	return w
}

// recoveryGraph is the main job by auction and bidder, in windows that stay open.
func (r run) recoveryGraph() *jobgraph.Graph {
	g := r.graph()
	source := g.Vertices[0].Source
	source.Connector = nexmark.Name
	delete(source.Options, "prepared-batches") // new keys all the time
	source.Options["bid.hot-ratio.auctions"], source.Options["bid.hot-ratio.bidders"] = "1", "1"
	source.Options["rate.limited"] = strconv.FormatBool(r.rate > 0)
	window := g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)
	window.Keys, window.Window.Size = []int{auctionColumn, bidderColumn}, recoveryWindow
	g.Edges[0].Keys = window.Keys
	g.Restart = jobgraph.RestartSpec{Strategy: jobgraph.RestartExponentialDelay}
	g.Checkpoint.TolerableFailures = 3
	return g
}

func (k *killing) hireOne(i int) error {
	id := fmt.Sprintf("tm-%d", i+1)
	own := filepath.Join(k.dir, id)
	if err := os.MkdirAll(own, 0o750); err != nil {
		return err
	}
	return k.crew.start(id, []string{workerCommand, "-id", id, "-job-manager", k.cluster.Address(), "-blobs", k.cluster.Blobs, "-dir", own})
}

// see kills a task manager once the state is large enough, and notes what follows.
func (k *killing) see(e *apiv1.WatchJobResponse) error {
	now := clock.System().Now()
	switch c := e.GetCheckpointCompleted(); {
	case k.killed.IsZero() && c != nil && c.StateBytes >= k.stateBytes:
		k.state = c.StateBytes
		return k.strike()
	case !k.killed.IsZero() && k.running.IsZero() && e.GetState().GetState() == apiv1.JobState_JOB_STATE_RUNNING:
		k.running = now
	case !k.running.IsZero() && c != nil:
		k.checkpoints = now
		return errMeasured
	}
	return nil
}

func (k *killing) strike() error {
	last := k.parallelism - 1
	k.killed = clock.System().Now()
	k.crew.workers[last].process.Kill()
	<-clock.System().After(recoveryPause)
	return k.hireOne(last)
}

func (k *killing) result(ctx context.Context, d *apiv1.DescribeJobResponse) *recoveryResult {
	k.end.at = k.checkpoints
	out := &recoveryResult{
		about: k.about(ctx, "recovery"), StateBytes: k.state, RunningSeconds: k.running.Sub(k.killed).Seconds(),
		CheckpointSeconds: k.checkpoints.Sub(k.killed).Seconds(), Restarts: d.Summary.Restarts,
	}
	if n := len(d.RecentFailures); n > 0 {
		out.Failure = d.RecentFailures[n-1]
	}
	return out
}
