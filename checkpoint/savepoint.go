package checkpoint

import (
	"cmp"
	"fmt"
	"slices"

	"millrace/internal/mutant"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// A savepoint is a copy of a complete checkpoint, made beside processing: the checkpoint is taken as any other and becomes
// the latest; then every task's chain of files is folded into one file of the savepoint's own, the sinks confirm the
// checkpoint, and a manifest that names nothing else is written and counts by a transaction of its own. So recovery never
// needs what is the user's, no job falls back behind a savepoint that is whole, and a savepoint has nothing to commit.

// saving is a savepoint on its way, from the trigger of its checkpoint on. One is made at a time.
type saving struct {
	request uint64 // whose it is; 0: of the job's last checkpoint
	id      types.CheckpointID
	// manifest is the savepoint's, nil until the checkpoint is complete. Files that are not copied yet are missing in it.
	manifest   *checkpointv1.Manifest
	awaited    map[types.TaskID][]*checkpointv1.StateFile // what is to be copied
	bytes      int64                                      // of all files
	deadline   int64
	persisting bool
	// again is when what failed is tried again; 0: nothing has failed.
	again, delay int64
}

// savepointRequested queues a wish. Each has a savepoint of its own: whoever owns one may delete it.
func (c *Coordinator) savepointRequested(request uint64) {
	if len(c.savesWanted) >= SavepointsWaitingMax {
		c.emit(SavepointFailed{Request: request, Reason: fmt.Sprintf("%d savepoints are waiting already", len(c.savesWanted))})
		return
	}
	c.savesWanted = append(c.savesWanted, request)
}

// beginSaving notes that the checkpoint being triggered is one of which a savepoint is made.
func (c *Coordinator) beginSaving(id types.CheckpointID, kind Kind) {
	switch {
	case kind == Savepoint:
		c.saving = &saving{request: c.savesWanted[0], id: id}
		c.savesWanted = slices.Delete(c.savesWanted, 0, 1)
	case c.savesLast && kind != Periodic:
		c.saving = &saving{id: id}
	}
}

// lastComplete takes note of the last checkpoint. It may have been triggered before anybody wanted a savepoint of it: where
// tasks have ended, another leader goes on with it before it hears of the wish.
func (c *Coordinator) lastComplete(p *pending) {
	if c.saving == nil || c.saving.id != p.id {
		c.unsaved = p
		c.saveLast()
	}
}

// saveLast begins the savepoint of the last checkpoint once that is complete, it is wanted, and no other is being made.
func (c *Coordinator) saveLast() {
	if p := c.unsaved; p != nil && c.savesLast && c.saving == nil {
		c.unsaved, c.saving = nil, &saving{id: p.id}
		c.save(p)
	}
}

// checkpointFailed gives the savepoint of a checkpoint up that will not be complete. The last one of a job is triggered
// again, and with it its savepoint.
func (c *Coordinator) checkpointFailed(id types.CheckpointID, reason string) {
	if s := c.saving; s != nil && s.id == id && s.manifest == nil {
		c.endSaving(reason)
	}
}

// endSaving gives the savepoint up that is being made. The end of the job may have waited for it.
func (c *Coordinator) endSaving(reason string) {
	s := c.saving
	c.saving = nil
	if s.request != 0 {
		c.emit(SavepointFailed{Request: s.request, ID: s.id, Reason: reason})
	}
	if c.phase == live {
		c.saveLast()
		c.conclude()
	}
}

// endSavings gives up what is being made and what is waiting, because nothing is triggered any more.
func (c *Coordinator) endSavings(reason string) {
	if c.saving != nil {
		c.endSaving(reason)
	}
	for _, r := range c.savesWanted {
		c.emit(SavepointFailed{Request: r, Reason: reason})
	}
	c.savesWanted = nil
}

// save begins the copies of a checkpoint that has just become complete.
func (c *Coordinator) save(p *pending) {
	s := c.saving
	if s == nil || s.id != p.id {
		return
	}
	s.deadline = c.now + millis(c.cfg.Spec.Timeout)
	s.manifest, s.awaited = savedManifest(p.manifest), make(map[types.TaskID][]*checkpointv1.StateFile)
	for i, v := range p.manifest.Vertices {
		if err := checkAligned(p.manifest, v); err != nil { // barriers of this kind overtake nothing
			c.savingFailed(err.Error())
			return
		}
		for k, t := range v.Tasks {
			if standsAlone(t.Files) || mutant.On(mutant.SavepointShares) {
				s.manifest.Vertices[i].Tasks[k].Files = t.Files
				continue
			}
			files := t.Files
			if mutant.On(mutant.SavepointIncomplete) && len(files) > 1 {
				files = files[:len(files)-1]
			}
			s.awaited[types.TaskID{Vertex: types.VertexID(v.VertexId), Subtask: int32(k)}] = files
		}
	}
	c.copy()
	c.saved()
}

// standsAlone tells whether files need no copy: they are in the manifest, and as few as they can be.
func standsAlone(files []*checkpointv1.StateFile) bool {
	return len(files) == 0 || len(files) == 1 && files[0].GetObject() == ""
}

// savedManifest is that of a savepoint without any files: it has no checkpoint before it, and nothing to commit.
func savedManifest(of *checkpointv1.Manifest) *checkpointv1.Manifest {
	m := &checkpointv1.Manifest{
		FormatVersion: of.FormatVersion, JobId: of.JobId, CheckpointId: of.CheckpointId, Attempt: of.Attempt, Term: of.Term,
		Kind: of.Kind, TriggeredUnixMillis: of.TriggeredUnixMillis,
	}
	for _, v := range of.Vertices {
		s := &checkpointv1.VertexState{
			VertexId: v.VertexId, MaxParallelism: v.MaxParallelism, Enumerator: v.Enumerator,
			LargestParallelism: v.LargestParallelism, Unassigned: v.Unassigned,
		}
		for _, t := range v.Tasks {
			n := &checkpointv1.TaskState{Splits: t.Splits, Watermarks: t.Watermarks, Ended: t.Ended, Ledger: t.Ledger}
			if mutant.On(mutant.SavepointCommits) {
				n.Committables = t.Committables
			}
			s.Tasks = append(s.Tasks, n)
		}
		m.Vertices = append(m.Vertices, s)
	}
	return m
}

// copy asks for what is not copied yet.
func (c *Coordinator) copy() {
	s := c.saving
	e := CopyState{ID: s.id}
	for t, files := range s.awaited {
		e.Tasks = append(e.Tasks, StateCopy{Task: t, Files: files})
	}
	if len(e.Tasks) > 0 {
		slices.SortFunc(e.Tasks, func(a, b StateCopy) int {
			return cmp.Or(cmp.Compare(a.Task.Vertex, b.Task.Vertex), cmp.Compare(a.Task.Subtask, b.Task.Subtask))
		})
		c.emit(e)
	}
}

func (c *Coordinator) stateCopied(e StateCopied) {
	s := c.saving
	if s == nil || s.id != e.ID || s.awaited[e.Task] == nil {
		return
	}
	groups := s.awaited[e.Task][0]
	problem := e.Reason
	if problem == "" {
		problem = checkFile(e.File, fileBase, types.KeyGroupRange{First: types.KeyGroup(groups.FirstKeyGroup), Last: types.KeyGroup(groups.LastKeyGroup)})
	}
	if problem != "" {
		c.savingFailed(fmt.Sprintf("the state of task %s was not copied: %s", e.Task, problem))
		return
	}
	for _, v := range s.manifest.Vertices {
		if v.VertexId == string(e.Task.Vertex) {
			v.Tasks[e.Task.Subtask].Files = []*checkpointv1.StateFile{e.File}
		}
	}
	s.bytes += e.File.Bytes
	delete(s.awaited, e.Task)
	c.saved()
}

// savingFailed gives a user's savepoint up; that of the last checkpoint is tried again, since the job waits for it.
func (c *Coordinator) savingFailed(reason string) {
	s := c.saving
	if s.request != 0 {
		c.endSaving(reason)
		return
	}
	s.persisting = false
	s.delay = min(max(2*s.delay, retryMinMillis), retryMaxMillis)
	s.again = c.now + s.delay
	c.emit(SavepointFailed{ID: s.id, Reason: reason})
}

// saved asks that the savepoint be made whole, once everything is copied and the sinks have confirmed the checkpoint.
func (c *Coordinator) saved() {
	s := c.saving
	if s == nil || s.manifest == nil || s.persisting || s.again != 0 || len(s.awaited) > 0 ||
		c.isUnconfirmed(s.id) && !mutant.On(mutant.SavepointEarly) {
		return
	}
	if err := Validate(s.manifest); err != nil {
		c.savingFailed(err.Error())
		return
	}
	s.persisting = true
	e := PersistSavepoint{ID: s.id, Manifest: s.manifest, Bytes: s.bytes}
	if s.request != 0 {
		e.Deadline = s.deadline
	}
	c.emit(e)
}

func (c *Coordinator) savepointPersisted(e SavepointPersisted) {
	s := c.saving
	if s == nil || s.id != e.ID || !s.persisting {
		return
	}
	c.saving = nil
	c.emit(SavepointCompleted{
		Request: s.request, ID: s.id, Kind: KindOf(s.manifest.Kind), TriggeredAt: s.manifest.TriggeredUnixMillis,
		ManifestKey: e.ManifestKey, Bytes: s.bytes,
	})
	c.saveLast()
	c.conclude()
}

func (c *Coordinator) savepointPersistFailed(e SavepointPersistFailed) {
	s := c.saving
	switch {
	case s == nil || s.id != e.ID || !s.persisting:
	case e.Fenced:
		c.pending, c.phase = nil, halted
		c.emit(StepDown{Reason: e.Reason})
	default:
		c.savingFailed("persist: " + e.Reason)
	}
}

// savingTick gives up what takes too long, and tries again what the job's end waits for.
func (c *Coordinator) savingTick() {
	s := c.saving
	switch {
	case s == nil || s.manifest == nil || s.persisting:
	case s.again != 0 && c.now >= s.again:
		s.again = 0
		c.copy()
		c.saved()
	case s.request != 0 && c.now >= s.deadline:
		c.endSaving(fmt.Sprintf("timed out after %s: %s", c.cfg.Spec.Timeout, s.missing(c.isUnconfirmed(s.id))))
	}
}

// missing says what a savepoint waits for.
func (s *saving) missing(unconfirmed bool) string {
	switch {
	case len(s.awaited) > 0:
		return fmt.Sprintf("the state of %d tasks is not copied", len(s.awaited))
	case unconfirmed:
		return fmt.Sprintf("the sinks have not confirmed checkpoint %d", s.id)
	default:
		return "its manifest is not written"
	}
}

// keeps tells whether a savepoint is being made of a checkpoint, which is kept meanwhile.
func (c *Coordinator) keeps(id types.CheckpointID) bool {
	return c.saving != nil && c.saving.manifest != nil && c.saving.id == id
}
