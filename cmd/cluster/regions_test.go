package cluster_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/connectors"
	"millrace/connectors/nexmark"
	"millrace/failure"
	"millrace/internal/testutil/matrix"
	"millrace/jobgraph"
	"millrace/jobmanager"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
	"millrace/stream"
	"millrace/types"
)

// breaking is the Nexmark source, whose next read fails when told so.
type breaking struct{ next atomic.Bool }

func (b *breaking) factory() connectors.SourceFactory {
	f := nexmark.Factory
	f.Open = func(given map[string]string, s *types.Schema) (connectors.Source, error) {
		source, err := nexmark.Open(given, s)
		return breakingSource{source, b}, err
	}
	return f
}

type breakingSource struct {
	connectors.Source
	breaking *breaking
}

func (s breakingSource) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	r, err := s.Source.Reader(ctx)
	return breakingReader{r, s.breaking}, err
}

type breakingReader struct {
	connectors.Reader
	breaking *breaking
}

func (r breakingReader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if r.breaking.next.CompareAndSwap(true, false) {
		return nil, 0, failure.Externalf(failure.Restart, "the cable is cut")
	}
	return r.Reader.Read()
}

// pipelines is a job of two pipelines that no edge connects, called left and right, each with a sink of its own.
type pipelines struct {
	of       bids
	c        *cluster.Cluster
	id       string
	sinks    map[string]*collect
	breaking map[string]*breaking
}

func startPipelines(t *testing.T, b bids, widths map[string]int, o cluster.Options) *pipelines {
	t.Helper()
	p := &pipelines{of: b, sinks: make(map[string]*collect), breaking: make(map[string]*breaking)}
	g := b.graph()
	vertices, edges := g.Vertices, g.Edges
	g.Vertices, g.Edges = nil, nil
	p.c = startWith(t, o, func(w *cluster.Wiring) {
		for _, side := range []string{"left", "right"} {
			p.sinks[side], p.breaking[side] = newCollect(), &breaking{}
			w.Connectors.RegisterSink("collect-"+side, p.sinks[side].factory())
			w.Connectors.RegisterSource("nexmark-"+side, p.breaking[side].factory())
			addPipeline(g, side, widths[side], vertices, edges)
		}
	})
	p.id = submit(t, p.c, g)
	return p
}

// addPipeline adds the vertices of a graph once more, under names of their own.
func addPipeline(g *jobgraph.Graph, side string, width int, vertices []jobgraph.Vertex, edges []jobgraph.Edge) {
	for _, v := range vertices {
		v.ID, v.Name, v.Parallelism = types.VertexID(side+"-"+string(v.ID)), side+" "+v.Name, width
		if v.Source != nil {
			source := *v.Source
			source.UID, source.Connector = types.OperatorUID(side+"-"+string(source.UID)), "nexmark-"+side
			v.Source = &source
		}
		operators := append([]jobgraph.OperatorSpec(nil), v.Operators...)
		for i := range operators {
			operators[i].UID = types.OperatorUID(side + "-" + string(operators[i].UID))
		}
		v.Operators = operators
		if v.Sink != nil {
			v.Sink = &jobgraph.SinkSpec{UID: types.OperatorUID(side + "-sink"), Connector: "collect-" + side}
		}
		g.Vertices = append(g.Vertices, v)
	}
	for _, e := range edges {
		e.From, e.To = types.VertexID(side+"-"+string(e.From)), types.VertexID(side+"-"+string(e.To))
		g.Edges = append(g.Edges, e)
	}
}

// attempts returns that of each side, and how many tasks it has.
func (p *pipelines) attempts(t *testing.T) (attempts map[string]uint64, tasks map[string]int) {
	t.Helper()
	attempts, tasks = make(map[string]uint64), make(map[string]int)
	for _, task := range describe(t, p.c, p.id).Tasks {
		side, _, _ := strings.Cut(task.VertexId, "-")
		if attempts[side] != 0 && attempts[side] != task.Attempt {
			t.Errorf("%s/%d is of attempt %d, others of %d", task.VertexId, task.Subtask, task.Attempt, attempts[side])
		}
		attempts[side] = task.Attempt
		tasks[side]++
	}
	return attempts, tasks
}

