package checkpoint

import (
	"slices"

	"millrace/internal/mutant"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// persisted is where commits come from: the transaction has happened, so committing is mandatory.
func (c *Coordinator) persisted(e Persisted) {
	p := c.taken(e.ID)
	if p == nil {
		return
	}
	c.complete(p, e)
	c.commit(p.manifest, func(types.VertexID) bool { return true })
	c.save(p)
	c.retire(p)
	if p.kind == Final || p.kind == Suspend {
		c.last = &FinalComplete{ID: p.id, Kind: p.kind}
		c.lastComplete(p)
	}
	c.conclude()
}

// complete takes the checkpoint for the latest.
func (c *Coordinator) complete(p *pending, e Persisted) {
	c.latest = Pointer{ID: p.id, ManifestKey: e.ManifestKey, Sum: e.Sum}
	c.retained = append(p.retain, c.latest)
	c.failures, c.retryDelay, c.retryAt = 0, 0, 0
	awaits := false
	for i := range c.cfg.Vertices {
		v := &c.cfg.Vertices[i]
		v.LargestParallelism = max(v.LargestParallelism, v.Parallelism)
		awaits = awaits || v.Committer && c.phase == live
	}
	c.emit(Completed{
		ID: p.id, Kind: p.kind, TriggeredAt: p.triggeredAt, DurationMillis: c.now - p.triggeredAt,
		WrittenBytes: p.figures.WrittenBytes, StateBytes: p.figures.StateBytes, AwaitsCommits: awaits,
		ManifestKey: e.ManifestKey, SlowestAlignMicro: p.figures.AlignmentMicros,
		UnalignedTasks: p.unaligned, InFlightBytes: p.figures.InFlightBytes,
	})
}

func (c *Coordinator) retire(p *pending) {
	if mutant.On(mutant.RetentionDropsLatest) && len(p.drop) > 0 {
		p.drop = []Pointer{c.latest}
	}
	if len(p.drop) > 0 {
		c.emit(Retire{Dropped: p.drop, Retained: append([]Pointer(nil), c.retained...)})
	}
}

// adopted is the other place: another leader's transaction has happened. Whether it came to say so is not known.
func (c *Coordinator) adopted(e Adopted) {
	if c.latest.ID == 0 || types.CheckpointID(e.Manifest.GetCheckpointId()) != c.latest.ID {
		return
	}
	c.commit(e.Manifest, func(id types.VertexID) bool { return slices.Contains(e.Vertices, id) })
}

// commit tells of a complete checkpoint. It permits every committer to commit, also one with nothing to commit: its
// confirmation is what tells its tasks.
func (c *Coordinator) commit(m *checkpointv1.Manifest, concerns func(types.VertexID) bool) {
	id := types.CheckpointID(m.CheckpointId)
	u := unconfirmed{id: id, waiting: make(map[types.VertexID]bool)}
	var plain []types.VertexID
	for _, s := range m.Vertices { // in the order of their ids, as c.cfg.Vertices
		v := c.vertex(types.VertexID(s.VertexId))
		switch {
		case v == nil || !concerns(v.ID):
		case v.Committer:
			u.waiting[v.ID] = true
			c.emit(Commit{CommitPermit{vertex: v.ID, id: id, committables: committablesOf(s)}})
			if mutant.On(mutant.NotifyBeforeCommit) {
				plain = append(plain, v.ID)
			}
		default:
			plain = append(plain, v.ID)
		}
	}
	if len(u.waiting) > 0 {
		c.outstanding = append(c.outstanding, u)
	}
	if len(plain) > 0 {
		c.emit(NotifyComplete{ID: id, Vertices: plain})
	}
}

// committed takes a confirmation, which holds for earlier checkpoints too: what was unconfirmed when this one was taken
// is part of it.
func (c *Coordinator) committed(e Committed) {
	if !c.awaits(e) {
		return
	}
	for _, u := range c.outstanding {
		if u.id <= e.ID {
			delete(u.waiting, e.Vertex)
		}
	}
	c.emit(NotifyComplete{ID: e.ID, Vertices: []types.VertexID{e.Vertex}})
	c.confirm(func(types.CheckpointID) bool { return true })
	c.saved()
	c.conclude()
}

func (c *Coordinator) awaits(e Committed) bool {
	for _, u := range c.outstanding {
		if u.id == e.ID {
			return u.waiting[e.Vertex]
		}
	}
	return false
}

// conclude says that the job may finish once its last checkpoint is complete, everything is confirmed, and what savepoints
// are made of is copied.
func (c *Coordinator) conclude() {
	if c.last == nil || c.saving != nil || c.savesLast && c.unsaved != nil || len(c.outstanding) > 0 && !mutant.On(mutant.FinalNotAwaited) {
		return
	}
	c.phase = halted
	c.emit(*c.last)
}
