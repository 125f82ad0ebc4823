package sdktest

import (
	"context"
	"fmt"
	"time"

	"millrace/checkpoint"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/sdk"
	"millrace/types"
)

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// Upgrade takes a savepoint and starts another job from it, as a submit does: state is found by uids and names, and is kept, converted or, where that can't be, refused, with an error that
// names it. State for which the new job has no place is refused, too, but with Options.AllowDropped. Sources and sinks of one uid are the same ones. Input that had ended goes on, as it
// does for a job that starts where another was drained.
func (p *Pipeline) Upgrade(job func(*sdk.Env)) {
	p.t.Helper()
	if !p.runs() {
		return
	}
	next, err := p.describe(job)
	if err != nil {
		p.refuse(fmt.Errorf("the new job can't run: %w", err))
		return
	}
	if !p.ended && !p.check(p.attempt.checkpoint(checkpoint.Periodic)) {
		return
	}
	m, err := p.adapt(next)
	if err != nil {
		p.refuse(err)
		return
	}
	p.halt()
	p.latest.manifest, p.ended = m, false
	for i := range p.moments {
		p.moments[i].ends = false // as behind a drain
	}
	p.use(next)
	p.restart()
}

func (p *Pipeline) refuse(err error) {
	p.t.Helper()
	p.refusal = err
	if !p.expecting {
		p.t.Fatalf("%v", err)
	}
}

// adapt lays the latest checkpoint out for another job.
func (p *Pipeline) adapt(next *program) (*checkpointv1.Manifest, error) {
	spec := checkpoint.AdaptSpec{
		Job: jobID, MaxParallelism: next.graph.KeyGroups(), Vertices: make(map[types.VertexID]checkpoint.AdaptVertex),
		Tables: make(map[types.VertexID][]checkpoint.TableFate),
	}
	files := make(map[types.VertexID][]*checkpointv1.StateFile)
	for _, v := range p.latest.manifest.Vertices {
		files[types.VertexID(v.VertexId)] = v.Tasks[0].GetFiles()
	}
	for i := range next.graph.Vertices {
		v := &next.graph.Vertices[i]
		spec.Vertices[v.ID] = checkpoint.AdaptVertex{Source: v.Source != nil, Committer: v.Sink != nil}
		if _, ok := files[v.ID]; !ok {
			files[v.ID] = nil
		}
	}
	tables := p.wiring.Tables(p.store)
	for id, of := range files {
		fates, err := tables(context.Background(), next.graph, id, of)
		if err != nil {
			return nil, err
		}
		spec.Tables[id] = fates
	}
	m, fates, err := checkpoint.Adapt(p.latest.manifest, spec)
	if err != nil {
		return nil, err
	}
	if !p.o.AllowDropped {
		if err := checkpoint.CheckDropped(fates); err != nil {
			return nil, err
		}
	}
	return m, nil
}
