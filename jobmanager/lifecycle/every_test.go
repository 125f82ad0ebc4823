package lifecycle

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/checkpoint"
	"millrace/failure"
	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

func running(attempt types.Attempt) []Event {
	return []Event{
		Start{},
		AttemptAllotted{Attempt: attempt, Regions: []int{0}},
		ResourcesAvailable{Attempt: attempt, Placement: 1, Tasks: scriptTasks},
		CoordinatorsReady{attempt},
		TaskChanged{Attempt: attempt, Task: scriptTasks[0], State: TaskRunning},
		TaskChanged{Attempt: attempt, Task: scriptTasks[1], State: TaskRunning},
	}
}

func then(events []Event, more ...Event) []Event { return append(slices.Clone(events), more...) }

// situations lead to every state that is not terminal, to some of them in several ways.
func situations() map[string][]Event {
	r := running(1)
	ended := then(r, TaskChanged{Attempt: 1, Task: scriptTasks[0], State: TaskEnded}, TaskChanged{Attempt: 1, Task: scriptTasks[1], State: TaskEnded})
	failing := then(r, TaskManagerLost{Attempt: 1})
	deployed := []Event{Recovered{Phase: checkpointv1.JobPhase_JOB_PHASE_ACTIVE, Attempt: 1, Known: true}, everyCollected(1)[1]}
	doomed := then(r, TaskChanged{Attempt: 1, Task: scriptTasks[0], State: TaskFailed, Failure: Failure{Class: failure.Class{Domain: failure.DomainUser, Retry: failure.Never}}})
	return map[string][]Event{
		"created": nil, "waiting for an attempt": r[:1], "waiting": r[:2], "restoring": r[:3], "deploying": r[:4], "half up": r[:5], "running": r,
		"one ended": ended[:7], "finishing": ended, "storing finished": then(ended, FinalComplete{Attempt: 1}),
		"stop asked early": then(r[:2], StopRequested{}), "stop asked, half up": then(r[:5], StopRequested{}),
		"stopping": then(r, StopRequested{}), "draining": then(r, StopRequested{Drain: true}),
		"drained": then(ended[:7], StopRequested{Drain: true}, ended[7]), "storing stopped": then(r, StopRequested{}, FinalComplete{Attempt: 1}),
		"failing": failing, "restarting": then(failing, AttemptGone{1}), "doomed": doomed, "storing failed": then(doomed, AttemptGone{1}),
		"cancelling": then(r, CancelRequested{}), "storing canceled": then(r, CancelRequested{}, AttemptGone{1}),
		"about to rescale": then(r, RescaleRequested{Reason: "r"}), "rescaling": then(r, RescaleRequested{Reason: "r"}, CheckpointCompleted{Attempt: 1, ID: 4}),
		"better for a while": then(r, PlacementChanged{Attempt: 1, Better: "b"}), "rescale asked early": then(r[:4], RescaleRequested{Reason: "r"}),
		"cancelling what fails": then(failing, CancelRequested{}),
		"adopting":              deployed[:1], "adopting what is to stop": then(deployed[:1], StopRequested{}),
		"adopting what is to move": then(deployed[:1], RescaleRequested{Reason: "r"}), "judged": then(deployed[:1], Tick{Now: 1 << 30}), "adopted": deployed,
		"half up, one ended": then(r[:5], TaskChanged{Attempt: 1, Task: scriptTasks[0], State: TaskEnded}),
	}
}

// everyCollected has what may be found of an attempt: nothing, all tasks running, all ended, and with two regions one of them.
func everyCollected(a types.Attempt) []Event {
	src, sink := scriptTasks[0], scriptTasks[1]
	region := func(n types.Attempt, s TaskState, of ...types.TaskID) CollectedRegion {
		r := CollectedRegion{Number: n, Tasks: make(map[types.TaskID]TaskState)}
		for _, t := range of {
			r.Tasks[t] = s
		}
		return r
	}
	missing := CollectedRegion{Missing: "it is gone"}
	return []Event{
		Collected{Attempt: a, Regions: []CollectedRegion{missing}},
		Collected{Attempt: a, Regions: []CollectedRegion{region(a, TaskRunning, src, sink)}},
		Collected{Attempt: a, Regions: []CollectedRegion{region(a, TaskEnded, src, sink)}},
		Collected{Attempt: a, Regions: []CollectedRegion{missing, missing}},
		Collected{Attempt: a, Regions: []CollectedRegion{region(a, TaskRunning, src), region(a+1, TaskEnded, sink)}},
		Collected{Attempt: a, Regions: []CollectedRegion{missing, region(a+1, TaskEnded, sink)}},
		Collected{Attempt: a},
	}
}

