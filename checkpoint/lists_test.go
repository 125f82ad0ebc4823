package checkpoint

import (
	"fmt"
	"testing"

	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// TestListsOfAGraph: who has lists, and who stands behind one, the graph says.
func TestListsOfAGraph(t *testing.T) {
	listed := &jobgraph.NativeSpec{Tables: []jobgraph.NativeTable{{Name: "timers", Shape: jobgraph.NativeTimers}, {Name: "waiting", Shape: jobgraph.NativeList}}}
	g := &jobgraph.Graph{Vertices: []jobgraph.Vertex{
		{ID: "none", Operators: []jobgraph.OperatorSpec{{UID: "a", Body: &jobgraph.NativeSpec{}}}},
		{ID: "some", Operators: []jobgraph.OperatorSpec{{UID: "b", Body: &jobgraph.CalcSpec{}}, {UID: "c", Body: listed}, {UID: "d", Body: &jobgraph.CalcSpec{}}}},
	}}
	if l := Lists(g); l["none"] || !l["some"] {
		t.Errorf("%v have lists", l)
	}
	if b := BehindLists(g); b["a"] || b["b"] || b["c"] || !b["d"] {
		t.Errorf("%v are behind lists", b)
	}
}

// TestRowsOfListsAreNotLate: a task of another parallelism may get rows that waited in any former task, so what stands behind the list goes back to the least that
// any of these gave; what stands in front goes on with those whose keys it has.
func TestRowsOfListsAreNotLate(t *testing.T) {
	m := &checkpointv1.Manifest{
		FormatVersion: FormatVersion, JobId: "j", CheckpointId: 1, Kind: Periodic.Proto(),
		Vertices: []*checkpointv1.VertexState{{VertexId: "v", MaxParallelism: 4, LargestParallelism: 2}},
	}
	for i, at := range []int64{50, 100} {
		m.Vertices[0].Tasks = append(m.Vertices[0].Tasks, &checkpointv1.TaskState{
			Files: []*checkpointv1.StateFile{testFile(fileBase, fmt.Sprint(i), types.KeyGroupRangeOf(i, 2, 4))},
			Watermarks: []*checkpointv1.OperatorWatermark{
				{Uid: "behind", Watermark: at - 10}, {Uid: "list", Watermark: at}, {Uid: "v", Watermark: at},
			},
		})
	}
	spec := RestoreSpec{
		MaxParallelism: 4, Hears: map[types.VertexID]bool{"v": true}, Lists: map[types.VertexID]bool{"v": true}, BehindLists: map[types.OperatorUID]bool{"behind": true},
	}
	for to, want := range map[int32]string{2: "[40 50 50] [90 100 100]", 4: "[40 50 50] [40 50 50] [40 100 100] [40 100 100]"} {
		spec.Parallelism = map[types.VertexID]int32{"v": to}
		plan, err := Restore(m, spec)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, task := range plan.Vertices["v"].Tasks {
			got += fmt.Sprintf(" [%d %d %d]", task.Watermarks[0].Watermark, task.Watermarks[1].Watermark, task.Watermarks[2].Watermark)
		}
		if got[1:] != want {
			t.Errorf("%d tasks: %s, want %s", to, got[1:], want)
		}
	}
}
