package scheduler

import (
	"math"
	"sort"

	"millrace/jobgraph"
	"millrace/types"
)

// groups are a graph's slot sharing groups, in the order in which its vertices
// name them first. A share belongs to one group; shares are numbered group by group.
type groups struct {
	of    []int // by vertex, in the order of the graph
	ids   []types.VertexID
	count int
	first []int // the first share of each group
}

func groupsOf(g *jobgraph.Graph) *groups {
	out := &groups{of: make([]int, len(g.Vertices)), ids: make([]types.VertexID, len(g.Vertices))}
	at := make(map[string]int)
	for i := range g.Vertices {
		v := &g.Vertices[i]
		k, known := at[v.SlotSharingGroupOrDefault()]
		if !known {
			k = len(at)
			at[v.SlotSharingGroupOrDefault()] = k
		}
		out.of[i], out.ids[i] = k, v.ID
	}
	out.count = len(at)
	return out
}

// number numbers the shares that the groups have at these parallelisms, and
// returns how many there are.
func (g *groups) number(parallelism map[types.VertexID]int) (shares int) {
	widest := make([]int, g.count)
	for i, id := range g.ids {
		widest[g.of[i]] = max(widest[g.of[i]], parallelism[id])
	}
	g.first = make([]int, g.count)
	for k, n := range widest {
		g.first[k] = shares
		shares += n
	}
	return shares
}

// share returns the share of a subtask of the i-th vertex. It follows number.
func (g *groups) share(i, subtask int) int { return g.first[g.of[i]] + subtask }

// needed returns how many slots the job takes when no vertex has more than level
// subtasks.
func (g *groups) needed(wanted []int, level int) (slots int) {
	widest := make([]int, g.count)
	for i, n := range wanted {
		widest[g.of[i]] = max(widest[g.of[i]], min(n, level))
	}
	for _, n := range widest {
		slots += n
	}
	return slots
}

// level returns the largest number of subtasks to which every vertex can be
// lowered so that the job fits into the slots; 0 where there is not one slot for
// each group. It is one number for all groups: vertices of equal parallelism stay
// equal, as FORWARD edges between groups need.
func (g *groups) level(wanted []int, slots int) int {
	return sort.Search(slots, func(n int) bool { return g.needed(wanted, n+1) > slots })
}

// adaptive returns the parallelism of the vertices that take what there is, those
// that want 0: the largest that fits beside what the others want, and an even
// share of the slots where nothing does.
func (g *groups) adaptive(wanted []int, slots int) int {
	filled := make([]int, len(wanted))
	n := sort.Search(slots, func(n int) bool {
		for i, w := range wanted {
			if filled[i] = w; w == 0 {
				filled[i] = n + 1
			}
		}
		return g.needed(filled, math.MaxInt) > slots
	})
	if n == 0 {
		n = slots / g.count
	}
	return max(n, 1)
}
