package jobgraph

import "millrace/types"

// DropUpdateBeforeSpec leaves -U out, where a +U says by its key what it takes back.
type DropUpdateBeforeSpec struct {
	// Keys are those of the consumer, where a -U need not have a +U of its key behind it: then it becomes a -D. None: it has.
	Keys []int
}

func (*DropUpdateBeforeSpec) kind() OperatorKind { return KindDropUpdateBefore }

func (*DropUpdateBeforeSpec) inputs() (least, most int) { return 1, 1 }

func (*DropUpdateBeforeSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

func (*DropUpdateBeforeSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (s *DropUpdateBeforeSpec) check(c *operatorCheck, in []*types.Schema) *types.Schema {
	c.keys(c.id, c.at("keys"), s.Keys, in[0])
	return in[0]
}

func (s *DropUpdateBeforeSpec) explain(e *explainer, in []*types.Schema) {
	if len(s.Keys) > 0 {
		e.line(2, "-U without +U of the same (%s) becomes -D", columnNames(in[0], s.Keys))
	}
}
