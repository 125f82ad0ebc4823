package jobgraph

import (
	"fmt"

	"millrace/types"
)

// Flow is what is known of a vertex before it runs: the schemas along its chain.
type Flow struct {
	// Inputs are the schemas of the vertex's inputs; of a source there is none.
	Inputs []*types.Schema
	// Operators has, for each operator of the chain, the schema of its main output.
	Operators []*types.Schema
	// Sides has the schemas of the last operator's side outputs, ports 1, 2, ...
	Sides []*types.Schema
}

// Output returns the schema of a port of the vertex.
func (f *Flow) Output(source *SourceSpec, port int) *types.Schema {
	if port == DeadLetterPort && source != nil {
		return DeadLetterSchema
	}
	if port != 0 {
		if port < 0 || port > len(f.Sides) {
			return nil
		}
		return f.Sides[port-1]
	}
	switch {
	case len(f.Operators) > 0:
		return f.Operators[len(f.Operators)-1]
	case source != nil:
		return source.Output()
	case len(f.Inputs) > 0:
		return f.Inputs[0]
	default:
		return nil
	}
}

// Derive returns what flows through every vertex. It needs a graph without
// cycles whose edges and columns exist, and reports the first that does not.
func Derive(g *Graph) (map[types.VertexID]*Flow, error) {
	flows := make(map[types.VertexID]*Flow, len(g.Vertices))
	for range g.Vertices {
		progress := false
		for i := range g.Vertices {
			v := &g.Vertices[i]
			if flows[v.ID] != nil {
				continue
			}
			inputs, ready, err := inputSchemas(g, v.ID, flows)
			if err != nil {
				return nil, err
			}
			if !ready {
				continue
			}
			if flows[v.ID], err = deriveVertex(v, inputs); err != nil {
				return nil, fmt.Errorf("vertex %s: %w", v.ID, err)
			}
			progress = true
		}
		if !progress {
			break
		}
	}
	if len(flows) < len(g.Vertices) {
		return nil, fmt.Errorf("job graph has a cycle")
	}
	return flows, nil
}

// inputSchemas returns the schemas of a vertex's inputs; ready is false while a
// producer is not derived yet.
func inputSchemas(g *Graph, id types.VertexID, flows map[types.VertexID]*Flow) (in []*types.Schema, ready bool, err error) {
	for _, e := range g.Inputs(id) {
		from := g.Vertex(e.From)
		if from == nil {
			return nil, false, fmt.Errorf("edge to %s comes from unknown vertex %s", id, e.From)
		}
		f := flows[e.From]
		if f == nil {
			return nil, false, nil
		}
		s := f.Output(from.Source, e.Port)
		if s == nil {
			return nil, false, fmt.Errorf("vertex %s has no output port %d", e.From, e.Port)
		}
		in = append(in, s)
	}
	return in, true, nil
}

func deriveVertex(v *Vertex, inputs []*types.Schema) (*Flow, error) {
	f := &Flow{Inputs: inputs}
	at := inputs
	if v.Source != nil {
		at = []*types.Schema{v.Source.Output()}
	}
	for i := range v.Operators {
		o := &v.Operators[i]
		s, err := OutputSchema(o, at)
		if err != nil {
			return nil, err
		}
		f.Sides = SideSchemas(o, at)
		f.Operators = append(f.Operators, s)
		at = []*types.Schema{s}
	}
	return f, nil
}
