package scheduler

import (
	"fmt"

	"millrace/jobgraph"
	"millrace/types"
)

// widths decides the parallelism of every vertex, and how many slots the job
// needs for what it wants.
func (s *scheduling) widths(g *jobgraph.Graph, p Policy) (map[types.VertexID]int, Report) {
	r := Report{SlotsFree: s.free}
	widths := make(map[types.VertexID]int, len(g.Vertices))
	for i := range g.Vertices {
		v := s.width(g, &g.Vertices[i], p)
		r.SlotsNeeded = max(r.SlotsNeeded, v.Wanted)
		if p.AllowLower && v.Wanted > s.free && s.free > 0 {
			v.Parallelism = s.free
			v.Reason = fmt.Sprintf("lowered from %d: %s", v.Wanted, s.have())
		}
		widths[v.Vertex] = v.Parallelism
		r.Vertices = append(r.Vertices, v)
	}
	return widths, r
}

// width returns what a vertex wants.
func (s *scheduling) width(g *jobgraph.Graph, v *jobgraph.Vertex, p Policy) VertexReport {
	var n int
	var why string
	switch {
	case v.Parallelism > 0:
		n, why = v.Parallelism, "its own"
	case g.Parallelism > 0:
		n, why = g.Parallelism, "the graph's"
	case p.Adaptive:
		n, why = s.free, "as many as there are slots"
	default:
		n, why = p.DefaultParallelism, "the cluster's default"
	}
	if most := g.KeyGroups(); n > most {
		n, why = most, "the graph's max parallelism"
	}
	n = max(n, 1)
	return VertexReport{Vertex: v.ID, Wanted: n, Parallelism: n, Reason: why}
}
