package channels_test

import (
	"testing"

	"millrace/exchange"
	"millrace/exchange/local"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/taskmanager/channels"
	"millrace/types"
)

// A task has a channel to each subtask behind an edge, to the equal one behind one that forwards, and its ends meet those of the others.
func TestEndsMeet(t *testing.T) {
	schema := types.NewSchema(types.Field{Name: "id", Type: types.Of(types.BigInt).NotNull()})
	g := &jobgraph.Graph{
		Vertices: []jobgraph.Vertex{
			{ID: "source", Source: &jobgraph.SourceSpec{UID: "source", Schema: schema}},
			{ID: "equal", Sink: &jobgraph.SinkSpec{UID: "equal"}},
			{ID: "keyed", Sink: &jobgraph.SinkSpec{UID: "keyed"}},
			{ID: "dead", Sink: &jobgraph.SinkSpec{UID: "dead"}},
		},
		Edges: []jobgraph.Edge{
			{From: "source", To: "equal"},
			{From: "source", To: "keyed", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}},
			{From: "source", Port: jobgraph.DeadLetterPort, To: "dead", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance}},
		},
	}
	flows, err := jobgraph.Derive(g)
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	network := local.NewNetwork()
	c := &channels.Channels{
		Graph: g, Flows: flows, Widths: map[types.VertexID]int{"source": 2, "equal": 2, "keyed": 3, "dead": 1},
		Region: types.RegionID{Job: "job"}, Attempt: 1, Network: network, Pool: &pool,
	}
	opened := func(what string, want int) {
		t.Helper()
		if n := network.Channels(); n != want {
			t.Errorf("with %s there are %d channels, not %d", what, n, want)
		}
	}
	deaf := exchange.WakerFunc(func() {})
	out, err := c.Outlets(types.TaskID{Vertex: "source", Subtask: 1}, deaf)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Ports) != 1 || len(out.Ports[0]) != 2 || len(out.Dead) != 1 {
		t.Errorf("outlets are %v", out)
	}
	opened("the outlets of source/1", 1+3+1)
	var gates []exchange.Gate
	for _, of := range []struct {
		task types.TaskID
		want int
	}{
		{types.TaskID{Vertex: "equal", Subtask: 1}, 5},
		{types.TaskID{Vertex: "equal", Subtask: 0}, 6},
		{types.TaskID{Vertex: "keyed", Subtask: 2}, 7},
		{types.TaskID{Vertex: "dead", Subtask: 0}, 8},
	} {
		gate, err := c.Gate(of.task, deaf)
		if err != nil {
			t.Fatal(err)
		}
		gates = append(gates, gate)
		opened("the gate of "+of.task.String(), of.want)
	}
	if _, err := c.Outlets(types.TaskID{Vertex: "source", Subtask: 1}, deaf); err == nil {
		t.Error("outlets open twice")
	}
	out.Close()
	for _, gate := range gates {
		gate.Close()
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}
