package checkpoint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// withInFlight gives some tasks of a manifest something that was in flight.
func withInFlight(t *rapid.T, m *checkpointv1.Manifest) {
	for i, task := range m.Vertices[0].Tasks {
		if rapid.Bool().Draw(t, "in flight") {
			task.InFlight = testFile(fileInFlight, fmt.Sprintf("flight.%d", i), types.KeyGroupRange{})
			task.InFlightRows = []int64{3}
		}
	}
}

// Whatever was in flight to a former task is read by the owner of each of its key groups, and by the one task to which the
// rows without a key go; at the same parallelism by its own task alone.
func TestInFlightIsReadByWhoeverMayOwnIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, 60).Draw(t, "groups")
		from := rapid.IntRange(1, groups).Draw(t, "from")
		to := rapid.IntRange(1, groups).Draw(t, "to")
		m := vertexManifest(t, groups, from)
		withInFlight(t, m)
		plan, err := Restore(m, RestoreSpec{Parallelism: map[types.VertexID]int32{"v": int32(to)}, MaxParallelism: groups})
		if err != nil {
			t.Fatal(err)
		}
		for i, task := range m.Vertices[0].Tasks {
			readers := readersOf(plan.Vertices["v"].Tasks, int32(i), int32(from))
			var want []int
			for g := types.KeyGroupRangeOf(i, from, groups); g.First <= g.Last; g.First++ {
				want = append(want, types.SubtaskOf(g.First, to, groups))
				if g.First == g.Last {
					break
				}
			}
			want = append(want, i%to)
			slices.Sort(want)
			if want = slices.Compact(want); task.InFlight == nil {
				want = nil
			}
			if !slices.Equal(readers, want) {
				t.Fatalf("what was in flight to %d of %d is read by %v of %d, want %v", i, from, readers, to, want)
			}
			if task.InFlight != nil && from == to && len(readers) != 1 {
				t.Fatalf("%v read what was in flight to %d", readers, i)
			}
		}
	})
}

func readersOf(tasks []TaskPlan, subtask, parallelism int32) (out []int) {
	for k, task := range tasks {
		for _, f := range task.InFlight {
			if f.Subtask == subtask && f.Parallelism == parallelism {
				out = append(out, k)
			}
		}
	}
	return out
}

// TestTasksThatHearEveryoneKeepTheirTime: where barriers overtake, tasks of a vertex stand at different event times. Each
// goes on from the least of those that it takes something over from, unless rows of any may come to it alone.
func TestTasksThatHearEveryoneKeepTheirTime(t *testing.T) {
	m := &checkpointv1.Manifest{
		FormatVersion: FormatVersion, JobId: "j", CheckpointId: 1, Kind: Periodic.Proto(),
		Vertices: []*checkpointv1.VertexState{{VertexId: "v", MaxParallelism: 4, LargestParallelism: 2}},
	}
	for i, at := range []int64{50, 100} {
		m.Vertices[0].Tasks = append(m.Vertices[0].Tasks, &checkpointv1.TaskState{
			Files:      []*checkpointv1.StateFile{testFile(fileBase, fmt.Sprint(i), types.KeyGroupRangeOf(i, 2, 4))},
			Watermarks: []*checkpointv1.OperatorWatermark{{Uid: "v", Watermark: at}},
		})
	}
	hears := map[types.VertexID]bool{"v": true}
	for _, c := range []struct {
		to    int32
		hears map[types.VertexID]bool
		want  []int64
	}{
		{2, hears, []int64{50, 100}},
		{2, nil, []int64{50, 50}},
		{1, hears, []int64{50}},
		{4, hears, []int64{50, 50, 100, 100}},
		{3, hears, []int64{50, 100, 100}},
	} {
		plan, err := Restore(m, RestoreSpec{Parallelism: map[types.VertexID]int32{"v": c.to}, MaxParallelism: 4, Hears: c.hears})
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, task := range plan.Vertices["v"].Tasks {
			got = append(got, task.Watermarks[0].Watermark)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d tasks, each hears everyone %v: %v, want %v", c.to, c.hears != nil, got, c.want)
		}
	}
}

func TestHears(t *testing.T) {
	g := &jobgraph.Graph{
		Vertices: []jobgraph.Vertex{{ID: "source", Source: &jobgraph.SourceSpec{}}, {ID: "keyed"}, {ID: "forwarded"}, {ID: "all"}},
		Edges: []jobgraph.Edge{
			{From: "source", To: "keyed", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash}},
			{From: "keyed", To: "forwarded", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Forward}},
			{From: "keyed", To: "all", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Broadcast}},
		},
	}
	got := Hears(g)
	if got["source"] || !got["keyed"] || got["forwarded"] || !got["all"] {
		t.Errorf("got %v", got)
	}
}

func TestInFlightThatCannotBeRestored(t *testing.T) {
	sound := func() *checkpointv1.TaskState {
		return &checkpointv1.TaskState{InFlight: testFile(fileInFlight, "f", types.KeyGroupRange{}), InFlightRows: []int64{2}}
	}
	for name, c := range map[string]struct {
		spoil func(*checkpointv1.TaskState)
		want  string
	}{
		"sound":         {func(*checkpointv1.TaskState) {}, ""},
		"kind":          {func(s *checkpointv1.TaskState) { s.InFlight.Kind = fileDelta }, "kind 2, want 3"},
		"negative rows": {func(s *checkpointv1.TaskState) { s.InFlightRows = []int64{0, -1} }, "-1 rows in flight by input 1"},
		"no file":       {func(s *checkpointv1.TaskState) { s.InFlight = nil }, "2 rows in flight by input 0"},
	} {
		s := sound()
		c.spoil(s)
		got := strings.Join(checkTask(s, 0, 1, 4), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestInFlightObjectsAreKeptAndDropped: they are objects of their manifest like others.
func TestInFlightObjectsAreKeptAndDropped(t *testing.T) {
	m := &checkpointv1.Manifest{Vertices: []*checkpointv1.VertexState{{Tasks: []*checkpointv1.TaskState{
		{InFlight: testFile(fileInFlight, "flight", types.KeyGroupRange{})},
	}}}}
	if got := Unreferenced([]*checkpointv1.Manifest{m}, nil); !slices.Equal(got, []string{"flight"}) {
		t.Errorf("dropped: %v", got)
	}
	if got := Unreferenced([]*checkpointv1.Manifest{m}, []*checkpointv1.Manifest{m}); got != nil {
		t.Errorf("dropped though retained: %v", got)
	}
}
