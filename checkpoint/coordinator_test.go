package checkpoint

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"millrace/internal/testutil/corescript"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// TestScripts runs the scripts in testdata/coordinator. The commands:
//
//	new src=2 agg=2 sink=1 committers=(sink) interval=10s min-pause=1s timeout=1m tolerable=1 retained=3 allotted=20
//	    a new coordinator; unnamed vertices do not exist, src is the source; splits=(a,b) are those that it was restored with
//	again
//	    another one for the next attempt, with what the last one left in the store
//	takeover
//	    another one for the same attempt under the next term, with ids from 100 on
//	step
//	    takes events, one a line, and prints the effects of each:
//	        tick 1000                   running              ended src/0 | ended all
//	        ack 1 src/0 | ack 1 all     ack 1 sink/0 a b     (with committables a and b)
//	        ack 1 src/0 bare            (without splits)
//	        bad-ack 1 src/0             (a chain that begins with a delta)
//	        decline 1 src/0 no space    trigger suspend      enumerator src bytes
//	        persisted 1                 lost 1 no answer     fenced 1 term is over
//	        committed sink 1            allotted 64          close cancelled
//	        adopted src a               (the tasks of these vertices took part in the last complete one)
//	        stopped a: why              restored 3 a=2       ack-of 2 a/1 2 (of a parallelism that is not the first one)
//	        trigger savepoint 1         trigger suspend savepoint
//	        copied 1 src/0 | copied 1 all | not-copied 1 src/0 why
//	        saved 1                     not-saved 1 why      save-fenced 1 why
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/coordinator", func(t *testing.T, path string) {
		var s script
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	cfg      Config
	c        *Coordinator
	manifest *checkpointv1.Manifest // that was persisted last
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "new":
		s.cfg = scriptConfig(t, d)
		s.c = New(s.cfg)
		return "ok\n"
	case "again":
		s.cfg.Attempt++
		s.cfg.Latest, s.cfg.Retained, s.cfg.NextID = s.c.latest, s.c.retained, s.c.next
		s.c = New(s.cfg)
		return fmt.Sprintf("latest=%d next=%d\n", s.cfg.Latest.ID, s.cfg.NextID)
	case "takeover":
		s.cfg.Term++
		s.cfg.Latest, s.cfg.Retained, s.cfg.NextID = s.c.latest, s.c.retained, 100
		s.c = New(s.cfg)
		return fmt.Sprintf("latest=%d next=%d\n", s.cfg.Latest.ID, s.cfg.NextID)
	case "step":
		return corescript.Play(d.Input, func(l corescript.Line) []Event { return s.events(t, l) }, s.step)
	default:
		t.Fatalf("unknown command %s", d.Cmd)
		return ""
	}
}

func (s *script) step(ev Event) []Effect {
	effects := s.c.Step(ev)
	for _, e := range effects {
		if p, ok := e.(Persist); ok {
			s.manifest = p.Manifest
		}
	}
	return effects
}

