package checkpoint

import (
	"slices"

	"millrace/types"
)

// regionsStopped stops checkpoints, since some tasks are gone. What is being persisted may have happened: it is awaited.
func (c *Coordinator) regionsStopped(e RegionsStopped) {
	c.stopped, c.owes = true, true
	for t := range c.ended {
		if slices.Contains(e.Vertices, t.Vertex) {
			delete(c.ended, t)
		}
	}
	if p := c.pending; p != nil && !p.persisting {
		c.pending, c.lastEnd = nil, c.now
		c.emit(NotifyAborted{ID: p.id})
		c.emit(Failed{ID: p.id, Kind: p.kind, Reason: e.Reason})
		c.checkpointFailed(p.id, e.Reason)
	}
	if s := c.saving; s != nil && s.manifest != nil && !s.persisting {
		c.savingFailed(e.Reason) // who was copying may be gone, and its output be given up with the checkpoint
	}
	c.quiet()
}

// quiet says that nothing is under way, once, where that is awaited.
func (c *Coordinator) quiet() {
	if c.owes && c.pending == nil && c.phase == live {
		c.owes = false
		c.emit(Quiet{})
	}
}

// regionsRestored takes the vertices over as they are deployed now. Their committers have recovered: what there was to commit
// is committed, or given up with the checkpoint that could not be restored.
func (c *Coordinator) regionsRestored(e RegionsRestored) {
	c.tasks = 0
	for i := range c.cfg.Vertices {
		v := &c.cfg.Vertices[i]
		if k := slices.IndexFunc(e.Vertices, func(n Vertex) bool { return n.ID == v.ID }); k >= 0 {
			largest := max(v.LargestParallelism, v.Parallelism)
			*v = e.Vertices[k]
			v.LargestParallelism = max(v.LargestParallelism, largest)
		}
		c.tasks += int(v.Parallelism)
	}
	for _, v := range e.Vertices {
		for _, u := range c.outstanding {
			delete(u.waiting, v.ID)
		}
	}
	c.confirm(func(id types.CheckpointID) bool { return id <= e.From })
	c.saved()
	c.conclude()
}

// confirm forgets checkpoints for which nobody waits any more, and says so of those that are confirmed.
func (c *Coordinator) confirm(confirmed func(types.CheckpointID) bool) {
	c.outstanding = slices.DeleteFunc(c.outstanding, func(u unconfirmed) bool {
		if len(u.waiting) > 0 {
			return false
		}
		if confirmed(u.id) {
			c.emit(CommitsConfirmed{ID: u.id})
		}
		return true
	})
}
