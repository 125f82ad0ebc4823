package checkpoint

import (
	"slices"

	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Lists tells which vertices have operator lists.
func Lists(g *jobgraph.Graph) map[types.VertexID]bool {
	out := make(map[types.VertexID]bool)
	for i := range g.Vertices {
		v := &g.Vertices[i]
		out[v.ID] = slices.ContainsFunc(v.Operators, hasList)
	}
	return out
}

// BehindLists tells which operators have one with a list in front of them in their vertex. Behind a rescale it may give them rows of any former task.
func BehindLists(g *jobgraph.Graph) map[types.OperatorUID]bool {
	out := make(map[types.OperatorUID]bool)
	for i := range g.Vertices {
		behind := false
		for _, o := range g.Vertices[i].Operators {
			out[o.UID] = behind
			behind = behind || hasList(o)
		}
	}
	return out
}

func hasList(o jobgraph.OperatorSpec) bool {
	n, ok := o.Body.(*jobgraph.NativeSpec)
	return ok && slices.ContainsFunc(n.Tables, func(t jobgraph.NativeTable) bool { return t.Shape == jobgraph.NativeList })
}

// withLeast returns own with the watermarks of some operators from all.
func withLeast(own, all []*checkpointv1.OperatorWatermark, of map[types.OperatorUID]bool) []*checkpointv1.OperatorWatermark {
	var out []*checkpointv1.OperatorWatermark
	for _, w := range own {
		if !of[types.OperatorUID(w.Uid)] {
			out = append(out, w)
		}
	}
	for _, w := range all {
		if of[types.OperatorUID(w.Uid)] {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, byUID)
	return out
}
