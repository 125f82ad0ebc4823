package jobgraph_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/types"
)

func TestRegions(t *testing.T) {
	g := &jobgraph.Graph{
		Vertices: []jobgraph.Vertex{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}},
		Edges:    []jobgraph.Edge{{From: "e", To: "b"}, {From: "a", To: "d"}, {From: "b", To: "c"}},
	}
	want := [][]types.VertexID{{"a", "d"}, {"b", "c", "e"}}
	if diff := cmp.Diff(want, g.Regions()); diff != "" {
		t.Error(diff)
	}
}

// TestRegionsAreWhatEdgesReach compares with a plain search over the edges, both ways.
func TestRegionsAreWhatEdgesReach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &jobgraph.Graph{}
		n := rapid.IntRange(1, 9).Draw(t, "vertices")
		for i := range n {
			g.Vertices = append(g.Vertices, jobgraph.Vertex{ID: types.VertexID(fmt.Sprint(i))})
		}
		for range rapid.IntRange(0, 12).Draw(t, "edges") {
			from, to := rapid.IntRange(0, n-1).Draw(t, "from"), rapid.IntRange(0, n-1).Draw(t, "to")
			g.Edges = append(g.Edges, jobgraph.Edge{From: g.Vertices[from].ID, To: g.Vertices[to].ID})
		}
		var all []types.VertexID
		for _, region := range g.Regions() {
			all = append(all, region...)
			if want := reached(g, region[0]); !slices.Equal(region, want) {
				t.Fatalf("region %v, edges reach %v", region, want)
			}
		}
		if len(all) != n {
			t.Fatalf("%d vertices in regions, %d in the graph", len(all), n)
		}
	})
}

func reached(g *jobgraph.Graph, first types.VertexID) (out []types.VertexID) {
	in := map[types.VertexID]bool{first: true}
	for grown := true; grown; {
		grown = false
		for _, e := range g.Edges {
			if in[e.From] != in[e.To] {
				in[e.From], in[e.To], grown = true, true, true
			}
		}
	}
	for i := range g.Vertices {
		if id := g.Vertices[i].ID; in[id] {
			out = append(out, id)
		}
	}
	return out
}
