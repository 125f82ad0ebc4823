package checkpoint

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/types"
)

// world plays the shell, the tasks, the store and the committers around a coordinator, in any order and with duplicates
// and refusals, and checks after each step what must never be.
type world struct {
	t   *rapid.T
	cfg Config
	c   *Coordinator
	now int64

	used      types.CheckpointID // the largest id ever triggered
	triggered types.CheckpointID // pending; 0: none
	acked     map[types.TaskID]bool
	persists  *Persist // under way
	latest    types.CheckpointID
	retained  []Pointer
	complete  map[types.CheckpointID]bool
	aborted   map[types.CheckpointID]bool
	confirmed types.CheckpointID // by the sink's committer
	commits   []types.CheckpointID
	ended     map[types.TaskID]bool
	final     bool
	over      bool
	// stopped is the vertex whose tasks are gone, quiet what was said about that.
	stopped types.VertexID
	quiet   bool
	// tasks' unconfirmed epochs, as the sink task has them.
	epochs []types.CheckpointID
	// promised is what the sink task acknowledged for the pending checkpoint. A confirmation may come after it.
	promised [][]byte
	saves    saves
}

var (
	source = types.TaskID{Vertex: "src"}
	other  = types.TaskID{Vertex: "src", Subtask: 1}
	sink   = types.TaskID{Vertex: "sink"}
	tasks  = []types.TaskID{source, other, sink}
)

func newWorld(t *rapid.T) *world {
	cfg := Config{Job: "j", Attempt: 1, Term: 1, MaxParallelism: 8, Vertices: []Vertex{
		{ID: "src", Parallelism: 2, Source: true}, {ID: "sink", Parallelism: 1, Committer: true},
	}}
	cfg.Spec.Interval = time.Duration(rapid.IntRange(0, 5).Draw(t, "interval")) * time.Millisecond
	cfg.Spec.Timeout = 20 * time.Millisecond
	cfg.Spec.TolerableFailures = rapid.IntRange(0, 3).Draw(t, "tolerable")
	cfg.Spec.Retained = rapid.IntRange(1, 4).Draw(t, "retained")
	return &world{
		t: t, cfg: cfg, c: New(cfg), complete: make(map[types.CheckpointID]bool), aborted: make(map[types.CheckpointID]bool),
		ended: make(map[types.TaskID]bool),
	}
}

func (w *world) step(ev Event) {
	for _, e := range w.c.Step(ev) {
		w.effect(e, ev)
	}
}

// effect checks one effect and does what the shell would.
func (w *world) effect(e Effect, cause Event) {
	if w.over {
		switch e.(type) {
		case Closed, SavepointFailed:
		default:
			w.t.Fatalf("%s after the end", e)
		}
	}
	switch e := e.(type) {
	case Quiet:
		if w.stopped == "" || w.quiet || w.triggered != 0 || w.persists != nil {
			w.t.Fatalf("%s while %q is stopped and %d is pending", e, w.stopped, w.triggered)
		}
		w.quiet = true
	case Trigger:
		if w.stopped != "" {
			w.t.Fatalf("%s while %s is stopped", e, w.stopped)
		}
		if w.triggered != 0 || w.persists != nil {
			w.t.Fatalf("%s while %d is pending", e, w.triggered)
		}
		if e.ID <= w.used {
			w.t.Fatalf("%s after %d was used", e, w.used)
		}
		if e.Kind == Final && len(w.ended) != len(tasks) {
			w.t.Fatalf("%s before all tasks have ended", e)
		}
		w.used, w.triggered, w.acked = e.ID, e.ID, make(map[types.TaskID]bool)
		w.epochs = append(w.epochs, e.ID)
	case Persist:
		w.persist(e)
	case Commit:
		if _, ok := cause.(Persisted); !ok || !w.complete[e.Permit.ID()] {
			w.t.Fatalf("%s on %s", e, cause)
		}
		if got, want := quoted(e.Permit.Committables()), quoted(w.promised); got != want {
			w.t.Fatalf("%s: want %s", e, want)
		}
		w.commits = append(w.commits, e.Permit.ID())
	case NotifyComplete:
		w.notifyComplete(e)
	case NotifyAborted:
		if w.complete[e.ID] || w.persists != nil && w.persists.ID == e.ID {
			w.t.Fatalf("%s: it may be complete", e)
		}
		w.aborted[e.ID], w.triggered = true, 0
	case Retire:
		for _, d := range e.Dropped {
			if d.ID == w.latest || d.ID > w.confirmed || d.ID == w.saves.of {
				w.t.Fatalf("%s with latest %d, confirmed %d, a savepoint of %d", e, w.latest, w.confirmed, w.saves.of)
			}
		}
	case FinalComplete:
		if !w.complete[e.ID] || e.ID != w.latest || w.confirmed != e.ID {
			w.t.Fatalf("%s with latest %d, confirmed %d", e, w.latest, w.confirmed)
		}
		w.final, w.over = true, true
	case FailJob, StepDown:
		w.over = true
	default:
		w.savepoint(e)
	}
}

