package checkpoint

import (
	"fmt"
	"strings"

	"millrace/internal/mutant"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// pending is a checkpoint on its way: tasks acknowledge it, then it is persisted.
type pending struct {
	id          types.CheckpointID
	kind        Kind
	triggeredAt int64
	deadline    int64
	states      map[types.TaskID]*checkpointv1.TaskState
	figures     Figures // sums; AlignmentMicros is the largest
	unaligned   int32   // tasks in which the barrier overtook rows
	persisting  bool    // every task has acknowledged
	// unassigned are the restored splits that no reader had when the checkpoint was triggered.
	unassigned map[types.VertexID][]*checkpointv1.SplitState
	// What the Persist asks for, for the time when it has happened.
	manifest     *checkpointv1.Manifest
	retain, drop []Pointer
}

func newPending(id types.CheckpointID, kind Kind, now, deadline int64) *pending {
	return &pending{
		id: id, kind: kind, triggeredAt: now, deadline: deadline, states: make(map[types.TaskID]*checkpointv1.TaskState),
		unassigned: make(map[types.VertexID][]*checkpointv1.SplitState),
	}
}

// collecting returns the pending checkpoint if it is that one and still awaits tasks.
func (c *Coordinator) collecting(id types.CheckpointID) *pending {
	if p := c.pending; p != nil && p.id == id && !p.persisting {
		return p
	}
	return nil
}

// taken ends the pending checkpoint's persisting, if it is that one that is persisted.
func (c *Coordinator) taken(id types.CheckpointID) *pending {
	p := c.pending
	if p == nil || p.id != id || !p.persisting {
		return nil
	}
	c.pending, c.lastEnd = nil, c.now
	return p
}

func (c *Coordinator) acknowledged(e Acknowledged) {
	p, v := c.collecting(e.ID), c.vertexOf(e.Task)
	if p == nil || v == nil || p.states[e.Task] != nil {
		return
	}
	// A manifest with this in it could not be read back: better no checkpoint than such a one.
	if problems := checkTask(e.State, int(e.Task.Subtask), int(v.Parallelism), c.cfg.MaxParallelism); len(problems) > 0 {
		c.fail(fmt.Sprintf("task %s acknowledged what can't be restored: %s", e.Task, strings.Join(problems, "; ")))
		return
	}
	p.states[e.Task] = e.State
	p.figures.WrittenBytes += e.Figures.WrittenBytes
	p.figures.StateBytes += e.Figures.StateBytes
	p.figures.InFlightBytes += e.Figures.InFlightBytes
	if e.Figures.Unaligned {
		p.unaligned++
	}
	p.figures.AlignmentMicros = max(p.figures.AlignmentMicros, e.Figures.AlignmentMicros)
	if len(p.states) == c.tasks {
		c.persist(p)
	}
}

func (c *Coordinator) declined(e Declined) {
	if c.collecting(e.ID) != nil && c.vertexOf(e.Task) != nil {
		c.fail(fmt.Sprintf("task %s declined: %s", e.Task, e.Reason))
	}
}

// persist asks that the checkpoint be made complete. From here until the answer nothing aborts it: the transaction may
// have happened.
func (c *Coordinator) persist(p *pending) {
	m := c.manifest(p)
	if err := Validate(m); err != nil {
		c.fail(err.Error())
		return
	}
	p.persisting, p.manifest = true, m
	p.retain, p.drop = c.retention()
	if mutant.On(mutant.CommitBeforeManifest) {
		c.commit(m, func(types.VertexID) bool { return true })
	}
	c.emit(Persist{ID: p.id, Manifest: m, Previous: c.latest, Retain: p.retain, Drop: p.drop, Deadline: p.deadline})
}

func (c *Coordinator) manifest(p *pending) *checkpointv1.Manifest {
	m := &checkpointv1.Manifest{
		FormatVersion: FormatVersion, JobId: string(c.cfg.Job), CheckpointId: uint64(p.id), Attempt: uint64(c.cfg.Attempt),
		Term: uint64(c.cfg.Term), PreviousSha256: c.latest.Sum.Bytes(), PreviousCheckpointId: uint64(c.latest.ID),
		Kind: p.kind.Proto(), TriggeredUnixMillis: p.triggeredAt,
	}
	for _, v := range c.cfg.Vertices {
		s := &checkpointv1.VertexState{
			VertexId: string(v.ID), MaxParallelism: int32(c.cfg.MaxParallelism), Enumerator: v.Enumerator,
			LargestParallelism: max(v.LargestParallelism, v.Parallelism), Unassigned: p.unassigned[v.ID],
		}
		for i := range v.Parallelism {
			s.Tasks = append(s.Tasks, p.states[types.TaskID{Vertex: v.ID, Subtask: i}])
		}
		m.Vertices = append(m.Vertices, s)
	}
	return m
}

// retention divides the retained checkpoints into those that are kept beside a new one and those that are dropped. What
// sinks have not confirmed is kept: it says what there is to commit. So is what a savepoint is being made of.
func (c *Coordinator) retention() (retain, drop []Pointer) {
	surplus := len(c.retained) + 1 - c.cfg.Spec.Retained
	for _, r := range c.retained {
		if surplus > 0 && !c.isUnconfirmed(r.ID) && !c.keeps(r.ID) {
			drop = append(drop, r)
			surplus--
			continue
		}
		retain = append(retain, r)
	}
	return retain, drop
}

func (c *Coordinator) isUnconfirmed(id types.CheckpointID) bool {
	for _, u := range c.outstanding {
		if u.id == id {
			return true
		}
	}
	return false
}

func (c *Coordinator) persistFailed(e PersistFailed) {
	if p := c.pending; p == nil || p.id != e.ID || !p.persisting {
		return
	}
	if e.Fenced {
		c.pending, c.phase = nil, halted
		c.emit(StepDown{Reason: e.Reason})
		return
	}
	c.fail("persist: " + e.Reason)
}

// timeoutReason names tasks that have not acknowledged; a few are enough to look for.
func (c *Coordinator) timeoutReason(p *pending) string {
	const named = 5
	var missing []string
	for _, v := range c.cfg.Vertices {
		for i := range v.Parallelism {
			if t := (types.TaskID{Vertex: v.ID, Subtask: i}); p.states[t] == nil && len(missing) < named {
				missing = append(missing, t.String())
			}
		}
	}
	n := c.tasks - len(p.states)
	more := ""
	if n > len(missing) {
		more = fmt.Sprintf(" and %d more", n-len(missing))
	}
	return fmt.Sprintf("timed out after %s: no acknowledgement from %s%s", c.cfg.Spec.Timeout, strings.Join(missing, ", "), more)
}

func tooManyFailures(n int, id types.CheckpointID, reason string) string {
	if n == 1 {
		return fmt.Sprintf("checkpoint %d failed: %s", id, reason)
	}
	return fmt.Sprintf("%d checkpoints failed in a row, the last was %d: %s", n, id, reason)
}
