package scheduler

import (
	"fmt"

	"millrace/jobgraph"
	"millrace/types"
)

// widths decides the parallelism of every vertex, and how many slots the job
// needs for what it wants.
func (s *scheduling) widths(g *jobgraph.Graph, groups *groups, p Policy) (map[types.VertexID]int, Report) {
	r := Report{SlotsFree: s.free}
	wanted := make([]int, len(g.Vertices))
	for i := range g.Vertices {
		v := width(g, &g.Vertices[i], p)
		wanted[i] = v.Wanted
		r.Vertices = append(r.Vertices, v)
	}
	adaptive, most := groups.adaptive(wanted, s.free), g.KeyGroups()
	for i := range r.Vertices {
		if v := &r.Vertices[i]; v.Wanted == 0 {
			v.Wanted, v.Reason = adaptive, "as many as there are slots"
		}
		if v := &r.Vertices[i]; v.Wanted > most {
			v.Wanted, v.Reason = most, "the graph's max parallelism"
		}
		wanted[i] = r.Vertices[i].Wanted
	}
	r.SlotsNeeded = groups.needed(wanted, most)
	if level := groups.level(wanted, s.free); p.AllowLower && level > 0 {
		most = level
	}
	widths := make(map[types.VertexID]int, len(g.Vertices))
	for i := range r.Vertices {
		v := &r.Vertices[i]
		v.Parallelism = min(v.Wanted, most)
		if v.Parallelism < v.Wanted {
			v.Reason = fmt.Sprintf("lowered from %d: %s", v.Wanted, s.have())
		}
		widths[v.Vertex] = v.Parallelism
	}
	return widths, r
}

// width returns what a vertex wants; 0 leaves it to the slots that there are.
func width(g *jobgraph.Graph, v *jobgraph.Vertex, p Policy) VertexReport {
	r := VertexReport{Vertex: v.ID}
	switch {
	case v.Parallelism > 0:
		r.Wanted, r.Reason = v.Parallelism, "its own"
	case g.Parallelism > 0:
		r.Wanted, r.Reason = g.Parallelism, "the graph's"
	case !p.Adaptive:
		r.Wanted, r.Reason = max(p.DefaultParallelism, 1), "the cluster's default"
	}
	return r
}
