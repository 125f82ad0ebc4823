package jobmanager

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/checkpoint"
	"millrace/jobgraph"
	"millrace/jobmanager/lifecycle"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/types"
)

// foundOn is the inventory of a region of a source and a sink, two tasks each, dealt out to two task managers.
func foundOn() inventories {
	task := func(v string, subtask int32) *controlv1.TaskInventory {
		return &controlv1.TaskInventory{
			VertexId: v, Subtask: subtask, Parallelism: 2, Slot: subtask, State: controlv1.TaskState_TASK_STATE_RUNNING,
			FirstCheckpointId: 5, LastCheckpointId: 7,
		}
	}
	coordinator := func(v string, role controlv1.CoordinatorRole) *controlv1.CoordinatorInventory {
		return &controlv1.CoordinatorInventory{Deployment: &controlv1.CoordinatorDeployment{VertexId: v, Role: role}, Ready: true}
	}
	return inventories{
		"tm-1": {{
			JobId: "job", Attempt: 4, Tasks: []*controlv1.TaskInventory{task("src", 0), task("sink", 0)},
			Coordinators: []*controlv1.CoordinatorInventory{
				coordinator("src", controlv1.CoordinatorRole_COORDINATOR_ROLE_ENUMERATOR),
				coordinator("sink", controlv1.CoordinatorRole_COORDINATOR_ROLE_COMMITTER),
			},
		}},
		"tm-2": {{JobId: "job", Attempt: 4, Tasks: []*controlv1.TaskInventory{task("src", 1), task("sink", 1)}}},
	}
}

var (
	foundGraph   = &jobgraph.Graph{Vertices: []jobgraph.Vertex{{ID: "src", Source: &jobgraph.SourceSpec{}}, {ID: "sink", Sink: &jobgraph.SinkSpec{}}}}
	foundRegions = [][]types.VertexID{{"src", "sink"}}
)

