package operators

import (
	"iter"

	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// Contexts returns the operators of a vertex, in the order of its chain, each with a context of its own: what the task has in common, and the
// operator's uid, schemas and counts, and the watermark that was restored for it, NoWatermark where there is none.
func Contexts(
	v *jobgraph.Vertex, flow *jobgraph.Flow, common Context, restored map[types.OperatorUID]stream.Watermark,
) iter.Seq2[*jobgraph.OperatorSpec, *Context] {
	return func(yield func(*jobgraph.OperatorSpec, *Context) bool) {
		in := flow.Inputs
		if v.Source != nil {
			in = []*types.Schema{v.Source.Output()}
		}
		for i := range v.Operators {
			spec, ctx := &v.Operators[i], common
			ctx.Operator, ctx.Inputs, ctx.Output, ctx.Counts = spec.UID, in, flow.Operators[i], &Counts{}
			ctx.Watermark = stream.NoWatermark
			if w, ok := restored[spec.UID]; ok {
				ctx.Watermark = w
			}
			if i == len(v.Operators)-1 {
				ctx.Sides = flow.Sides
			}
			if !yield(spec, &ctx) {
				return
			}
			in = []*types.Schema{flow.Operators[i]}
		}
	}
}
