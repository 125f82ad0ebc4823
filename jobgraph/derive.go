package jobgraph

import (
	"fmt"
	"strings"

	"millrace/expr"
	"millrace/types"
)

// Names of the columns that a window adds, Flink's.
const (
	WindowStart = "window_start"
	WindowEnd   = "window_end"
)

// PartialRows is the last column of a LocalAggregate's output: how many input
// rows stand behind the partial row.
const PartialRows = "$rows"

// windowTime is the type of window_start and window_end.
var windowTime = types.TimestampOf(3).NotNull()

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
		return source.Schema
	case len(f.Inputs) > 0:
		return f.Inputs[0]
	default:
		return nil
	}
}

// OutputSchema returns the schema of an operator's main output over its inputs.
// The descriptions are trusted: Validate has checked them.
func OutputSchema(o *OperatorSpec, inputs []*types.Schema) (*types.Schema, error) {
	if len(inputs) == 0 {
		return nil, fmt.Errorf("operator %s has no input", o.UID)
	}
	switch o.Kind() {
	case KindCalc:
		fields := make([]types.Field, len(o.Calc.Columns))
		for i, p := range o.Calc.Columns {
			fields[i] = types.Field{Name: p.Name, Type: p.Expr.Type()}
		}
		return types.NewSchema(fields...), nil
	case KindWindowAggregate:
		in := inputs[0]
		if o.WindowAggregate.Partial {
			in = o.WindowAggregate.Input
		}
		return windowSchema(o.WindowAggregate, in)
	case KindLocalAggregate:
		return PartialSchema(o.LocalAggregate, inputs[0])
	case KindUnion:
		return inputs[0], nil
	default:
		return nil, fmt.Errorf("operator %s has no or several descriptions", o.UID)
	}
}

// SideSchemas returns the schemas of an operator's side outputs.
func SideSchemas(o *OperatorSpec, inputs []*types.Schema) []*types.Schema {
	if o.WindowAggregate != nil && o.WindowAggregate.LateOutput {
		return inputs[:1]
	}
	return nil
}

func windowSchema(w *WindowAggregateSpec, in *types.Schema) (*types.Schema, error) {
	fields := keyFields(w, in)
	fields = append(fields, types.Field{Name: WindowStart, Type: windowTime}, types.Field{Name: WindowEnd, Type: windowTime})
	for _, a := range w.Aggregates {
		t, err := expr.AggregateType(strings.ToUpper(a.Func), argType(a, in))
		if err != nil {
			return nil, err
		}
		fields = append(fields, types.Field{Name: a.Name, Type: t})
	}
	return types.NewSchema(fields...), nil
}

// PartialSchema returns the schema of a LocalAggregate's output: the keys,
// window_end, for each aggregate its accumulator columns, and PartialRows.
//
// The accumulators are: of COUNT, the count; of SUM, MIN and MAX, the value
// (NULL before the first) with SUM in its result type; of AVG, sum and count.
func PartialSchema(w *WindowAggregateSpec, in *types.Schema) (*types.Schema, error) {
	fields := keyFields(w, in)
	fields = append(fields, types.Field{Name: WindowEnd, Type: windowTime})
	count := types.Of(types.BigInt).NotNull()
	for i, a := range w.Aggregates {
		t, err := expr.AggregateType(strings.ToUpper(a.Func), argType(a, in))
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s$%d", strings.ToLower(a.Func), i)
		if strings.EqualFold(a.Func, "AVG") {
			sum, err := expr.AverageSumType(argType(a, in))
			if err != nil {
				return nil, err
			}
			fields = append(fields, types.Field{Name: name + "$sum", Type: sum}, types.Field{Name: name + "$count", Type: count})
			continue
		}
		fields = append(fields, types.Field{Name: name, Type: t})
	}
	fields = append(fields, types.Field{Name: PartialRows, Type: count})
	return types.NewSchema(fields...), nil
}

func keyFields(w *WindowAggregateSpec, in *types.Schema) []types.Field {
	fields := make([]types.Field, 0, len(w.Keys)+2+len(w.Aggregates))
	for _, k := range w.Keys {
		fields = append(fields, in.Fields[k])
	}
	return fields
}

func argType(a AggregateCall, in *types.Schema) types.Type {
	if a.Arg == CountStar {
		return types.Of(types.BigInt).NotNull()
	}
	return in.Fields[a.Arg].Type
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
		at = []*types.Schema{v.Source.Schema}
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
