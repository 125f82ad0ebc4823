package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
)

// audited is a filter in two tasks, whose rows go to a window in one, to everybody in another vertex, and to a union.
func audited() (*jobgraph.Graph, *checkpointv1.Manifest) {
	g := &jobgraph.Graph{
		Vertices: []jobgraph.Vertex{
			{ID: "src", Source: &jobgraph.SourceSpec{}, Operators: []jobgraph.OperatorSpec{{UID: "filter", Body: &jobgraph.CalcSpec{}}}},
			{ID: "win", Operators: []jobgraph.OperatorSpec{{UID: "window", Body: &jobgraph.WindowAggregateSpec{}}}},
			{ID: "all"},
			{ID: "both", Operators: []jobgraph.OperatorSpec{{UID: "union", Body: &jobgraph.UnionSpec{}}}},
			{ID: "joined", Operators: []jobgraph.OperatorSpec{{UID: "join", Body: &jobgraph.JoinSpec{}}}},
		},
		Edges: []jobgraph.Edge{
			{From: "src", To: "win"},
			{From: "src", To: "all", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Broadcast}},
			{From: "src", To: "both"},
			{From: "win", To: "both", Input: 1, Port: 1},
			{From: "src", To: "joined"},
			{From: "win", To: "joined", Input: 1},
		},
	}
	task := func(in, out []int64, ops ...*checkpointv1.OperatorLedger) *checkpointv1.TaskState {
		return &checkpointv1.TaskState{Ledger: &checkpointv1.Ledger{Inputs: in, Outputs: out, Operators: ops}}
	}
	vertex := func(id string, tasks ...*checkpointv1.TaskState) *checkpointv1.VertexState {
		return &checkpointv1.VertexState{VertexId: id, Tasks: tasks}
	}
	return g, &checkpointv1.Manifest{Vertices: []*checkpointv1.VertexState{
		vertex("all", task([]int64{30}, []int64{30}), task([]int64{30}, []int64{30})),
		vertex("both", task([]int64{30, 4}, []int64{34}, &checkpointv1.OperatorLedger{Uid: "union", RowsIn: 34, RowsOut: 34})),
		vertex("joined", task([]int64{30, 7}, []int64{90}, &checkpointv1.OperatorLedger{Uid: "join", RowsIn: 37, RowsOut: 90, Folded: 36, Filtered: 1, Expired: 1})),
		vertex("src",
			task([]int64{50}, []int64{25}, &checkpointv1.OperatorLedger{Uid: "filter", RowsIn: 50, RowsOut: 25, Filtered: 25}),
			task([]int64{10}, []int64{5}, &checkpointv1.OperatorLedger{Uid: "filter", RowsIn: 10, RowsOut: 5, Filtered: 5})),
		vertex("win", task([]int64{30}, []int64{7, 4}, &checkpointv1.OperatorLedger{Uid: "window", RowsIn: 30, RowsOut: 7, Folded: 26, Late: 4})),
	}}
}

func TestAudit(t *testing.T) {
	ledger := func(m *checkpointv1.Manifest, vertex, task int) *checkpointv1.Ledger {
		return m.Vertices[vertex].Tasks[task].Ledger
	}
	for _, c := range []struct {
		name  string
		spoil func(*checkpointv1.Manifest)
		want  []string
	}{
		{"as it is", func(*checkpointv1.Manifest) {}, nil},
		{"no ledgers", func(m *checkpointv1.Manifest) { m.Vertices[4].Tasks[0].Ledger = nil }, nil},
		{"a row lost on its way", func(m *checkpointv1.Manifest) { ledger(m, 4, 0).Inputs[0]-- }, []string{"vertex win took 29 rows by input 0, its edges brought 30"}},
		{"a row doubled on its way", func(m *checkpointv1.Manifest) { ledger(m, 1, 0).Inputs[1]++ }, []string{"vertex both took 5 rows by input 1, its edges brought 4"}},
		{"rows in flight", func(m *checkpointv1.Manifest) {
			ledger(m, 4, 0).Inputs[0] -= 4
			ledger(m, 4, 0).Operators[0].RowsIn -= 4
			ledger(m, 4, 0).Operators[0].Folded -= 4
			m.Vertices[4].Tasks[0].InFlightRows = []int64{4}
		}, nil},
		{"a row in flight too many", func(m *checkpointv1.Manifest) {
			m.Vertices[4].Tasks[0].InFlightRows = []int64{1}
		}, []string{"vertex win took 30 rows by input 0, 1 more were in flight, its edges brought 30"}},
		{"a broadcast row lost", func(m *checkpointv1.Manifest) { ledger(m, 0, 1).Inputs[0]-- }, []string{"vertex all took 59 rows by input 0, its edges brought 60"}},
		{"a filter that loses a row", func(m *checkpointv1.Manifest) { ledger(m, 3, 1).Operators[0].Filtered-- }, []string{"operator filter took 60 rows, 59 are accounted for"}},
		{"a window that folds one twice", func(m *checkpointv1.Manifest) { ledger(m, 4, 0).Operators[0].Folded++ }, []string{"operator window took 30 rows, 31 are accounted for"}},
		{"a join that loses one", func(m *checkpointv1.Manifest) { ledger(m, 2, 0).Operators[0].Folded-- }, []string{"operator join took 37 rows, 36 are accounted for"}},
		{"a union that loses one", func(m *checkpointv1.Manifest) { ledger(m, 1, 0).Operators[0].RowsOut-- }, []string{"operator union took 34 rows, 33 are accounted for"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, m := audited()
			c.spoil(m)
			if diff := cmp.Diff(c.want, Audit(g, m)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLedgersGoOn: what a restore gives the tasks of another parallelism adds up to what the former tasks had.
func TestLedgersGoOn(t *testing.T) {
	_, m := audited()
	sum := sumLedgers(m.Vertices[3].Tasks)
	plan := restoreVertex(m.Vertices[3], 3, "calc", RestoreSpec{MaxParallelism: 128})
	if diff := cmp.Diff([]int64{60}, plan.Tasks[0].Ledger.Inputs); diff != "" || plan.Tasks[1].Ledger != nil || plan.Tasks[2].Ledger != nil {
		t.Errorf("the tasks go on from %v", plan.Tasks)
	}
	if sum.Operators[0].Filtered != 30 || len(sum.Operators) != 1 {
		t.Errorf("the former tasks had %v", sum)
	}
	if m.Vertices[3].Tasks[0].Ledger.Inputs[0] != 50 || m.Vertices[3].Tasks[0].Ledger.Operators[0].Filtered != 25 {
		t.Error("the manifest was changed")
	}
}