// committables are what the sink task carries at a checkpoint: one for each epoch that it does not know to be confirmed.
func (w *world) committables(id types.CheckpointID) (out [][]byte) {
	for _, e := range w.epochs {
		if e <= id {
			out = append(out, fmt.Appendf(nil, "t%d", e))
		}
	}
	return out
}

func (w *world) persist(e Persist) {
	if w.persists != nil || e.ID != w.triggered || len(w.acked) != len(tasks) {
		w.t.Fatalf("%s with %d pending and %d acknowledgements", e, w.triggered, len(w.acked))
	}
	if e.Previous.ID != w.latest {
		w.t.Fatalf("%s, the store has %d", e, w.latest)
	}
	if err := Validate(e.Manifest); err != nil {
		w.t.Fatal(err)
	}
	if got := len(e.Retain) + len(e.Drop); got != len(w.retained) {
		w.t.Fatalf("%s leaves out some of %v", e, w.retained)
	}
	w.persists = &e
}

func (w *world) notifyComplete(e NotifyComplete) {
	for _, v := range e.Vertices {
		if !w.complete[e.ID] || v == "sink" && w.confirmed < e.ID {
			w.t.Fatalf("%s: complete %v, confirmed %d", e, w.complete[e.ID], w.confirmed)
		}
		if v == "sink" {
			var rest []types.CheckpointID
			for _, id := range w.epochs {
				if id > e.ID {
					rest = append(rest, id)
				}
			}
			w.epochs = rest
		}
	}
}

func (w *world) tick(t *rapid.T) {
	w.now += rapid.Int64Range(-1, 12).Draw(t, "by")
	w.step(Tick{w.now})
}

func (w *world) acknowledge(t *rapid.T) {
	task := rapid.SampledFrom(tasks).Draw(t, "task")
	id := w.anyID(t)
	state := w.state(task)
	if task == sink {
		state.Committables = w.committables(id)
	}
	if id != 0 && id == w.triggered && w.persists == nil {
		if task == sink && !w.acked[sink] {
			w.promised = state.Committables
		}
		w.acked[task] = true
	}
	w.step(Acknowledged{ID: id, Task: task, State: state})
}

// anyID is the pending checkpoint as a rule, and sometimes any other.
func (w *world) anyID(t *rapid.T) types.CheckpointID {
	if w.triggered != 0 && rapid.IntRange(0, 9).Draw(t, "stray") > 0 {
		return w.triggered
	}
	return types.CheckpointID(rapid.Uint64Range(0, uint64(w.used)+2).Draw(t, "id"))
}

func (w *world) answerPersist(t *rapid.T) {
	if w.persists == nil {
		id := w.anyID(t)
		w.step(Persisted{ID: id, ManifestKey: "stray"})
		w.step(PersistFailed{ID: id})
		return
	}
	p := *w.persists
	w.persists = nil
	if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
		w.step(PersistFailed{ID: p.ID, Reason: "lost", Fenced: rapid.IntRange(0, 9).Draw(t, "fenced") == 0})
		return
	}
	w.persists = &p
	w.persistPending()
}

// confirm answers the oldest Commit, or a later one, which settles those before it.
func (w *world) confirm(t *rapid.T) {
	if len(w.commits) == 0 {
		w.step(Committed{Vertex: "src", ID: w.latest})
		return
	}
	i := rapid.IntRange(0, len(w.commits)-1).Draw(t, "commit")
	id := w.commits[i]
	w.commits = w.commits[i+1:]
	w.confirmed = id
	w.step(Committed{Vertex: "sink", ID: id})
}

func (w *world) endTask(t *rapid.T) {
	task := rapid.SampledFrom(tasks).Draw(t, "task")
	w.ended[task] = true
	w.step(TaskEnded{task})
}

func (w *world) decline(t *rapid.T) {
	w.step(Declined{ID: w.anyID(t), Task: rapid.SampledFrom(tasks).Draw(t, "task"), Reason: "no"})
}

