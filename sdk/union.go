package sdk

import "millrace/jobgraph"

// Union merges streams of one type. Rows of different streams come in any order. Event time is that of the stream that is the furthest behind.
func Union[T any](first *Stream[T], others ...*Stream[T]) *Stream[T] {
	all := append([]*Stream[T]{first}, others...)
	inputs := make([]input, 0, len(all))
	out := &Stream[T]{env: first.env}
	for _, s := range all {
		if !s.ok() {
			return broken[T](first.env)
		}
		p := s.plain()
		inputs = append(inputs, p.forward())
		out.mapping, out.changes = p.mapping, out.changes || p.changes
		if out.schema != nil && !out.schema.Equal(p.schema) {
			first.env.Problemf("streams of %s and of %s can't be one", out.schema, p.schema)
			for _, s := range all {
				s.refused()
			}
			return broken[T](first.env)
		}
		out.schema = p.schema
	}
	out.node = first.env.add("union", nil, inputs...)
	out.node.body = &jobgraph.UnionSpec{}
	return out
}
