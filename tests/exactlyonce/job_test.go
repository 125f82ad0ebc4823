package exactlyonce

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	apiv1 "millrace/proto/millrace/api/v1"
)

const graphFile = "../../jobgraph/testdata/bids-per-auction.json"

// job is the main job as one test wants it.
type job struct {
	brokers, in, out string
	ends             []int64 // the records of each partition; the job ends behind them, written by then or not
	parallelism      int
	interval         time.Duration // of checkpoints
	raw              bool          // no pre-aggregation
	late             string        // topic of late rows; needs raw
	onError          string
	dead             string // topic of dead letters
}

// graph returns the main job's graph, changed.
func (j job) graph(t *testing.T) *jobgraph.Graph {
	t.Helper()
	text, err := os.ReadFile(graphFile)
	if err != nil {
		t.Fatal(err)
	}
	g, err := codec.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	g.Name, g.Parallelism = j.out, j.parallelism
	g.Checkpoint.Interval = j.interval
	g.Checkpoint.TolerableFailures = 6 // what the sink allows at most
	g.Restart = jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: 1000, Delay: 100 * time.Millisecond}
	bids, windows := &g.Vertices[0], &g.Vertices[1]
	maps.Copy(bids.Source.Options, map[string]string{
		"properties.bootstrap.servers": j.brokers, "topic": j.in,
		"scan.bounded.mode": "specific-offsets", "scan.bounded.specific-offsets": j.bound(),
	})
	windows.Sink = j.sink(j.out)
	if j.raw {
		bids.Operators = nil
		windows.Operators[0].WindowAggregate.Partial, windows.Operators[0].WindowAggregate.Input = false, nil
	}
	if j.late != "" {
		windows.Operators[0].WindowAggregate.LateOutput = true
		j.addOutput(g, windows.ID, 1, j.late)
	}
	if j.onError != "" {
		g.Vertices[0].Source.Options[jobgraph.OnErrorOption] = j.onError
	}
	if j.dead != "" {
		j.addOutput(g, g.Vertices[0].ID, jobgraph.DeadLetterPort, j.dead)
	}
	return g
}

func (j job) bound() string {
	var parts []string
	for p, end := range j.ends {
		parts = append(parts, fmt.Sprintf("partition:%d,offset:%d", p, end))
	}
	return strings.Join(parts, ";")
}

func (j job) sink(topic string) *jobgraph.SinkSpec {
	return &jobgraph.SinkSpec{UID: sinkUID(topic), Connector: "kafka", Options: map[string]string{
		"properties.bootstrap.servers": j.brokers, "topic": topic, "format": "json",
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": topic,
	}}
}

// addOutput leads a side output to a topic.
func (j job) addOutput(g *jobgraph.Graph, from vertexID, port int, topic string) {
	id := vertexID(topic)
	g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: id, Name: topic, Sink: j.sink(topic)})
	g.Edges = append(g.Edges, jobgraph.Edge{
		From: from, Port: port, To: id, Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance},
	})
}

// submit submits a graph as soon as somebody leads, or finds the job that was submitted before under that name.
func submit(ctx context.Context, t *testing.T, jobs apiv1.JobServiceClient, g *jobgraph.Graph) (id string, err error) {
	t.Helper()
	p, err := codec.ToProto(g)
	if err != nil {
		t.Fatal(err)
	}
	ticks := time.NewTicker(pollInterval)
	defer ticks.Stop()
	for {
		r, err := jobs.SubmitJob(ctx, &apiv1.SubmitJobRequest{Graph: p, IdempotencyKey: g.Name})
		if err == nil {
			return r.JobId, nil
		}
		if status.Code(err) != codes.Unavailable {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-ticks.C:
		}
	}
}

// running is a job under way, seen through the job service.
type running struct {
	t    *testing.T
	jobs apiv1.JobServiceClient
	id   string
}

func run(ctx context.Context, t *testing.T, jobs apiv1.JobServiceClient, g *jobgraph.Graph) running {
	t.Helper()
	id, err := submit(ctx, t, jobs, g)
	if err != nil {
		t.Fatalf("submit %s: %v", g.Name, err)
	}
	return running{t, jobs, id}
}

func (r running) describe(ctx context.Context) *apiv1.DescribeJobResponse {
	r.t.Helper()
	for {
		d, err := r.jobs.DescribeJob(ctx, &apiv1.DescribeJobRequest{JobId: r.id})
		if err == nil {
			return d
		}
		if status.Code(err) != codes.Unavailable || ctx.Err() != nil { // there may be no leader for a moment
			r.t.Fatalf("describe the job: %v", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

// awaitDescription waits until the job says of itself what is wanted.
func (r running) awaitDescription(ctx context.Context, what string, wanted func(*apiv1.DescribeJobResponse) bool) *apiv1.DescribeJobResponse {
	r.t.Helper()
	var d *apiv1.DescribeJobResponse
	r.t.Cleanup(func() {
		if r.t.Failed() && d != nil {
			r.t.Logf("waited for %s; the job said at last: %v", what, d)
		}
	})
	await(ctx, r.t, what, func() bool {
		d = r.describe(ctx)
		return wanted(d) || (ended(d) && !wanted(d) && r.tooLate(what, d))
	})
	return d
}

func (r running) tooLate(what string, d *apiv1.DescribeJobResponse) bool {
	r.t.Helper()
	r.t.Fatalf("the job ended while the test waited for %s: %v", what, d)
	return true
}

// finish waits for the job's good end.
func (r running) finish(ctx context.Context) *apiv1.DescribeJobResponse {
	r.t.Helper()
	d := r.awaitDescription(ctx, "the job's end", ended)
	if d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		r.t.Fatalf("job %s ended as %s: %v", d.Summary.Name, d.Summary.State, d)
	}
	return d
}

func ended(d *apiv1.DescribeJobResponse) bool {
	return slices.Contains([]apiv1.JobState{
		apiv1.JobState_JOB_STATE_FINISHED, apiv1.JobState_JOB_STATE_FAILED,
		apiv1.JobState_JOB_STATE_CANCELED, apiv1.JobState_JOB_STATE_STOPPED,
	}, d.Summary.State)
}

// checkpointed tells whether n checkpoints were completed under this leader.
func checkpointed(n int64) func(*apiv1.DescribeJobResponse) bool {
	return func(d *apiv1.DescribeJobResponse) bool { return d.CheckpointsCompleted >= n }
}

// count adds up one figure of the tasks.
func count(d *apiv1.DescribeJobResponse, figure func(*apiv1.TaskDescription) int64) (sum int64) {
	for _, task := range d.Tasks {
		sum += figure(task)
	}
	return sum
}
