package checkpoint

import (
	"millrace/types"
)

// persisted is the one place from which commits come: the transaction has happened, so committing is mandatory.
func (c *Coordinator) persisted(e Persisted) {
	p := c.taken(e.ID)
	if p == nil {
		return
	}
	c.complete(p, e)
	c.commit(p)
	if plain := c.withoutCommitter(); len(plain) > 0 {
		c.emit(NotifyComplete{ID: p.id, Vertices: plain})
	}
	c.retire(p)
	if p.kind == Final || p.kind == Suspend {
		c.last = &FinalComplete{ID: p.id, Kind: p.kind}
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
	})
}

func (c *Coordinator) retire(p *pending) {
	if len(p.drop) > 0 {
		c.emit(Retire{Dropped: p.drop, Retained: append([]Pointer(nil), c.retained...)})
	}
}

// commit permits every committer to commit, also one with nothing to commit: its confirmation is what tells its tasks.
func (c *Coordinator) commit(p *pending) {
	u := unconfirmed{id: p.id, waiting: make(map[types.VertexID]bool)}
	for i, v := range c.cfg.Vertices {
		if !v.Committer {
			continue
		}
		u.waiting[v.ID] = true
		c.emit(Commit{CommitPermit{vertex: v.ID, id: p.id, committables: committablesOf(p.manifest.Vertices[i])}})
	}
	if len(u.waiting) > 0 {
		c.outstanding = append(c.outstanding, u)
	}
}

func (c *Coordinator) withoutCommitter() (out []types.VertexID) {
	for _, v := range c.cfg.Vertices {
		if !v.Committer {
			out = append(out, v.ID)
		}
	}
	return out
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

// conclude says that the job may finish once its last checkpoint is complete and everything is confirmed.
func (c *Coordinator) conclude() {
	if c.last == nil || len(c.outstanding) > 0 {
		return
	}
	c.phase = halted
	c.emit(*c.last)
}