func (w *world) trigger(t *rapid.T) {
	e := TriggerRequested{Kind: rapid.SampledFrom([]Kind{Periodic, Savepoint, Savepoint, Suspend, Final}).Draw(t, "kind")}
	switch e.Kind {
	case Savepoint:
		w.ask(&e)
	case Suspend, Final:
		e.Savepoint = rapid.Bool().Draw(t, "savepoint")
	default:
	}
	w.step(e)
}

// stop ends the tasks of one vertex, as a failure does.
func (w *world) stop(t *rapid.T) {
	if w.stopped != "" || w.over {
		return
	}
	w.stopped, w.quiet = rapid.SampledFrom([]types.VertexID{"src", "sink"}).Draw(t, "stopped"), false
	for _, task := range tasks {
		if task.Vertex == w.stopped {
			delete(w.ended, task)
		}
	}
	w.step(RegionsStopped{Vertices: []types.VertexID{w.stopped}, Reason: "a task failed"})
}

// restore brings the tasks back, once nothing is under way. The sink's committer recovers first, and its task knows nothing
// of earlier epochs.
func (w *world) restore(*rapid.T) {
	if w.stopped == "" || !w.quiet || w.over {
		return
	}
	v := w.cfg.Vertices[0]
	if w.stopped == "sink" {
		v = w.cfg.Vertices[1]
		w.confirmed, w.commits, w.epochs = w.latest, nil, nil
	}
	w.stopped = ""
	w.step(RegionsRestored{From: w.latest, Vertices: []Vertex{v}})
	w.step(TasksRunning{})
}

// Never two pending, ids rise, commits only after the transaction, sinks told only after their committer, nothing
// dropped that is needed, nothing aborted that may be complete.
func TestNever(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.step(TasksRunning{})
		t.Repeat(map[string]func(*rapid.T){
			"tick": w.tick, "ack": w.acknowledge, "ack2": w.acknowledge, "ack3": w.acknowledge, "persist": w.answerPersist,
			"confirm": w.confirm, "end": w.endTask, "decline": w.decline, "trigger": w.trigger, "round": w.round, "round2": w.round,
			"stop": w.stop, "restore": w.restore, "restore2": w.restore, "copy": w.copy, "copy2": w.copy, "save": w.answerSave,
		})
	})
}

// Eventually, after healing: once tasks acknowledge and the store and the committer answer, a job whose tasks have all
// ended gets its final checkpoint; it does not hang on anything that went before.
func TestFinalComesAfterHealing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.cfg.Spec.TolerableFailures = 1 << 30
		w.c = New(w.cfg)
		w.step(TasksRunning{})
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			rapid.SampledFrom([]func(*rapid.T){w.tick, w.acknowledge, w.answerPersist, w.confirm, w.decline, w.endTask, w.round, w.round, w.stop, w.restore, w.askOne, w.askLast, w.copy, w.answerSave}).Draw(t, "what")(t)
		}
		w.heal()
		w.restore(t)
		for _, task := range tasks {
			w.ended[task] = true
			w.step(TaskEnded{task})
		}
		for range 50 {
			w.heal()
		}
		if !w.over {
			t.Fatal("the final checkpoint never came")
		}
	})
}

// round takes a checkpoint through without trouble, but for the committer, who is slow: with random steps alone few
// checkpoints would come to an end, and hardly ever several without a confirmation.
func (w *world) round(*rapid.T) {
	w.now += 30
	w.step(Tick{w.now})
	w.acknowledgeAll()
	w.persistPending()
}

func (w *world) acknowledgeAll() {
	for _, task := range tasks {
		if w.triggered == 0 || w.persists != nil || w.acked[task] {
			continue
		}
		state := w.state(task)
		if task == sink {
			state.Committables = w.committables(w.triggered)
			w.promised = state.Committables
		}
		w.acked[task] = true
		w.step(Acknowledged{ID: w.triggered, Task: task, State: state})
	}
}

func (w *world) persistPending() {
	if p := w.persists; p != nil {
		w.persists, w.latest, w.complete[p.ID], w.triggered = nil, p.ID, true, 0
		w.retained = append(p.Retain, Pointer{ID: p.ID})
		w.step(Persisted{ID: p.ID, ManifestKey: "m", Sum: Sum{1}})
	}
}

// heal answers everything that is under way.
func (w *world) heal() {
	w.now += retryMaxMillis
	w.acknowledgeAll()
	w.persistPending()
	for len(w.commits) > 0 {
		id := w.commits[len(w.commits)-1] // which confirms those before it
		w.commits, w.confirmed = nil, id
		w.step(Committed{Vertex: "sink", ID: id})
	}
	w.healSave()
	w.step(Tick{w.now})
}