func scriptConfig(t *testing.T, d *datadriven.TestData) Config {
	cfg := Config{Job: "job", Attempt: 1, Term: 7, MaxParallelism: 128}
	var allotted int
	number := map[string]*int{"tolerable": &cfg.Spec.TolerableFailures, "retained": &cfg.Spec.Retained, "allotted": &allotted}
	durations := map[string]*time.Duration{"interval": &cfg.Spec.Interval, "min-pause": &cfg.Spec.MinPause, "timeout": &cfg.Spec.Timeout}
	var committers []string
	var splits []*checkpointv1.SplitState
	for _, a := range d.CmdArgs {
		var err error
		switch {
		case a.Key == "committers":
			committers = a.Vals
		case a.Key == "splits":
			for _, id := range a.Vals {
				splits = append(splits, &checkpointv1.SplitState{Id: id})
			}
		case number[a.Key] != nil:
			*number[a.Key], err = strconv.Atoi(a.Vals[0])
		case durations[a.Key] != nil:
			*durations[a.Key], err = time.ParseDuration(a.Vals[0])
		default:
			var p int
			p, err = strconv.Atoi(a.Vals[0])
			cfg.Vertices = append(cfg.Vertices, Vertex{ID: types.VertexID(a.Key), Parallelism: int32(p), Source: a.Key == "src"})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range cfg.Vertices {
		cfg.Vertices[i].Committer = slices.Contains(committers, string(v.ID))
		if v.Source {
			cfg.Vertices[i].Splits = splits
		}
	}
	cfg.AllottedThrough = types.CheckpointID(allotted)
	return cfg
}

func (s *script) events(t *testing.T, words corescript.Line) []Event {
	word, rest, n := words.Word, words.Rest, words.Number(1)
	id := types.CheckpointID(n)
	switch words[0] {
	case "tick":
		return []Event{Tick{n}}
	case "running":
		return []Event{TasksRunning{}}
	case "ended":
		return s.each(word(1), func(task types.TaskID) Event { return TaskEnded{task} })
	case "ack":
		return s.each(word(2), func(task types.TaskID) Event {
			state := s.state(task)
			if word(3) == "bare" {
				state.Splits, words = nil, words[:3]
			}
			for _, c := range words[3:] {
				state.Committables = append(state.Committables, []byte(c))
			}
			return Acknowledged{ID: id, Task: task, State: state, Figures: Figures{WrittenBytes: 10, StateBytes: 100}}
		})
	case "bad-ack":
		return s.each(word(2), func(task types.TaskID) Event {
			state := s.state(task)
			state.Files[0].Kind = 2
			return Acknowledged{ID: id, Task: task, State: state}
		})
	case "decline":
		return s.each(word(2), func(task types.TaskID) Event { return Declined{ID: id, Task: task, Reason: rest(3)} })
	case "trigger":
		kind := map[string]Kind{"suspend": Suspend, "final": Final, "periodic": Periodic, "savepoint": Savepoint}[word(1)]
		request, _ := strconv.ParseUint(word(2), 10, 64)
		return []Event{TriggerRequested{Kind: kind, Request: request, Savepoint: word(2) == "savepoint"}}
	case "copied":
		return s.each(word(2), func(task types.TaskID) Event {
			file := s.state(task).Files[0]
			file.At = &checkpointv1.StateFile_Object{Object: "copy-" + task.String()}
			return StateCopied{ID: id, Task: task, File: file}
		})
	case "not-copied":
		return s.each(word(2), func(task types.TaskID) Event { return StateCopied{ID: id, Task: task, Reason: rest(3)} })
	case "saved":
		return []Event{SavepointPersisted{ID: id, ManifestKey: fmt.Sprintf("s%d", id)}}
	case "not-saved":
		return []Event{SavepointPersistFailed{ID: id, Reason: rest(2)}}
	case "save-fenced":
		return []Event{SavepointPersistFailed{ID: id, Reason: rest(2), Fenced: true}}
	case "enumerator":
		return []Event{EnumeratorState{Vertex: types.VertexID(word(1)), State: []byte(rest(2))}}
	case "persisted":
		return []Event{Persisted{ID: id, ManifestKey: fmt.Sprintf("m%d", id), Sum: Sum{byte(id)}}}
	case "lost":
		return []Event{PersistFailed{ID: id, Reason: rest(2)}}
	case "fenced":
		return []Event{PersistFailed{ID: id, Reason: rest(2), Fenced: true}}
	case "committed":
		return []Event{Committed{Vertex: types.VertexID(word(1)), ID: types.CheckpointID(words.Number(2))}}
	case "allotted":
		return []Event{IDsAllotted{id}}
	case "adopted":
		e := Adopted{Manifest: s.manifest}
		for _, v := range words[1:] {
			e.Vertices = append(e.Vertices, types.VertexID(v))
		}
		return []Event{e}
	case "stopped":
		return []Event{RegionsStopped{Vertices: []types.VertexID{types.VertexID(strings.TrimSuffix(word(1), ":"))}, Reason: rest(2)}}
	case "restored":
		vertex, parallelism, _ := strings.Cut(word(2), "=")
		p, _ := strconv.Atoi(parallelism)
		return []Event{RegionsRestored{From: id, Vertices: []Vertex{{
			ID: types.VertexID(vertex), Parallelism: int32(p), Committer: true,
		}}}}
	case "ack-of":
		vertex, subtask, _ := strings.Cut(word(2), "/")
		n, _ := strconv.Atoi(subtask)
		return []Event{Acknowledged{ID: id, Task: types.TaskID{Vertex: types.VertexID(vertex), Subtask: int32(n)}, State: &checkpointv1.TaskState{
			Files: []*checkpointv1.StateFile{testFile(fileBase, "chunk-"+word(2), types.KeyGroupRangeOf(n, int(words.Number(3)), 128))},
		}}}
	case "close":
		return []Event{Close{rest(1)}}
	default:
		t.Fatalf("unknown event %v", words)
		return nil
	}
}

// each makes an event for a task, or for all of them.
func (s *script) each(which string, f func(types.TaskID) Event) (out []Event) {
	for _, v := range s.cfg.Vertices {
		for i := range v.Parallelism {
			if task := (types.TaskID{Vertex: v.ID, Subtask: i}); which == "all" || which == task.String() {
				out = append(out, f(task))
			}
		}
	}
	if len(out) == 0 {
		vertex, subtask, _ := strings.Cut(which, "/")
		n, _ := strconv.Atoi(subtask)
		out = append(out, f(types.TaskID{Vertex: types.VertexID(vertex), Subtask: int32(n)}))
	}
	return out
}

// state is what a task acknowledges: one base of its key groups.
func (s *script) state(task types.TaskID) *checkpointv1.TaskState {
	parallelism := int32(1)
	for _, v := range s.cfg.Vertices {
		if v.ID == task.Vertex {
			parallelism = v.Parallelism
		}
	}
	state := &checkpointv1.TaskState{Files: []*checkpointv1.StateFile{
		testFile(fileBase, fmt.Sprintf("chunk-%s", task), types.KeyGroupRangeOf(int(task.Subtask), int(parallelism), 128)),
	}}
	if task.Vertex == "src" {
		state.Splits = []*checkpointv1.SplitState{{Id: fmt.Sprintf("split-%d", task.Subtask)}}
	}
	return state
}

func testFile(kind uint32, object string, groups types.KeyGroupRange) *checkpointv1.StateFile {
	sum := sha256.Sum256([]byte(object))
	return &checkpointv1.StateFile{
		At: &checkpointv1.StateFile_Object{Object: object}, Sha256: sum[:], Bytes: 10, Rows: 1, Kind: kind,
		FirstKeyGroup: uint32(groups.First), LastKeyGroup: uint32(groups.Last),
	}
}