// apart makes a region of each of the tasks.
var apart = [][]types.VertexID{{"src"}, {"sink"}}

// recoveries lead a machine with regions apart to every stand of a recovery. The regions have the attempts 1 and 2, and the
// one that restarts 3.
func recoveries() map[string][]Event {
	src, sink := scriptTasks[0], scriptTasks[1]
	running := []Event{
		Start{},
		AttemptAllotted{Attempt: 1, Regions: []int{0, 1}},
		ResourcesAvailable{Attempt: 1, Placement: 1, Tasks: scriptTasks},
		CoordinatorsReady{1},
		TaskChanged{Attempt: 1, Task: src, State: TaskRunning},
		TaskChanged{Attempt: 2, Task: sink, State: TaskRunning},
	}
	r := then(running, TaskChanged{Attempt: 2, Task: sink, State: TaskFailed}, RegionsGone{1}, Tick{Now: 1 << 30},
		AttemptAllotted{Attempt: 3, Regions: []int{1}}, ResourcesAvailable{Attempt: 3, Placement: 2, Tasks: []types.TaskID{sink}}, CoordinatorsReady{3})
	deployed := []Event{Recovered{Phase: checkpointv1.JobPhase_JOB_PHASE_ACTIVE, Attempt: 1, Known: true}}
	return map[string][]Event{
		"adopting regions": deployed, "adopted but for a region": then(deployed, everyCollected(1)[5]),
		"adopting regions that are to stop": then(deployed, StopRequested{}),
		"regions run":                       running, "a region fails": r[:7], "a region restarts": r[:8], "a region waits for an attempt": r[:9],
		"a region waits": r[:10], "a region is restored": r[:11], "a region is deployed": r,
		"one ended, another is deployed":       then(r, TaskChanged{Attempt: 1, Task: src, State: TaskEnded}),
		"a region is deployed, stop asked":     then(r, StopRequested{}),
		"a region is deployed, rescale wanted": then(r, RescaleRequested{Reason: "r"}),
		"a region fails behind a wish":         then(running, RescaleRequested{Reason: "r"}, r[6]),
	}
}

// everyEvent has all events, those of an attempt also for the one before and the one after.
func everyEvent() []Event {
	events := []Event{
		Start{},
		Tick{Now: 1},
		Tick{Now: 1 << 40},
		CancelRequested{},
		StopRequested{},
		StopRequested{Drain: true},
		StopRequested{Savepoint: true},
		StopRequested{Drain: true, Savepoint: true},
		TerminalStored{},
		RescaleRequested{Reason: "more"},
	}
	for p := range checkpointv1.JobPhase_name {
		events = append(events, Recovered{Phase: checkpointv1.JobPhase(p)}, Recovered{Phase: checkpointv1.JobPhase(p), Attempt: 3},
			Recovered{Phase: checkpointv1.JobPhase(p), Attempt: 3, Known: true})
	}
	for a := types.Attempt(0); a <= 4; a++ {
		events = append(events, everyCollected(a)...)
		events = append(events, AttemptAllotted{Attempt: a, Regions: []int{0}}, AttemptAllotted{Attempt: a, Regions: []int{1}}, AttemptAllotted{Attempt: a, Regions: []int{0, 1}},
			AttemptGone{a}, RegionsGone{a}, ResourcesAvailable{Attempt: a, Tasks: scriptTasks}, ResourcesAvailable{Attempt: a},
			ResourcesMissing{Attempt: a}, ResourcesMissing{Attempt: a, All: true}, CoordinatorsReady{a}, CoordinatorFailed{Attempt: a}, CoordinatorFailed{Attempt: a, Vertex: "sink", Ahead: true},
			TaskManagerLost{Attempt: a}, TaskManagerLost{Attempt: a, Regions: []int{0}}, TaskManagerLost{Attempt: a, Regions: []int{1}}, TaskManagerLost{Attempt: a, Regions: []int{0, 1}},
			RestoreFailed{Attempt: a, Checkpoint: 4, Older: 1}, RestoreFailed{Attempt: a, Checkpoint: 3},
			PlacementChanged{Attempt: a}, PlacementChanged{Attempt: a, Better: "one more slot"}, CheckpointCompleted{Attempt: a, ID: 5}, CheckpointFailedTooOften{Attempt: a}, FinalComplete{Attempt: a, ID: 6})
		for _, task := range append(slices.Clone(scriptTasks), types.TaskID{Vertex: "nowhere"}) {
			for s := TaskState(0); s <= TaskCanceled+1; s++ {
				events = append(events, TaskChanged{Attempt: a, Task: task, State: s})
			}
			events = append(events, TaskChanged{Attempt: a, Task: task, State: TaskFailed, Failure: Failure{Position: "p"}},
				TaskChanged{Attempt: a, Task: task, State: TaskFailed, Failure: Failure{Class: failure.Class{Domain: failure.DomainUser}}})
		}
	}
	return events
}

