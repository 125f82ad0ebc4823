package checkpoint

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// saves is what a world knows of savepoints.
type saves struct {
	requests uint64
	asked    map[uint64]bool // and not answered
	of       types.CheckpointID
	copies   []StateCopy // that are not answered
	persist  *PersistSavepoint
	answered int
}

// state is what a task acknowledges, but for committables.
func (w *world) state(task types.TaskID) *checkpointv1.TaskState {
	parallelism := 1
	if task.Vertex == "src" {
		parallelism = 2
	}
	groups := types.KeyGroupRangeOf(int(task.Subtask), parallelism, 8)
	return &checkpointv1.TaskState{Ended: w.ended[task], Files: []*checkpointv1.StateFile{testFile(fileBase, "chunk", groups)}}
}

func (w *world) ask(e *TriggerRequested) {
	w.saves.requests++
	e.Request = w.saves.requests
	if w.saves.asked == nil {
		w.saves.asked = make(map[uint64]bool)
	}
	w.saves.asked[e.Request] = true
}

// savepoint checks an effect that concerns savepoints.
func (w *world) savepoint(e Effect) {
	s := &w.saves
	switch e := e.(type) {
	case CopyState:
		if !w.complete[e.ID] || s.persist != nil {
			w.t.Fatalf("%s: complete %v, being persisted %v", e, w.complete[e.ID], s.persist)
		}
		s.of, s.copies = e.ID, e.Tasks
	case PersistSavepoint:
		if s.persist != nil || e.ID != s.of || len(s.copies) > 0 || w.confirmed < e.ID {
			w.t.Fatalf("%s: of %d, %d copies missing, confirmed %d", e, s.of, len(s.copies), w.confirmed)
		}
		for file := range Objects(e.Manifest) {
			if !strings.HasPrefix(file.GetObject(), "copy") {
				w.t.Fatalf("%s names %s, which is not its own", e, file.GetObject())
			}
		}
		for _, v := range e.Manifest.Vertices {
			if n := len(committablesOf(v)); n > 0 {
				w.t.Fatalf("%s has %d committables", e, n)
			}
		}
		s.persist = &e
	case SavepointCompleted:
		w.answered(e.Request, e)
	case SavepointFailed:
		if e.Request != 0 {
			w.answered(e.Request, e)
		}
	default:
	}
}

// answered notes that a request has its answer, which comes once.
func (w *world) answered(request uint64, by Effect) {
	if request != 0 && !w.saves.asked[request] {
		w.t.Fatalf("%s: nobody waits for it", by)
	}
	delete(w.saves.asked, request)
	w.saves.answered++
	if c, ok := by.(SavepointFailed); !ok || c.ID == w.saves.of {
		w.saves.of, w.saves.copies, w.saves.persist = 0, nil, nil
	}
}

// copy answers a copy, or one that nobody waits for any more.
func (w *world) copy(t *rapid.T) {
	if len(w.saves.copies) == 0 {
		w.step(StateCopied{ID: w.anyID(t), Task: rapid.SampledFrom(tasks).Draw(t, "task"), Reason: "stray"})
		return
	}
	e := StateCopied{ID: w.saves.of, Task: w.saves.copies[0].Task}
	if rapid.IntRange(0, 5).Draw(t, "failed") == 0 {
		e.Reason = "disk full"
	} else {
		e.File = w.copied(w.saves.copies[0])
		w.saves.copies = w.saves.copies[1:]
	}
	w.step(e)
}

func (w *world) copied(c StateCopy) *checkpointv1.StateFile {
	return testFile(fileBase, "copy", types.KeyGroupRange{First: types.KeyGroup(c.Files[0].FirstKeyGroup), Last: types.KeyGroup(c.Files[0].LastKeyGroup)})
}

func (w *world) answerSave(t *rapid.T) {
	p := w.saves.persist
	if p == nil {
		w.step(SavepointPersisted{ID: w.anyID(t)})
		return
	}
	if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
		w.saves.persist = nil
		w.step(SavepointPersistFailed{ID: p.ID, Reason: "lost", Fenced: rapid.IntRange(0, 9).Draw(t, "fenced") == 0})
		return
	}
	w.step(SavepointPersisted{ID: p.ID, ManifestKey: "s"})
}

// healSave answers all that is under way for a savepoint.
func (w *world) healSave() {
	for len(w.saves.copies) > 0 && !w.over {
		c := w.saves.copies[0]
		w.saves.copies = w.saves.copies[1:]
		w.step(StateCopied{ID: w.saves.of, Task: c.Task, File: w.copied(c)})
	}
	if p := w.saves.persist; p != nil && !w.over {
		w.step(SavepointPersisted{ID: p.ID, ManifestKey: "s"})
	}
}

// Eventually, after healing: every request for a savepoint is answered, whatever went before, and with a savepoint where
// nothing fails any more.
func TestSavepointsComeAfterHealing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.cfg.Spec.TolerableFailures = 1 << 30
		w.c = New(w.cfg)
		w.step(TasksRunning{})
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			rapid.SampledFrom([]func(*rapid.T){w.tick, w.acknowledge, w.answerPersist, w.confirm, w.decline, w.round, w.stop, w.restore, w.copy, w.answerSave, w.askOne}).Draw(t, "what")(t)
		}
		w.heal()
		w.restore(t)
		for range 10 * SavepointsWaitingMax {
			w.heal()
		}
		if w.over {
			return // deposed
		}
		if n := len(w.saves.asked); n > 0 {
			t.Fatalf("%d requests are not answered", n)
		}
		e := TriggerRequested{Kind: Savepoint}
		w.ask(&e)
		w.step(e)
		for range 3 {
			w.heal()
		}
		if w.saves.asked[e.Request] {
			t.Fatal("a request is not answered although nothing fails")
		}
	})
}

func (w *world) askOne(*rapid.T) {
	e := TriggerRequested{Kind: Savepoint}
	w.ask(&e)
	w.step(e)
}

func (w *world) askLast(*rapid.T) { w.step(TriggerRequested{Kind: Final, Savepoint: true}) }
