package jobgraph

import (
	"slices"

	"millrace/types"
)

// order returns the positions of the vertices, producers before consumers and
// otherwise as they stand in the graph, then those on cycles and behind them;
// and the cycles, each by its vertices. Edges whose ends do not exist count for
// nothing, and of one id the first vertex counts.
func (g *Graph) order() (order []int, cycles [][]types.VertexID) {
	next, waits := g.successors()
	done := make([]bool, len(g.Vertices))
	for {
		i := 0
		for i < len(waits) && (done[i] || waits[i] > 0) {
			i++
		}
		if i == len(waits) {
			break
		}
		done[i] = true
		order = append(order, i)
		for _, k := range next[i] {
			waits[k]--
		}
	}
	cycles = g.cycles(next, done)
	for i := range done {
		if !done[i] {
			order = append(order, i)
		}
	}
	return order, cycles
}

// successors returns for each vertex the consumers, once an edge, and the
// number of edges into it.
func (g *Graph) successors() (next [][]int, waits []int) {
	at := make(map[types.VertexID]int, len(g.Vertices))
	for i, v := range slices.Backward(g.Vertices) {
		at[v.ID] = i
	}
	next, waits = make([][]int, len(g.Vertices)), make([]int, len(g.Vertices))
	for _, e := range g.Edges {
		from, ok := at[e.From]
		to, also := at[e.To]
		if ok && also {
			next[from] = append(next[from], to)
			waits[to]++
		}
	}
	return next, waits
}

// cycles finds one cycle in each knot of vertices that are not done.
func (g *Graph) cycles(next [][]int, done []bool) (cycles [][]types.VertexID) {
	const (
		unseen = iota
		onPath
		left
	)
	state := make([]int, len(next))
	var path []int
	var visit func(i int)
	visit = func(i int) {
		state[i] = onPath
		path = append(path, i)
		for _, k := range next[i] {
			switch {
			case done[k]:
			case state[k] == unseen:
				visit(k)
			case state[k] == onPath:
				cycles = append(cycles, g.cycleFrom(path, k))
			}
		}
		path = path[:len(path)-1]
		state[i] = left
	}
	for i := range next {
		if !done[i] && state[i] == unseen {
			visit(i)
		}
	}
	return cycles
}

// cycleFrom returns the ids of the path from vertex k on.
func (g *Graph) cycleFrom(path []int, k int) (ids []types.VertexID) {
	from := len(path) - 1
	for path[from] != k {
		from--
	}
	for _, i := range path[from:] {
		ids = append(ids, g.Vertices[i].ID)
	}
	return ids
}
