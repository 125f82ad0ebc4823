package jobgraph

import (
	"fmt"
	"slices"
	"strconv"

	"millrace/types"
)

// edges checks the ends, ports, inputs and partitioning of every edge, and
// notes for each vertex the edges into it that stand.
func (v *validator) edges() {
	v.inputs, v.places = make([][]Edge, len(v.g.Vertices)), make([][]int, len(v.g.Vertices))
	for i := range v.g.Edges {
		e := &v.g.Edges[i]
		field := fmt.Sprintf("edges[%d]", i)
		from, to := v.end(field+".from", e.From), v.end(field+".to", e.To)
		if from >= 0 {
			v.port(field+".port", &v.g.Vertices[from], e.Port)
		}
		if from >= 0 && to >= 0 {
			v.inputs[to] = append(v.inputs[to], *e)
			v.places[to] = append(v.places[to], i)
			v.forward(field, e, &v.g.Vertices[from], &v.g.Vertices[to])
		}
		if e.Kind > Broadcast {
			v.add(e.To, field+".partitioning", "unknown partitioning %d", e.Kind)
		}
		if e.Kind != Hash && len(e.Keys) > 0 {
			v.add(e.To, field+".keys", "a %s edge has no keys", e.Kind)
		}
	}
	for i := range v.inputs {
		v.ordinals(i)
	}
}

// end returns the position of the vertex at an end of an edge, -1 where there is none.
func (v *validator) end(field string, id types.VertexID) int {
	if i, ok := v.vertices[id]; ok {
		return i
	}
	ids := make([]string, 0, len(v.vertices))
	for i := range v.g.Vertices {
		ids = append(ids, string(v.g.Vertices[i].ID))
	}
	slices.Sort(ids)
	v.unknown("", field, "vertex", string(id), slices.Compact(ids))
	return -1
}

func (v *validator) port(field string, from *Vertex, port int) {
	switch {
	case port == DeadLetterPort && from.Source == nil:
		v.add(from.ID, field, "only a source has a dead-letter port")
	case port == DeadLetterPort || port == 0:
	case port > 0 && port <= len(from.nativeSides()):
	case port != 1 || !from.lateOutput():
		v.add(from.ID, field, "the vertex has no output port %d", port)
	}
}

// lateOutput tells whether late rows leave the vertex by port 1.
func (v *Vertex) lateOutput() bool {
	if len(v.Operators) == 0 {
		return false
	}
	w, _ := v.Operators[len(v.Operators)-1].Body.(*WindowAggregateSpec)
	return w != nil && w.LateOutput
}

func (v *validator) forward(field string, e *Edge, from, to *Vertex) {
	a, b := v.effective(from), v.effective(to)
	if e.Kind != Forward || a == b {
		return
	}
	v.add(e.To, field+".partitioning", "FORWARD needs equal parallelism, but %s has %s and %s has %s", from.ID, shown(a), to.ID, shown(b))
}

// effective returns the parallelism of a vertex, 0 where the cluster chooses.
func (v *validator) effective(x *Vertex) int {
	if x.Parallelism != 0 {
		return x.Parallelism
	}
	return v.g.Parallelism
}

func shown(parallelism int) string {
	if parallelism == 0 {
		return "the cluster's"
	}
	return strconv.Itoa(parallelism)
}

// ordinals sorts the edges into a vertex by Input and checks that these count
// from 0 without gaps.
func (v *validator) ordinals(i int) {
	edges, places := v.inputs[i], v.places[i]
	by := make([]int, len(edges))
	for k := range by {
		by[k] = k
	}
	slices.SortStableFunc(by, func(a, b int) int { return edges[a].Input - edges[b].Input })
	for want, k := range by {
		if have := edges[k].Input; have != want {
			v.add(v.g.Vertices[i].ID, fmt.Sprintf("edges[%d].input", places[k]), "is %d, but inputs count from 0 without gaps: want %d", have, want)
			break
		}
	}
	sorted, at := make([]Edge, len(by)), make([]int, len(by))
	for n, k := range by {
		sorted[n], at[n] = edges[k], places[k]
	}
	v.inputs[i], v.places[i] = sorted, at
}

// hashKeys checks the keys of a Hash edge against the schema of its rows, which
// is nil where it is not known.
func (v *validator) hashKeys(e *Edge, place int, s *types.Schema) {
	if e.Kind != Hash {
		return
	}
	field := fmt.Sprintf("edges[%d].keys", place)
	if len(e.Keys) == 0 {
		v.add(e.To, field, "a HASH edge needs keys")
	}
	v.keys(e.To, field, e.Keys, s)
}

// keys checks key columns; it reports whether they stand.
func (v *validator) keys(vertex types.VertexID, field string, keys []int, s *types.Schema) bool {
	whole := v.atMost(vertex, field, len(keys), KeysMax)
	if s == nil || !whole {
		return whole
	}
	for i, k := range keys {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !v.column(vertex, at, k, s) {
			whole = false
			continue
		}
		if t := s.Fields[k].Type; !canBeKey(t) {
			v.add(vertex, at, "column %s is %s, which can't be a key", s.Fields[k].Name, t)
			whole = false
		}
	}
	return whole
}

func canBeKey(t types.Type) bool {
	l := t.Layout()
	return l != types.LayoutNone && l < types.LayoutList
}

func (v *validator) column(vertex types.VertexID, field string, column int, s *types.Schema) bool {
	if column >= 0 && column < s.Len() {
		return true
	}
	v.add(vertex, field, "column %d of an input with %d", column, s.Len())
	return false
}