// Every event in every state: no panic, no move outside the table, and every arrow of the table is gone along by some
// event. Moves outside the table panic where invariants are on, and are seen in the reports where not.
func TestEveryEventInEveryState(t *testing.T) {
	gone := make(map[Edge]bool)
	everyEventIn(t, Config{}, situations(), gone)
	everyEventIn(t, Config{Regions: apart}, recoveries(), gone)
	everyEventIn(t, Config{Regions: apart, Restart: jobgraph.RestartSpec{Strategy: jobgraph.RestartNone}}, map[string][]Event{"no restart is left": recoveries()["a region fails"]}, gone)
	for _, e := range Edges() {
		if !gone[e] {
			t.Errorf("nothing goes from %s to %s on %s", e.From, e.To, e.On)
		}
	}
}

func everyEventIn(t *testing.T, cfg Config, situations map[string][]Event, gone map[Edge]bool) {
	t.Helper()
	for name, path := range situations {
		for _, ev := range everyEvent() {
			m := New(cfg)
			for _, p := range path {
				stepChecked(t, m, p, gone)
			}
			if m.State().Terminal() {
				t.Fatalf("%s is terminal", name)
			}
			stepChecked(t, m, ev, gone)
		}
	}
}

// stepChecked steps and follows the reported states along the table.
func stepChecked(t interface{ Fatalf(string, ...any) }, m *Machine, ev Event, gone map[Edge]bool) []Effect {
	from := m.State()
	effects := m.Step(ev)
	at := from
	for _, e := range effects {
		r, ok := e.(Report)
		if !ok || r.State == at {
			continue
		}
		edge := Edge{at, name(ev), r.State}
		if !edgeSet[edge] {
			t.Fatalf("%s took the job from %s to %s", ev, at, r.State)
		}
		if r.State.Terminal() && edge.On != "terminal-stored" && edge.On != "recovered" {
			t.Fatalf("%s: %s was told before it was stored", ev, r.State)
		}
		gone[edge] = true
		at = r.State
	}
	if at != m.State() {
		t.Fatalf("%s took the job from %s to %s and told %s", ev, from, m.State(), at)
	}
	return effects
}

func TestTerminalStatesAreFinal(t *testing.T) {
	for _, phase := range []checkpointv1.JobPhase{
		checkpointv1.JobPhase_JOB_PHASE_FINISHED, checkpointv1.JobPhase_JOB_PHASE_CANCELED,
		checkpointv1.JobPhase_JOB_PHASE_FAILED, checkpointv1.JobPhase_JOB_PHASE_STOPPED,
	} {
		m := New(Config{})
		m.Step(Recovered{Phase: phase, Attempt: 1})
		was := m.State()
		if !was.Terminal() {
			t.Fatalf("%s leads to %s", phase, was)
		}
		for _, ev := range everyEvent() {
			if effects := m.Step(ev); effects != nil || m.State() != was {
				t.Errorf("%s in %s: %v", ev, was, effects)
			}
		}
	}
}

// shell answers what the machine asks for, some of it late, while anything else happens.
type shell struct {
	m       *Machine
	attempt types.Attempt
	apart   bool             // src and sink are regions
	numbers [2]types.Attempt // of src and sink
	tasks   []types.TaskID   // that are to be deployed
	asked   map[string]Event // answers that are due, by the asking effect
	allots  *AttemptAllotted // due; whatever is cancelled, the transaction is answered
	now     int64
	done    []State // terminal states stored
}

