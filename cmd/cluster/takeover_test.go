package cluster_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"millrace/cmd/cluster"
	"millrace/connectors"
	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// broken is a sink that refuses to open: its job fails for good.
type broken struct{ *collect }

func (broken) Writer(connectors.WriterContext) (connectors.Writer, error) {
	return nil, failure.Userf("the sink is broken")
}

// runOn calls do with a cluster on a folder, and ends the cluster.
func runOn(t *testing.T, dir string, sink *collect, do func(*cluster.Cluster)) {
	t.Helper()
	runWith(t, dir, sink, cluster.Options{}, do)
}

// runWith is runOn with options.
func runWith(t *testing.T, dir string, sink *collect, o cluster.Options, do func(*cluster.Cluster)) {
	t.Helper()
	o.Dir, o.Wiring = dir, cluster.NewWiring(nil)
	o.Wiring.Connectors.RegisterSink("collected", sink.factory())
	refuses := sink.factory()
	refuses.Open = func(map[string]string, *types.Schema) (connectors.Sink, error) { return broken{sink}, nil }
	o.Wiring.Connectors.RegisterSink("broken", refuses)
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	do(c)
}

func describe(t *testing.T, c *cluster.Cluster, id string) *apiv1.DescribeJobResponse {
	t.Helper()
	d, err := c.Jobs().DescribeJob(t.Context(), &apiv1.DescribeJobRequest{JobId: id})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEndedJobsOutliveTheirLeader: the next leader lists and describes what
// ended before its term as far as it is durable, and refuses to end it again.
func TestEndedJobsOutliveTheirLeader(t *testing.T) {
	ended := map[string]apiv1.JobState{
		"finished": apiv1.JobState_JOB_STATE_FINISHED, "canceled": apiv1.JobState_JOB_STATE_CANCELED, "failed": apiv1.JobState_JOB_STATE_FAILED,
	}
	dir, sink := t.TempDir(), newCollect()
	before := make(map[string]*apiv1.DescribeJobResponse)
	runOn(t, dir, sink, func(c *cluster.Cluster) {
		for name, want := range ended {
			id := endAs(t, c, name)
			if s := watch(t, c, id, cancelFirst(t, c, id, name == "canceled")); s != want {
				t.Fatalf("%s: job ended as %s", name, s)
			}
			before[id] = describe(t, c, id)
		}
	})
	runOn(t, dir, sink, func(c *cluster.Cluster) {
		for id, was := range before {
			awaitJob(t, c, id)
			expectSame(t, was, describe(t, c, id))
			expectEnded(t, c, id)
		}
		list, err := c.Jobs().ListJobs(t.Context(), &apiv1.ListJobsRequest{})
		if err != nil || len(list.Jobs) != len(before) {
			t.Errorf("listed %v, %v; want %d jobs", list, err, len(before))
		}
	})
}

// endAs submits a job that ends as its name says, once it is cancelled where it
// is to be.
func endAs(t *testing.T, c *cluster.Cluster, name string) string {
	t.Helper()
	g := slow().graph()
	switch name {
	case "canceled":
		g = endless().graph()
	case "failed":
		g.Vertices[1].Sink.Connector = "broken"
	}
	g.Name = name
	return submitAs(t, c, g, name)
}

func cancelFirst(t *testing.T, c *cluster.Cluster, id string, cancel bool) func(*apiv1.WatchJobResponse) {
	return afterCheckpoint(func() {
		if !cancel {
			return
		}
		if _, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id}); err != nil {
			t.Error(err)
		}
	})
}

// expectSame compares what is durable of two descriptions of an ended job.
func expectSame(t *testing.T, was, is *apiv1.DescribeJobResponse) {
	t.Helper()
	if is.Summary.Ended == nil {
		t.Errorf("job %s has no end", is.Summary.Name)
	}
	durable := func(d *apiv1.DescribeJobResponse) []any {
		s := proto.CloneOf(d.Summary)
		s.Ended, s.Restarts = nil, 0
		return []any{s.String(), d.Attempt, d.LastCheckpoint.GetCheckpointId(), d.Explanation}
	}
	if diff := cmp.Diff(durable(was), durable(is)); diff != "" {
		t.Errorf("job %s: -before +after the takeover:\n%s", is.Summary.Name, diff)
	}
}

// expectEnded tries what only a running job does, and watches.
func expectEnded(t *testing.T, c *cluster.Cluster, id string) {
	t.Helper()
	_, err := c.Jobs().CancelJob(t.Context(), &apiv1.CancelJobRequest{JobId: id})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("cancel of an ended job: %v", err)
	}
	d := describe(t, c, id)
	if s := watch(t, c, id, nil); s != d.Summary.State {
		t.Errorf("watched %s, described %s", s, d.Summary.State)
	}
}

// TestTakeoverIsNoFailure: a job that runs goes on from its last checkpoint
// under the next leader. The log names that checkpoint, and no restart counts.
func TestTakeoverIsNoFailure(t *testing.T) {
	dir, sink := t.TempDir(), newCollect()
	var id string
	var log bytes.Buffer
	logged := cluster.Options{Log: slog.New(slog.NewJSONHandler(&log, nil))}
	last := uint64(0)
	runWith(t, dir, sink, cluster.Options{}, func(c *cluster.Cluster) {
		id = submit(t, c, endless().graph())
		awaitCheckpoint(t, c, id)
	})
	runWith(t, dir, sink, logged, func(c *cluster.Cluster) {
		awaitJob(t, c, id)
		last = awaitCheckpoint(t, c, id)
		d := describe(t, c, id)
		if d.Summary.Restarts != 0 || !strings.Contains(strings.Join(d.RecentFailures, ""), "another job manager leads now") {
			t.Errorf("%d restarts because of %v", d.Summary.Restarts, d.RecentFailures)
		}
	})
	from := restoredFrom(t, &log)
	if from == 0 || from >= last {
		t.Errorf("the log says that checkpoint %d was restored; %d was completed after that", from, last)
	}
}

// awaitCheckpoint returns the next checkpoint that the job completes.
func awaitCheckpoint(t *testing.T, c *cluster.Cluster, id string) uint64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, err := c.Jobs().WatchJob(ctx, &apiv1.WatchJobRequest{JobId: id})
	for err == nil {
		var e *apiv1.WatchJobResponse
		if e, err = w.Recv(); err == nil && e.GetCheckpointCompleted() != nil {
			return e.GetCheckpointCompleted().CheckpointId
		}
	}
	t.Fatal(err)
	return 0
}

// restoredFrom returns the checkpoint that the log names, and fails where it
// speaks of a restart.
func restoredFrom(t *testing.T, log io.Reader) (checkpoint uint64) {
	t.Helper()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var line struct {
			Message    string `json:"msg"`
			Checkpoint uint64 `json:"checkpoint"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Message == "restores" {
			checkpoint = line.Checkpoint
		}
		if strings.Contains(line.Message, "restart of") {
			t.Errorf("the log counts a restart: %s", lines.Text())
		}
	}
	return checkpoint
}
