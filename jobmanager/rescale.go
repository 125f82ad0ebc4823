package jobmanager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobmanager/lifecycle"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/scheduler"
	"millrace/types"
)

// RescaleOptions say how readily jobs change their parallelism by themselves.
type RescaleOptions struct {
	lifecycle.RescaleSpec
	// MinIncrease is how many more subtasks a vertex must get for a running job to
	// move to slots that came; 0 means 1.
	MinIncrease int
}

// parallelism is what a user asked for in place of the graph's.
type parallelism struct {
	all      int32
	vertices map[string]int32
}

type (
	rescaleAsked struct {
		to    parallelism
		reply chan error
	}
	rescaleStored struct {
		rec   *checkpointv1.JobRecord
		reply chan error
		err   error
	}
)

// withParallelism returns the graph with the parallelism that the record asks for.
func withParallelism(g *jobgraph.Graph, rec *checkpointv1.JobRecord) *jobgraph.Graph {
	if rec.Parallelism == 0 && len(rec.VertexParallelism) == 0 {
		return g
	}
	out := *g
	out.Vertices = slices.Clone(g.Vertices)
	if rec.Parallelism > 0 {
		out.Parallelism = int(rec.Parallelism)
	}
	for i := range out.Vertices {
		v := &out.Vertices[i]
		if rec.Parallelism > 0 {
			v.Parallelism = int(rec.Parallelism)
		}
		if p := rec.VertexParallelism[string(v.ID)]; p > 0 {
			v.Parallelism = int(p)
		}
	}
	return &out
}

// check refuses a parallelism that the graph can't have, all problems at once.
func (p parallelism) check(g *jobgraph.Graph) error {
	var problems failure.Problems
	if p.all == 0 && len(p.vertices) == 0 {
		problems.Addf("", "parallelism", "is missing: name one for the job, or for vertices of it")
	}
	if p.all < 0 || int(p.all) > g.KeyGroups() {
		problems.Addf("", "parallelism", "is %d, want 1 to the job's max parallelism %d", p.all, g.KeyGroups())
	}
	for _, id := range slices.Sorted(maps.Keys(p.vertices)) {
		switch n := p.vertices[id]; {
		case g.Vertex(types.VertexID(id)) == nil:
			problems.Addf(id, "parallelism", "the job has no such vertex; it has %v", vertexIDs(g))
		case n < 1 || int(n) > g.KeyGroups():
			problems.Addf(id, "parallelism", "is %d, want 1 to the job's max parallelism %d", n, g.KeyGroups())
		}
	}
	return problems.Err()
}

func vertexIDs(g *jobgraph.Graph) []types.VertexID {
	var out []types.VertexID
	for i := range g.Vertices {
		out = append(out, g.Vertices[i].ID)
	}
	return out
}

// rescaleAsked makes another parallelism durable.
func (d *driver) rescaleAsked(e rescaleAsked) {
	if err := e.to.check(d.graph); err != nil {
		e.reply <- err
		return
	}
	d.later(func() any {
		r := rescaleStored{reply: e.reply}
		r.rec, r.err = d.store.rescale(d.ctx, e.to)
		return r
	})
}

// rescaleStored goes there.
func (d *driver) rescaleStored(e rescaleStored) {
	if e.err == nil {
		d.rec = e.rec
		d.graph = withParallelism(d.view.graph, d.rec)
		d.step(lifecycle.RescaleRequested{Reason: "rescale was asked for: " + describeParallelism(d.rec)})
		if d.waiting {
			d.schedule()
		}
	}
	e.reply <- e.err
}

func describeParallelism(rec *checkpointv1.JobRecord) string {
	text := ""
	if rec.Parallelism > 0 {
		text = fmt.Sprintf("parallelism %d", rec.Parallelism)
	}
	for _, id := range slices.Sorted(maps.Keys(rec.VertexParallelism)) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", id, rec.VertexParallelism[id])
	}
	return text
}

// rescale puts a parallelism into the job's record: of every vertex, with those
// named before forgotten, or of some.
func (s *jobStore) rescale(ctx context.Context, to parallelism) (*checkpointv1.JobRecord, error) {
	rec, e, err := s.record(ctx)
	if err != nil {
		return nil, err
	}
	if terminal(rec.Phase) {
		return nil, failure.Userf("the job has ended")
	}
	rec = proto.CloneOf(rec)
	if to.all > 0 {
		rec.Parallelism, rec.VertexParallelism = to.all, nil
	}
	if rec.VertexParallelism == nil && len(to.vertices) > 0 {
		rec.VertexParallelism = make(map[string]int32)
	}
	maps.Copy(rec.VertexParallelism, to.vertices)
	value, err := marshal(rec)
	if err != nil {
		return nil, failure.Internal(err)
	}
	return rec, s.writeRecord(ctx, e, value)
}

// reconsider tells the lifecycle what the slots that are there now would bring to
// a job that runs.
func (d *driver) reconsider() {
	if d.at == nil || d.at.cancelling || d.at.last == nil || !d.at.last.deployed || len(d.at.ending) > 0 {
		return
	}
	cluster := d.l.registry.cluster(d.store.job)
	for _, tm := range cluster.TaskManagers {
		if tm.Leaving && d.at.uses(tm.ID) {
			d.step(lifecycle.RescaleRequested{Reason: fmt.Sprintf("task manager %s is about to leave", tm.ID)})
			return
		}
	}
	a, report := scheduler.Schedule(cluster, d.graph, d.previous, d.l.jm.Policy)
	better := ""
	if report.Unplaced() == 0 {
		better = increase(d.graph, d.at.widths, a.Parallelism, max(d.l.jm.Rescale.MinIncrease, 1))
	}
	d.step(lifecycle.PlacementChanged{Attempt: d.at.number, Better: better})
}

// increase says which vertex would gain enough subtasks, "" if none does.
func increase(g *jobgraph.Graph, have map[types.VertexID]int32, could map[types.VertexID]int, least int) string {
	for i := range g.Vertices {
		id := g.Vertices[i].ID
		if gain := could[id] - int(have[id]); gain >= least {
			return fmt.Sprintf("slots came: vertex %s goes from parallelism %d to %d", id, have[id], could[id])
		}
	}
	return ""
}

// noteRescale shows why the job is placed anew.
func (d *driver) noteRescale(reason string) {
	d.view.update(func(j *apiv1.DescribeJobResponse) {
		j.RecentRescales = append(j.RecentRescales, d.l.jm.Clock.Now().UTC().Format(time.RFC3339)+" "+reason)
		if n := len(j.RecentRescales); n > recentFailuresMax {
			j.RecentRescales = j.RecentRescales[n-recentFailuresMax:]
		}
	})
}

// RescaleJob implements apiv1.JobServiceServer.
func (j *JobManager) RescaleJob(ctx context.Context, r *apiv1.RescaleJobRequest) (*apiv1.RescaleJobResponse, error) {
	to := parallelism{all: r.Parallelism, vertices: r.Vertices}
	if err := j.ask(ctx, r.JobId, func(reply chan error) any { return rescaleAsked{to, reply} }); err != nil {
		return nil, err
	}
	return &apiv1.RescaleJobResponse{}, nil
}