func (s *shell) step(t *rapid.T, ev Event) {
	for _, e := range stepChecked(t, s.m, ev, make(map[Edge]bool)) {
		switch e := e.(type) {
		case AllotAttempt:
			if s.allots != nil {
				t.Fatalf("%s, and another is not answered", e)
			}
			s.allot(e)
		case RequestResources:
			s.asked["resources"] = ResourcesAvailable{Attempt: e.Attempt, Tasks: s.tasks}
		case DeployCoordinators:
			s.asked["coordinators"] = CoordinatorsReady{e.Attempt}
		case DeployTasks:
			s.due("task", s.tasks, TaskRunning)
		case CancelAttempt:
			clear(s.asked)
			s.asked["cancel"] = AttemptGone{e.Attempt}
		case CancelRegions:
			clear(s.asked)
			s.asked["cancel"] = RegionsGone{e.Attempt}
		case DrainSources:
			s.due("end", scriptTasks, TaskEnded)
			s.asked["final"] = FinalComplete{Attempt: e.Attempt}
		case RequestFinal:
			if e.Kind != checkpoint.Final && e.Kind != checkpoint.Suspend {
				t.Fatalf("%s", e)
			}
			s.asked["final"] = FinalComplete{Attempt: e.Attempt}
		case StoreTerminal:
			if len(s.done) > 0 {
				t.Fatalf("%s after %s", e, s.done)
			}
			s.done = append(s.done, e.State)
			s.asked["store"] = TerminalStored{}
		}
	}
}

// allot numbers the regions, of which there is one, or one a task.
func (s *shell) allot(e AllotAttempt) {
	s.allots = &AttemptAllotted{Attempt: s.attempt + 1, Regions: e.Regions}
	if !s.apart {
		s.attempt++
		s.numbers, s.tasks = [2]types.Attempt{s.attempt, s.attempt}, scriptTasks
		return
	}
	s.tasks = nil
	for _, region := range e.Regions {
		s.attempt++
		s.numbers[region] = s.attempt
		s.tasks = append(s.tasks, scriptTasks[region])
	}
}

// due has tasks come to a state.
func (s *shell) due(what string, tasks []types.TaskID, to TaskState) {
	for _, t := range tasks {
		i := slices.Index(scriptTasks, t)
		s.asked[what+string(rune('0'+i))] = TaskChanged{Attempt: s.numbers[i], Task: t, State: to}
	}
}

// Never: an illegal move, two ends, an end told before it is stored. Eventually, after healing: a job that is told to
// stop stops, unless it ended otherwise.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		strategy := rapid.SampledFrom([]jobgraph.RestartStrategy{jobgraph.RestartExponentialDelay, jobgraph.RestartFixedDelay, jobgraph.RestartNone}).Draw(t, "strategy")
		cfg := Config{Restart: jobgraph.RestartSpec{Strategy: strategy, Attempts: 5, Delay: time.Second}, Seed: rapid.Uint64().Draw(t, "seed")}
		s := &shell{apart: rapid.Bool().Draw(t, "apart"), asked: make(map[string]Event)}
		if s.apart {
			cfg.Regions = apart
		}
		s.m = New(cfg)
		s.step(t, Start{})
		all := everyEvent()
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "stray") == 0 {
				ev := rapid.SampledFrom(all).Draw(t, "event")
				switch ev := ev.(type) {
				case AttemptGone, RegionsGone, TerminalStored, AttemptAllotted: // answers that only the shell gives
				case Tick:
					s.now = max(s.now, ev.Now)
					s.step(t, ev)
				default:
					s.step(t, ev)
				}
				continue
			}
			s.answer(t)
		}
		s.step(t, StopRequested{})
		for range 100 {
			s.answer(t)
			s.now += 2 * time.Minute.Milliseconds()
			s.step(t, Tick{s.now})
		}
		if !s.m.State().Terminal() || len(s.done) != 1 || s.done[0] != s.m.State() {
			t.Fatalf("the job is %s, stored %v, and %v is due", s.m.State(), s.done, s.asked)
		}
	})
}

// answer gives one of the answers that are due.
func (s *shell) answer(t *rapid.T) {
	if s.allots != nil && (len(s.asked) == 0 || rapid.Bool().Draw(t, "allotted")) {
		ev := *s.allots
		s.allots = nil
		s.step(t, ev)
		return
	}
	if len(s.asked) == 0 {
		return
	}
	key := rapid.SampledFrom(slices.Sorted(maps.Keys(s.asked))).Draw(t, "answer")
	ev := s.asked[key]
	delete(s.asked, key)
	s.step(t, ev)
}
