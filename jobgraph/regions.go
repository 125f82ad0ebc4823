package jobgraph

import "millrace/types"

// Regions returns the vertices of a validated graph in groups that edges connect, each group and all of them in the order of the
// graph. A region is what is restarted when a task of it fails: rows of one never reach another. Flink calls it a
// pipelined region.
func (g *Graph) Regions() [][]types.VertexID {
	at := make(map[types.VertexID]int, len(g.Vertices))
	root := make([]int, len(g.Vertices)) // the first vertex that is known to be connected; a vertex may be its own
	for i := range g.Vertices {
		at[g.Vertices[i].ID], root[i] = i, i
	}
	for _, e := range g.Edges {
		from, to := find(root, at[e.From]), find(root, at[e.To])
		root[max(from, to)] = min(from, to)
	}
	var out [][]types.VertexID
	region := make(map[int]int)
	for i := range g.Vertices {
		r := find(root, i)
		if r == i {
			region[r] = len(out)
			out = append(out, nil)
		}
		out[region[r]] = append(out[region[r]], g.Vertices[i].ID)
	}
	return out
}

// find returns the first vertex of the group that a vertex is in.
func find(root []int, i int) int {
	for root[i] != i {
		i = root[i]
	}
	return i
}
