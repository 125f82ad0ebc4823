package platformtest

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
	"millrace/types"
)

const graphFile = "../../jobgraph/testdata/bids-per-auction.json"

// Job is the main job as one test wants it.
type Job struct {
	Brokers, In, Out string
	Ends             []int64 // the records of each partition; the job ends behind them, written by then or not
	Parallelism      int
	Interval         time.Duration // of checkpoints
	Raw              bool          // no pre-aggregation
	Late             string        // topic of late rows; needs raw
	OnError          string
	Dead             string // topic of dead letters
}

// Graph returns the main job's graph, changed.
func (j Job) Graph(t *testing.T) *jobgraph.Graph {
	t.Helper()
	text, err := os.ReadFile(graphFile)
	if err != nil {
		t.Fatal(err)
	}
	g, err := codec.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	g.Name, g.Parallelism = j.Out, j.Parallelism
	g.Checkpoint.Interval = j.Interval
	g.Checkpoint.TolerableFailures = 6 // what the sink allows at most
	g.Restart = jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: 1000, Delay: 100 * time.Millisecond}
	bids, windows := &g.Vertices[0], &g.Vertices[1]
	maps.Copy(bids.Source.Options, map[string]string{
		"properties.bootstrap.servers": j.Brokers, "topic": j.In,
		"scan.bounded.mode": "specific-offsets", "scan.bounded.specific-offsets": j.bound(),
	})
	windows.Sink = j.sink(j.Out)
	aggregate := windows.Operators[0].Body.(*jobgraph.WindowAggregateSpec)
	if j.Raw {
		bids.Operators = nil
		aggregate.Partial, aggregate.Input = false, nil
	}
	if j.Late != "" {
		aggregate.LateOutput = true
		j.addOutput(g, windows.ID, 1, j.Late)
	}
	if j.OnError != "" {
		g.Vertices[0].Source.Options[jobgraph.OnErrorOption] = j.OnError
	}
	if j.Dead != "" {
		j.addOutput(g, g.Vertices[0].ID, jobgraph.DeadLetterPort, j.Dead)
	}
	return g
}

func (j Job) bound() string {
	var parts []string
	for p, end := range j.Ends {
		parts = append(parts, fmt.Sprintf("partition:%d,offset:%d", p, end))
	}
	return strings.Join(parts, ";")
}

func (j Job) sink(topic string) *jobgraph.SinkSpec {
	return &jobgraph.SinkSpec{UID: sinkUID(topic), Connector: "kafka", Options: map[string]string{
		"properties.bootstrap.servers": j.Brokers, "topic": topic, "format": "json",
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": topic,
	}}
}

// addOutput leads a side output to a topic.
func (j Job) addOutput(g *jobgraph.Graph, from vertexID, port int, topic string) {
	id := vertexID(topic)
	g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: id, Name: topic, Sink: j.sink(topic)})
	g.Edges = append(g.Edges, jobgraph.Edge{
		From: from, Port: port, To: id, Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance},
	})
}

// submit submits a graph as soon as somebody leads, or finds the job that was submitted before under that name. from is a
// savepoint or checkpoint, or empty.
func submit(ctx context.Context, t *testing.T, jobs apiv1.JobServiceClient, g *jobgraph.Graph, from string) (id string, err error) {
	t.Helper()
	p, err := codec.ToProto(g)
	if err != nil {
		t.Fatal(err)
	}
	ticks := time.NewTicker(pollInterval)
	defer ticks.Stop()
	for {
		r, err := jobs.SubmitJob(ctx, &apiv1.SubmitJobRequest{Graph: p, IdempotencyKey: g.Name, FromSavepoint: from})
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

// Running is a job under way, seen through the job service.
type Running struct {
	T    *testing.T
	jobs apiv1.JobServiceClient
	ID   string
}

// Run submits a graph, or finds the job that was submitted before under that name.
func Run(ctx context.Context, t *testing.T, jobs apiv1.JobServiceClient, g *jobgraph.Graph) Running {
	t.Helper()
	return RunFrom(ctx, t, jobs, g, "")
}

// RunFrom is Run of a job that starts from a savepoint or a checkpoint's manifest.
func RunFrom(ctx context.Context, t *testing.T, jobs apiv1.JobServiceClient, g *jobgraph.Graph, path string) Running {
	t.Helper()
	id, err := submit(ctx, t, jobs, g, path)
	if err != nil {
		t.Fatalf("submit %s: %v", g.Name, err)
	}
	return Running{t, jobs, id}
}

// Attach returns the job of an id.
func Attach(t *testing.T, jobs apiv1.JobServiceClient, id string) Running {
	return Running{t, jobs, id}
}

// Describe returns what the leader says of the job, as soon as there is one.
func (r Running) Describe(ctx context.Context) *apiv1.DescribeJobResponse {
	r.T.Helper()
	for {
		d, err := r.jobs.DescribeJob(ctx, &apiv1.DescribeJobRequest{JobId: r.ID})
		if err == nil {
			return d
		}
		if status.Code(err) != codes.Unavailable || ctx.Err() != nil { // there may be no leader for a moment
			r.T.Fatalf("describe the job: %v", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

// AwaitDescription waits until the job says of itself what is wanted.
func (r Running) AwaitDescription(ctx context.Context, what string, wanted func(*apiv1.DescribeJobResponse) bool) *apiv1.DescribeJobResponse {
	r.T.Helper()
	var d *apiv1.DescribeJobResponse
	came := false
	defer func() {
		if !came && d != nil {
			r.T.Logf("waited for %s; the job said at last: %v", what, d)
		}
	}()
	Await(ctx, r.T, what, func() bool {
		d = r.Describe(ctx)
		return wanted(d) || (Ended(d) && !wanted(d) && r.tooLate(what, d))
	})
	came = true
	return d
}

func (r Running) tooLate(what string, d *apiv1.DescribeJobResponse) bool {
	r.T.Helper()
	r.T.Fatalf("the job ended while the test waited for %s: %v", what, d)
	return true
}

// Finish waits for the job's good end.
func (r Running) Finish(ctx context.Context) *apiv1.DescribeJobResponse {
	r.T.Helper()
	d := r.AwaitDescription(ctx, "the job's end", Ended)
	if d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		r.T.Fatalf("job %s ended as %s: %v", d.Summary.Name, d.Summary.State, d)
	}
	return d
}

// Ended tells whether the job is over.
func Ended(d *apiv1.DescribeJobResponse) bool {
	return slices.Contains([]apiv1.JobState{
		apiv1.JobState_JOB_STATE_FINISHED, apiv1.JobState_JOB_STATE_FAILED,
		apiv1.JobState_JOB_STATE_CANCELED, apiv1.JobState_JOB_STATE_STOPPED,
	}, d.Summary.State)
}

// Checkpointed tells whether n checkpoints were completed under this leader.
func Checkpointed(n int64) func(*apiv1.DescribeJobResponse) bool {
	return func(d *apiv1.DescribeJobResponse) bool { return d.CheckpointsCompleted >= n }
}

// Count adds up one figure of the tasks.
func Count(d *apiv1.DescribeJobResponse, figure func(*apiv1.TaskDescription) int64) (sum int64) {
	for _, task := range d.Tasks {
		sum += figure(task)
	}
	return sum
}

type vertexID = types.VertexID

func sinkUID(topic string) types.OperatorUID { return types.OperatorUID(topic + "-sink") }
