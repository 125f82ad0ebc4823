package lifecycle

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/internal/testutil/corescript"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// TestScripts runs the scripts in testdata/scripts. The commands:
//
//	new strategy=fixed attempts=2 delay=1s max-delay=1m reset=1h poison=3 regions
//	    a new machine, of the tasks src/0 and sink/0; with regions, of left/0, middle/0 and right/0, each a region
//	step
//	    takes events, one a line, and prints the effects of each; the attempt is the one allotted last, that of a task its
//	    region's:
//	        start            recovered active 4        tick 1000          allotted 1
//	        deployed active 4 [5 6]   recovered, and the attempts of the regions are known
//	        found running ended | what keeps it from being whole   of each region in turn, with the states of its tasks
//	        resources        missing no free slot      ready              up (every task is running)
//	        task src/0 ended                           fail src/0 restart|backoff|never|user|consequence [@position] broken pipe
//	        coordinator sink no broker                 lost tm-1          final 3
//	        corrupt 7 older=1 bad checksum             completed 8        too-often why
//	        cancel           stop | stop drain         gone               stored
//	        stop now savepoint | stop drain savepoint
//	        stale up (the event, of the attempt before)
//	    with regions also
//	        part missing why           part resources            part ready            part corrupt 7 older=1 why
//	                         of the attempt of those that recover; resources and up are of those placed last
//	        lost tm-1 1 2    of which regions        gone regions
//	        missing-all why  slots come only where all are placed anew
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		var s script
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	m       *Machine
	attempt types.Attempt // of the whole job
	part    types.Attempt // of what recovers
	tasks   []types.TaskID
	asked   []int                            // the regions that attempts are asked for
	numbers map[types.VertexID]types.Attempt // of regions of one vertex
}

var (
	scriptTasks = []types.TaskID{{Vertex: "src"}, {Vertex: "sink"}}
	regionTasks = []types.TaskID{{Vertex: "left"}, {Vertex: "middle"}, {Vertex: "right"}}
	// scriptRegions has one of each task.
	scriptRegions = [][]types.VertexID{{"left"}, {"middle"}, {"right"}}
)

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "new":
		cfg := scriptConfig(t, d)
		*s = script{m: New(cfg), tasks: scriptTasks, numbers: make(map[types.VertexID]types.Attempt)}
		if cfg.Regions != nil {
			s.tasks = regionTasks
		}
		return s.m.State().String() + "\n"
	case "step":
		return corescript.Play(d.Input, func(l corescript.Line) []Event { return s.events(t, l) }, s.step)
	default:
		t.Fatalf("unknown command %s", d.Cmd)
		return ""
	}
}

func (s *script) step(ev Event) []Effect {
	effects := s.m.Step(ev)
	for _, e := range effects {
		if a, ok := e.(AllotAttempt); ok {
			s.asked = a.Regions
		}
	}
	return effects
}

// number returns the attempt of a vertex' region.
func (s *script) number(v types.VertexID) types.Attempt {
	if n, ok := s.numbers[v]; ok {
		return n
	}
	return s.attempt
}

// allotted notes the numbers that answer what was asked for last.
func (s *script) allotted(first types.Attempt) []Event {
	whole := len(s.tasks) == len(scriptTasks) || len(s.asked) == len(s.tasks)
	if whole {
		s.attempt = first
	} else {
		s.part = first
	}
	if len(s.tasks) > len(scriptTasks) {
		for i, region := range s.asked {
			s.numbers[s.tasks[region].Vertex] = first + types.Attempt(i)
		}
	}
	return []Event{AttemptAllotted{Attempt: first, Regions: s.asked}}
}

// placed returns the tasks that slots were asked for.
func (s *script) placed() []types.TaskID {
	if len(s.tasks) == len(scriptTasks) {
		return s.tasks
	}
	var out []types.TaskID
	for _, region := range s.asked {
		out = append(out, s.tasks[region])
	}
	return out
}

func (s *script) up() (out []Event) {
	for _, t := range s.placed() {
		out = append(out, TaskChanged{Attempt: s.number(t.Vertex), Task: t, State: TaskRunning})
	}
	return out
}

