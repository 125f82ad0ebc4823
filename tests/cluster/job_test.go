package cluster

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
	"millrace/types"
)

// counted is a job that writes a file's line for each bid, exactly once.
type counted struct {
	p      *platform
	id     string
	out    string
	events int
}

// eventsPerSecond is slow, so that a job lasts.
const eventsPerSecond = 2000

// run submits a job that lasts so long on so many slots.
func (p *platform) run(name string, lasts time.Duration, parallelism int) *counted {
	p.t.Helper()
	j := &counted{p: p, out: filepath.Join(p.dir, "out-"+name), events: int(lasts.Seconds() * eventsPerSecond)}
	g, err := codec.ToProto(j.graph(name, parallelism))
	if err != nil {
		p.t.Fatal(err)
	}
	platformtest.Await(p.ctx, p.t, "a leader that takes the job", func() bool {
		r, err := p.jobs.SubmitJob(p.ctx, &apiv1.SubmitJobRequest{Graph: g, IdempotencyKey: name})
		if err != nil && status.Code(err) != codes.Unavailable {
			p.t.Fatal(err)
		}
		j.id = r.GetJobId()
		return err == nil
	})
	return j
}

func (j *counted) graph(name string, parallelism int) *jobgraph.Graph {
	bids, lines := jobgraph.Vertex{ID: "bids", Name: "bids"}, jobgraph.Vertex{ID: "lines", Name: "lines"}
	bids.Source = &jobgraph.SourceSpec{
		UID: "bids-source", Connector: "nexmark", Schema: types.NewSchema(types.Field{Name: "auction", Type: types.Of(types.BigInt)}),
		Options: map[string]string{
			"event-type": "bid", "events.num": strconv.Itoa(j.events), "first-event.rate": strconv.Itoa(eventsPerSecond), "rate.limited": "true",
		},
	}
	lines.Sink = &jobgraph.SinkSpec{UID: "lines-sink", Connector: "filesystem", Options: map[string]string{"path": j.out, "format": "json"}}
	return &jobgraph.Graph{
		Name: name, Parallelism: parallelism,
		Checkpoint: jobgraph.CheckpointSpec{Interval: 200 * time.Millisecond, TolerableFailures: 1000},
		Restart:    jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: 1000, Delay: 100 * time.Millisecond},
		Vertices:   []jobgraph.Vertex{bids, lines},
		Edges:      []jobgraph.Edge{{From: "bids", To: "lines", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}}},
	}
}

// describe returns what the leader says of the job, as soon as there is one.
func (j *counted) describe() *apiv1.DescribeJobResponse {
	j.p.t.Helper()
	var d *apiv1.DescribeJobResponse
	platformtest.Await(j.p.ctx, j.p.t, "a leader that knows the job", func() (ok bool) {
		var err error
		d, err = j.p.jobs.DescribeJob(j.p.ctx, &apiv1.DescribeJobRequest{JobId: j.id})
		if err != nil && status.Code(err) != codes.Unavailable {
			j.p.t.Fatal(err)
		}
		return err == nil
	})
	return d
}

// awaitCheckpoints waits until the job runs and has completed so many more checkpoints than now, under one leader.
func (j *counted) awaitCheckpoints(n int64) *apiv1.DescribeJobResponse {
	j.p.t.Helper()
	d := j.describe()
	from := d.CheckpointsCompleted
	platformtest.Await(j.p.ctx, j.p.t, "checkpoints", func() bool {
		d = j.describe()
		from = min(from, d.CheckpointsCompleted) // another leader counts anew
		if d.Summary.Ended != nil {
			j.p.t.Fatalf("the job ended as %s while the test waited for checkpoints: %s", d.Summary.State, d.Summary.Failure)
		}
		return d.Summary.State == apiv1.JobState_JOB_STATE_RUNNING && d.CheckpointsCompleted >= from+n
	})
	return d
}

// finish waits for the job's end and compares the lines with the events.
func (j *counted) finish() {
	j.p.t.Helper()
	platformtest.Await(j.p.ctx, j.p.t, "the job's end", func() bool {
		s := j.describe().Summary
		if s.State == apiv1.JobState_JOB_STATE_FAILED {
			j.p.t.Fatalf("the job failed: %s", s.Failure)
		}
		return s.State == apiv1.JobState_JOB_STATE_FINISHED
	})
	files, err := filepath.Glob(filepath.Join(j.out, "part-*"))
	if err != nil {
		j.p.t.Fatal(err)
	}
	lines := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			j.p.t.Fatal(err)
		}
		lines += bytes.Count(text, []byte("\n"))
	}
	if want := j.events * 46 / 50; lines != want { // 46 of 50 events are bids
		j.p.t.Errorf("%d lines of %d bids; files %s", lines, want, strings.Join(files, " "))
	}
}