// finish waits for the job's end and compares what it wrote.
func (p *pipelines) finish(t *testing.T, see func(*apiv1.WatchJobResponse)) *apiv1.DescribeJobResponse {
	t.Helper()
	if s := watch(t, p.c, p.id, see); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	for _, sink := range p.sinks {
		check(t, sink, p.of)
	}
	return describe(t, p.c, p.id)
}

// TestARegionRestartsAlone: what no edge connects runs on, in its attempt, while the other pipeline is restored.
func TestARegionRestartsAlone(t *testing.T) {
	b := slow()
	p := startPipelines(t, b, map[string]int{"left": 2, "right": 2}, cluster.Options{})
	var before map[string]uint64
	var states []apiv1.JobState
	recovered := false
	d := p.finish(t, func(e *apiv1.WatchJobResponse) {
		if s := e.GetState(); s != nil {
			states = append(states, s.State)
		}
		if e.GetCheckpointCompleted() == nil || recovered {
			return
		}
		if now, _ := p.attempts(t); before == nil {
			before = now
			p.breaking["right"].next.Store(true)
		} else if now["right"] != before["right"] {
			recovered = true
			if now["left"] != before["left"] {
				t.Errorf("left went from attempt %d to %d", before["left"], now["left"])
			}
		}
	})
	if !recovered || d.Summary.Restarts != 1 {
		t.Errorf("recovered %v, %d restarts", recovered, d.Summary.Restarts)
	}
	if text := fmt.Sprint(slices.Compact(states)); !strings.Contains(text, "JOB_STATE_RUNNING JOB_STATE_RECOVERING JOB_STATE_RUNNING") {
		t.Errorf("the job went through %s", text)
	}
	if len(d.RecentFailures) != 1 || !strings.Contains(d.RecentFailures[0], "the cable is cut") {
		t.Errorf("the job says of its failures %q", d.RecentFailures)
	}
}

// TestRegionsFailAtAnyTime breaks either pipeline again and again, also while the other or itself recovers.
func TestRegionsFailAtAnyTime(t *testing.T) {
	b := slow()
	b.interval = 20 * time.Millisecond
	p := startPipelines(t, b, map[string]int{"left": 1, "right": 2}, cluster.Options{Slots: 1, Remote: true})
	random, left, recoveries := matrix.Rand(t), 25, 0
	d := p.finish(t, func(e *apiv1.WatchJobResponse) {
		recovers := e.GetState() != nil && e.GetState().State == apiv1.JobState_JOB_STATE_RECOVERING
		if recovers {
			recoveries++
		}
		if left == 0 || !recovers && e.GetCheckpointCompleted() == nil {
			return
		}
		p.breaking[[]string{"left", "right"}[random.IntN(2)]].next.Store(true)
		left--
	})
	t.Logf("%d restarts, told of recoveries %d times", d.Summary.Restarts, recoveries)
	if recoveries == 0 {
		t.Error("no region has recovered")
	}
}

// TestARegionGoesOnWithFewerSlots: one that has lost its task manager takes what there is, and moves up with the whole job
// when slots come; the other stays where it is until then.
func TestARegionGoesOnWithFewerSlots(t *testing.T) {
	b := slower()
	p := startPipelines(t, b, map[string]int{"left": 1, "right": 2}, cluster.Options{
		Slots: 1, Policy: scheduler.Policy{AllowLower: true}, Rescale: jobmanager.RescaleOptions{RescaleSpec: lifecycle.RescaleSpec{Wait: 200 * time.Millisecond}},
	})
	var before map[string]uint64
	var narrow, again bool
	d := p.finish(t, func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() == nil {
			return
		}
		now, tasks := p.attempts(t)
		switch {
		case before == nil:
			before = maps.Clone(now)
			if err := p.c.KillTaskManager("tm-2"); err != nil { // which has only right's second tasks
				t.Error(err)
			}
		case !narrow && tasks["right"] == 2:
			narrow = true
			if now["left"] != before["left"] || now["right"] == before["right"] {
				t.Errorf("attempts went from %v to %v", before, now)
			}
			if err := p.c.StartTaskManager("tm-2"); err != nil {
				t.Error(err)
			}
		case narrow && tasks["right"] == 4:
			again = true
		}
	})
	if !narrow || !again {
		t.Errorf("narrow %v, again %v", narrow, again)
	}
	if len(d.RecentRescales) != 1 || !strings.Contains(d.RecentRescales[0], "slots came") {
		t.Errorf("the job says of its rescales %q", d.RecentRescales)
	}
}