func scriptConfig(t *testing.T, d *datadriven.TestData) Config {
	cfg := Config{Seed: 1}
	r := &cfg.Restart
	strategies := map[string]jobgraph.RestartStrategy{
		"exponential": jobgraph.RestartExponentialDelay, "fixed": jobgraph.RestartFixedDelay, "none": jobgraph.RestartNone,
	}
	for _, a := range d.CmdArgs {
		var err error
		switch a.Key {
		case "regions":
			cfg.Regions = scriptRegions
		case "strategy":
			r.Strategy = strategies[a.Vals[0]]
		case "attempts":
			r.Attempts, err = strconv.Atoi(a.Vals[0])
		case "poison":
			r.Poison, err = strconv.Atoi(a.Vals[0])
		case "delay":
			r.Delay, err = time.ParseDuration(a.Vals[0])
		case "max-delay":
			r.MaxDelay, err = time.ParseDuration(a.Vals[0])
		case "wait":
			cfg.Rescale.Wait, err = time.ParseDuration(a.Vals[0])
		case "settle":
			cfg.Rescale.Settle, err = time.ParseDuration(a.Vals[0])
		case "cooldown":
			cfg.Rescale.Cooldown, err = time.ParseDuration(a.Vals[0])
		case "reset":
			r.ResetThreshold, err = time.ParseDuration(a.Vals[0])
		default:
			t.Fatalf("unknown argument %s", a.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func (s *script) events(t *testing.T, words corescript.Line) []Event {
	word, rest, n := words.Word, words.Rest, words.Number(1)
	a := s.attempt
	switch words[0] {
	case "stale":
		s.attempt--
		defer func() { s.attempt++ }()
		return s.events(t, words[1:])
	case "part":
		whole := s.attempt
		s.attempt = s.part
		defer func() { s.attempt = whole }()
		return s.events(t, words[1:])
	case "start":
		return []Event{Start{}}
	case "recovered":
		s.attempt = types.Attempt(words.Number(2))
		phase := checkpointv1.JobPhase_value["JOB_PHASE_"+strings.ToUpper(word(1))]
		return []Event{Recovered{Phase: checkpointv1.JobPhase(phase), Attempt: s.attempt, Failure: rest(3)}}
	case "deployed":
		return s.deployed(words)
	case "found":
		return []Event{s.found(rest(1))}
	case "tick":
		return []Event{Tick{n}}
	case "allotted":
		return s.allotted(types.Attempt(n))
	case "resources":
		return []Event{ResourcesAvailable{Attempt: a, Placement: 5, Tasks: s.placed()}}
	case "missing", "missing-all":
		return []Event{ResourcesMissing{Attempt: a, Reason: rest(1), All: words[0] == "missing-all"}}
	case "ready":
		return []Event{CoordinatorsReady{a}}
	case "up":
		return s.up()
	case "task":
		states := map[string]TaskState{"deploying": TaskDeploying, "running": TaskRunning, "ended": TaskEnded, "finished": TaskFinished, "canceled": TaskCanceled}
		id := taskOf(word(1))
		return []Event{TaskChanged{Attempt: s.number(id.Vertex), Task: id, State: states[word(2)]}}
	case "fail":
		id := taskOf(word(1))
		return []Event{TaskChanged{Attempt: s.number(id.Vertex), Task: id, State: TaskFailed, Failure: failureOf(words[2:])}}
	case "coordinator":
		return []Event{CoordinatorFailed{
			Attempt: s.number(types.VertexID(word(1))), Vertex: types.VertexID(word(1)), Failure: Failure{Message: rest(2)}, Ahead: strings.HasPrefix(rest(2), "ahead"),
		}}
	case "lost":
		return []Event{TaskManagerLost{Attempt: a, TaskManager: types.TaskManagerID(word(1)), Regions: regionsOf(words[2:]), Reason: "no heartbeat"}}
	case "corrupt":
		older, _ := strconv.Atoi(strings.TrimPrefix(word(2), "older="))
		return []Event{RestoreFailed{Attempt: a, Checkpoint: types.CheckpointID(n), Older: older, Reason: rest(3)}}
	case "completed":
		return []Event{CheckpointCompleted{Attempt: a, ID: types.CheckpointID(n)}}
	case "too-often":
		return []Event{CheckpointFailedTooOften{Attempt: a, Reason: rest(1)}}
	case "final":
		return []Event{FinalComplete{Attempt: a, ID: types.CheckpointID(n)}}
	case "cancel":
		return []Event{CancelRequested{}}
	case "stop":
		return []Event{StopRequested{Drain: word(1) == "drain", Savepoint: word(2) == "savepoint"}}
	case "rescale":
		return []Event{RescaleRequested{Reason: rest(1)}}
	case "better":
		return []Event{PlacementChanged{Attempt: a, Better: rest(1)}}
	case "gone":
		if word(1) == "regions" {
			return []Event{RegionsGone{a}}
		}
		return []Event{AttemptGone{a}}
	case "stored":
		return []Event{TerminalStored{}}
	default:
		t.Fatalf("unknown event %v", words)
		return nil
	}
}

// deployed begins with a job that another leader deployed, its regions under the numbers that are given.
func (s *script) deployed(words corescript.Line) []Event {
	s.attempt = types.Attempt(words.Number(2))
	for i, t := range s.tasks {
		s.numbers[t.Vertex] = s.attempt
		if len(s.tasks) > len(scriptTasks) {
			s.numbers[t.Vertex] = types.Attempt(words.Number(2 + i))
		}
	}
	phase := checkpointv1.JobPhase_value["JOB_PHASE_"+strings.ToUpper(words.Word(1))]
	return []Event{Recovered{Phase: checkpointv1.JobPhase(phase), Attempt: s.attempt, Known: true}}
}

// found says what is there of each region: states of its tasks, or words that are none.
func (s *script) found(text string) Event {
	states := map[string]TaskState{"running": TaskRunning, "ended": TaskEnded}
	e := Collected{Attempt: s.attempt}
	tasks := s.tasks
	for part := range strings.SplitSeq(text, " | ") {
		r := CollectedRegion{Tasks: make(map[types.TaskID]TaskState)}
		for word := range strings.FieldsSeq(part) {
			if states[word] == 0 || len(tasks) == 0 {
				r = CollectedRegion{Missing: part}
				break
			}
			r.Number, r.Tasks[tasks[0]] = s.number(tasks[0].Vertex), states[word]
			tasks = tasks[1:]
		}
		if r.Missing != "" && len(s.tasks) > len(scriptTasks) {
			tasks = tasks[1:]
		}
		e.Regions = append(e.Regions, r)
	}
	return e
}

// regionsOf returns the regions that are named, the one that there is where none is.
func regionsOf(words []string) []int {
	out := []int{0}
	for i, w := range words {
		n, _ := strconv.Atoi(w)
		out = append(out[:i], n)
	}
	return out
}

func taskOf(text string) types.TaskID {
	vertex, subtask, _ := strings.Cut(text, "/")
	n, _ := strconv.Atoi(subtask)
	return types.TaskID{Vertex: types.VertexID(vertex), Subtask: int32(n)}
}

func failureOf(words []string) Failure {
	classes := map[string]failure.Class{
		"restart": {Domain: failure.DomainInternal, Retry: failure.Restart}, "backoff": {Domain: failure.DomainExternal, Retry: failure.Backoff},
		"never": {Domain: failure.DomainExternal, Retry: failure.Never}, "user": {Domain: failure.DomainUser, Retry: failure.Never},
		"panic": {Domain: failure.DomainUser, Retry: failure.Restart},
	}
	f := Failure{Class: classes[words[0]], Consequence: words[0] == "consequence"}
	words = words[1:]
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		f.Position = strings.TrimPrefix(words[0], "@")
		words = words[1:]
	}
	f.Message = strings.Join(words, " ")
	return f
}

func TestDiagram(t *testing.T) {
	const path = "testdata/diagram.md"
	got := "# States of a job\n\nDrawn from the table in edges.go; run the tests with -rewrite after a change.\n\n```mermaid\n" + Diagram() + "```\n"
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// States and task states travel as numbers of the public and the control messages.
func TestNumbersAreThoseOfTheMessages(t *testing.T) {
	squash := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	for n, word := range apiv1.JobState_name {
		if want := squash(strings.TrimPrefix(word, "JOB_STATE_")); n > 0 && squash(State(n).String()) != want {
			t.Errorf("%d is %s, in messages %s", n, State(n), word)
		}
	}
	for n, word := range controlv1.TaskState_name {
		if want := squash(strings.TrimPrefix(word, "TASK_STATE_")); n > 0 && squash(TaskState(n).String()) != want {
			t.Errorf("%d is %s, in messages %s", n, TaskState(n), word)
		}
	}
	if len(apiv1.JobState_name) != len(stateNames) || len(controlv1.TaskState_name) != len(taskStateNames) {
		t.Error("there are states that have no number, or numbers without a state")
	}
}
