package connectors

import "iter"

// AssignOnce returns the assignments of a source whose splits do not change
// once a job has begun: fresh yields each split as a new job begins it, and
// they go to the subtasks in turn. A split that the checkpoint knows goes on
// where it was. No split follows.
func AssignOnce(ctx EnumeratorContext, fresh iter.Seq[SplitState]) []Assignment {
	known := make(map[SplitID]SplitState, len(ctx.Splits))
	for _, s := range ctx.Splits {
		known[s.ID] = s
	}
	out := make([]Assignment, ctx.Parallelism)
	for i := range out {
		out[i] = Assignment{Subtask: int32(i), NoMore: true}
	}
	next := 0
	for s := range fresh {
		if at, ok := known[s.ID]; ok {
			s = at
		}
		out[next].Splits = append(out[next].Splits, s)
		next = (next + 1) % len(out)
	}
	return out
}
