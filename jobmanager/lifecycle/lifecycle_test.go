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

	"millrace/internal/failure"
	"millrace/internal/testutil/corescript"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// TestScripts runs the scripts in testdata/scripts. The commands:
//
//	new strategy=fixed attempts=2 delay=1s max-delay=1m reset=1h poison=3
//	    a new machine
//	step
//	    takes events, one a line, and prints the effects of each; the attempt is the one allotted last:
//	        start            recovered active 4        tick 1000          allotted 1
//	        resources        missing no free slot      ready              up (every task is running)
//	        task src/0 ended                           fail src/0 restart|backoff|never|user [@position] broken pipe
//	        coordinator sink no broker                 lost tm-1          final 3
//	        corrupt 7 older=1 bad checksum             completed 8        too-often why
//	        cancel           stop | stop drain         gone               stored
//	        stale up (the event, of the attempt before)
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		var s script
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	m       *Machine
	attempt types.Attempt
}

var scriptTasks = []types.TaskID{{Vertex: "src"}, {Vertex: "sink"}}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "new":
		s.m, s.attempt = New(scriptConfig(t, d)), 0
		return s.m.State().String() + "\n"
	case "step":
		return corescript.Play(d.Input, func(l corescript.Line) []Event { return s.events(t, l) }, s.m.Step)
	default:
		t.Fatalf("unknown command %s", d.Cmd)
		return ""
	}
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
	case "start":
		return []Event{Start{}}
	case "recovered":
		s.attempt = types.Attempt(words.Number(2))
		phase := checkpointv1.JobPhase_value["JOB_PHASE_"+strings.ToUpper(word(1))]
		return []Event{Recovered{Phase: checkpointv1.JobPhase(phase), Attempt: s.attempt, Failure: rest(3)}}
	case "tick":
		return []Event{Tick{n}}
	case "allotted":
		s.attempt = types.Attempt(n)
		return []Event{AttemptAllotted{s.attempt}}
	case "resources":
		return []Event{ResourcesAvailable{Attempt: a, Placement: 5, Tasks: scriptTasks}}
	case "missing":
		return []Event{ResourcesMissing{Attempt: a, Reason: rest(1)}}
	case "ready":
		return []Event{CoordinatorsReady{a}}
	case "up":
		return []Event{
			TaskChanged{Attempt: a, Task: scriptTasks[0], State: TaskRunning}, TaskChanged{Attempt: a, Task: scriptTasks[1], State: TaskRunning},
		}
	case "task":
		states := map[string]TaskState{"deploying": TaskDeploying, "running": TaskRunning, "ended": TaskEnded, "finished": TaskFinished, "canceled": TaskCanceled}
		return []Event{TaskChanged{Attempt: a, Task: taskOf(word(1)), State: states[word(2)]}}
	case "fail":
		return []Event{TaskChanged{Attempt: a, Task: taskOf(word(1)), State: TaskFailed, Failure: failureOf(words[2:])}}
	case "coordinator":
		return []Event{CoordinatorFailed{
			Attempt: a, Vertex: types.VertexID(word(1)), Failure: Failure{Message: rest(2)}, Ahead: strings.HasPrefix(rest(2), "ahead"),
		}}
	case "lost":
		return []Event{TaskManagerLost{Attempt: a, TaskManager: types.TaskManagerID(word(1))}}
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
		return []Event{StopRequested{Drain: word(1) == "drain"}}
	case "rescale":
		return []Event{RescaleRequested{Reason: rest(1)}}
	case "better":
		return []Event{PlacementChanged{Attempt: a, Better: rest(1)}}
	case "gone":
		return []Event{AttemptGone{a}}
	case "stored":
		return []Event{TerminalStored{}}
	default:
		t.Fatalf("unknown event %v", words)
		return nil
	}
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
	}
	f := Failure{Class: classes[words[0]]}
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