// TestJudge: a region is whole or it is said what is missing.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		change func(one, two *controlv1.RegionInventory)
		want   string // "" is whole
	}{
		"all there":            {func(_, _ *controlv1.RegionInventory) {}, ""},
		"some ended":           {func(one, _ *controlv1.RegionInventory) { one.Tasks[0].State = controlv1.TaskState_TASK_STATE_ENDED }, ""},
		"a task is missing":    {func(_, two *controlv1.RegionInventory) { two.Tasks = two.Tasks[:1] }, "task sink/1 runs nowhere"},
		"a vertex is missing":  {func(one, two *controlv1.RegionInventory) { one.Tasks, two.Tasks = one.Tasks[:1], two.Tasks[:1] }, "nothing runs of vertex sink"},
		"an older attempt":     {func(_, two *controlv1.RegionInventory) { two.Attempt = 3 }, "task src/1 runs nowhere"},
		"a newer attempt":      {func(one, _ *controlv1.RegionInventory) { one.Attempt = 5 }, "task src/0 runs nowhere"},
		"another region":       {func(_, two *controlv1.RegionInventory) { two.Region = 1 }, "task src/1 runs nowhere"},
		"still deploying":      {func(one, _ *controlv1.RegionInventory) { one.Tasks[1].State = controlv1.TaskState_TASK_STATE_DEPLOYING }, "task sink/0 is deploying"},
		"finished":             {func(one, _ *controlv1.RegionInventory) { one.Tasks[1].State = controlv1.TaskState_TASK_STATE_FINISHED }, "task sink/0 is finished"},
		"a task twice":         {func(one, two *controlv1.RegionInventory) { two.Tasks = append(two.Tasks, one.Tasks[0]) }, "task src/0 is on tm-1 and on tm-2"},
		"two parallelisms":     {func(_, two *controlv1.RegionInventory) { two.Tasks[0].Parallelism = 3 }, "task src/1 is one of 3, others are of 2"},
		"no enumerator":        {func(one, _ *controlv1.RegionInventory) { one.Coordinators = one.Coordinators[1:] }, "the enumerator of vertex src runs nowhere"},
		"a committer recovers": {func(one, _ *controlv1.RegionInventory) { one.Coordinators[1].Ready = false }, "the committer of vertex sink is not ready"},
		"a committer elsewhere": {func(one, two *controlv1.RegionInventory) {
			two.Coordinators, one.Coordinators = one.Coordinators[1:], one.Coordinators[:1]
		}, "the committer of vertex sink is not beside its task 0"},
		"a task failed": {func(one, _ *controlv1.RegionInventory) {
			one.Tasks[0].State, one.Tasks[0].Failure = controlv1.TaskState_TASK_STATE_FAILED, &controlv1.Failure{Message: "broken pipe"}
		}, "task src/0 failed meanwhile: broken pipe"},
		"an enumerator failed": {func(one, _ *controlv1.RegionInventory) {
			one.Coordinators[0].Failure = &controlv1.Failure{Message: "no broker"}
		}, "the enumerator of vertex src failed meanwhile: no broker"},
	} {
		found := foundOn()
		c.change(found["tm-1"][0], found["tm-2"][0])
		r := judge(foundGraph, foundRegions, []types.Attempt{4}, found)[0]
		if diff := cmp.Diff(c.want, r.missing); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// TestJudgeIsWholeOfWhatIsThere: what is adopted is what was found, where it was found.
func TestJudgeIsWholeOfWhatIsThere(t *testing.T) {
	r := judge(foundGraph, foundRegions, []types.Attempt{4}, foundOn())[0]
	states := make(map[string]lifecycle.TaskState)
	for id, s := range r.states() {
		states[id.String()] = s
	}
	want := map[string]lifecycle.TaskState{
		"src/0": lifecycle.TaskRunning, "src/1": lifecycle.TaskRunning, "sink/0": lifecycle.TaskRunning, "sink/1": lifecycle.TaskRunning,
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if on := r.tasks[types.TaskID{Vertex: "sink", Subtask: 1}].on; on != (types.SlotID{TaskManager: "tm-2", Index: 1}) {
		t.Errorf("sink/1 is in %v", on)
	}
}

// TestWhatTasksHaveOfCheckpoints: only what took part in a complete one commits it, and what comes behind it is given up.
func TestWhatTasksHaveOfCheckpoints(t *testing.T) {
	found := foundOn()
	found["tm-2"][0].Tasks[0].LastCheckpointId = 8
	r := judge(foundGraph, foundRegions, []types.Attempt{4}, found)[0]
	for id, want := range map[types.CheckpointID]bool{0: false, 4: false, 5: true, 7: true} {
		if got := r.tookPart(id); got != want {
			t.Errorf("took part in %d: %v", id, got)
		}
	}
	if got := r.open(6); !slices.Equal(got, []types.CheckpointID{7, 8}) {
		t.Errorf("behind 6 there are %v", got)
	}
	found["tm-2"][0].Tasks[0].FirstCheckpointId = 0
	if r := judge(foundGraph, foundRegions, []types.Attempt{4}, found)[0]; r.tookPart(5) {
		t.Error("a task that has passed no barrier has taken part in a checkpoint")
	}
}

// TestInventoriesReserve: nobody gets a slot on which another job's tasks may go on, nor any before it is known.
func TestInventoriesReserve(t *testing.T) {
	c := newConnections(t)
	m := c.join(process("a", "host:1")).member
	free := func(job types.JobID) string {
		var out []string
		for _, tm := range c.cluster(job).TaskManagers {
			for i := range int32(tm.Slots) {
				if !slices.Contains(tm.Taken, i) {
					out = append(out, types.SlotID{TaskManager: tm.ID, Index: i}.String())
				}
			}
		}
		return strings.Join(out, " ")
	}
	if got := free("other"); got != "" {
		t.Errorf("before it has told, %s is offered", got)
	}
	taken := types.SlotID{TaskManager: "tm", Index: 1}
	c.inventory(m, map[types.SlotID]tenant{taken: {job: "job"}})
	for job, want := range map[types.JobID]string{"other": "tm#0", "job": "tm#0 tm#1"} {
		if got := free(job); got != want {
			t.Errorf("%s is offered %q, want %q", job, got, want)
		}
	}
	c.keep("job", nil)
	if got := free("other"); got != "tm#0 tm#1" {
		t.Errorf("behind the job %q is offered", got)
	}
}

// TestDescribeFound: the splits that an enumerator was restored with are nobody's until it has assigned them.
func TestDescribeFound(t *testing.T) {
	found := foundOn()
	e := found["tm-1"][0].Coordinators[0]
	e.Deployment.Enumerator = []byte("restored")
	e.Deployment.Splits = []*checkpointv1.SplitState{{Id: "split"}}
	r := judge(foundGraph, foundRegions, []types.Attempt{4}, found)[0]
	v := checkpoint.Vertex{ID: "src"}
	if r.describe(&v); string(v.Enumerator) != "restored" || len(v.Splits) != 1 || v.Parallelism != 2 {
		t.Errorf("before an assignment: %+v", v)
	}
	e.Assigned = &controlv1.EnumeratorAssigned{State: []byte("assigned")}
	v = checkpoint.Vertex{ID: "src"}
	if r.describe(&v); string(v.Enumerator) != "assigned" || v.Splits != nil {
		t.Errorf("behind an assignment: %+v", v)
	}
}
