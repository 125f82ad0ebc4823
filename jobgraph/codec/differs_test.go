package codec_test

import (
	"testing"

	"millrace/jobgraph"
	"millrace/jobgraph/codec"
)

// TestDifference: what differs first is named, and what completing a job fills in is not.
func TestDifference(t *testing.T) {
	plan := func() *jobgraph.Graph {
		return &jobgraph.Graph{
			Name:    "words",
			Program: &jobgraph.ProgramSpec{Name: "words", Env: map[string]string{"TOPIC": "words"}},
			Vertices: []jobgraph.Vertex{
				{
					ID: "read", Source: &jobgraph.SourceSpec{UID: "s", Connector: "kafka", Options: map[string]string{"topic": "words"}},
					Operators: []jobgraph.OperatorSpec{{UID: "f", Body: &jobgraph.NativeSpec{What: "map"}}},
				},
				{ID: "write", Sink: &jobgraph.SinkSpec{UID: "k", Connector: "print"}},
			},
			Edges: []jobgraph.Edge{{From: "read", To: "write", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance}}},
		}
	}
	for want, change := range map[string]func(*jobgraph.Graph){
		"operator f of vertex read differs": func(g *jobgraph.Graph) { g.Vertices[0].Operators[0].Body = &jobgraph.NativeSpec{What: "filter"} },
		"the source of vertex read differs": func(g *jobgraph.Graph) { g.Vertices[0].Source.Options["topic"] = "others" },
		"the sink of vertex write differs":  func(g *jobgraph.Graph) { g.Vertices[1].Sink.Connector = "blackhole" },
		"vertex read differs":               func(g *jobgraph.Graph) { g.Vertices[0].Operators = nil },
		"vertex other is here in place of read": func(g *jobgraph.Graph) {
			g.Vertices[0].ID = "other"
		},
		"vertex write is missing": func(g *jobgraph.Graph) { g.Vertices = g.Vertices[:1] },
		"vertex more is new":      func(g *jobgraph.Graph) { g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: "more"}) },
		"the edge from read to write differs": func(g *jobgraph.Graph) {
			g.Edges[0].Kind = jobgraph.Broadcast
		},
		"there are fewer edges":                   func(g *jobgraph.Graph) { g.Edges = nil },
		"its name or version differs":             func(g *jobgraph.Graph) { g.Program.Version = "2" },
		"it asks for other environment variables": func(g *jobgraph.Graph) { g.Program.Env = nil },
		"the functions for SQL differ":            func(g *jobgraph.Graph) { g.Program.Functions = make([]jobgraph.FunctionSpec, 1) },
		"what the whole job says of itself differs: its name, parallelism, checkpoints, restarts or labels": func(g *jobgraph.Graph) { g.Name = "others" },
	} {
		t.Run(want, func(t *testing.T) {
			now, before := plan(), plan()
			before.Vertices[0].Source.Options["properties.bootstrap.servers"], before.Parallelism = "broker:9092", 4
			change(now)
			if got := codec.Difference(now, before); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}
