package jobgraph

import "millrace/types"

// DropUpdateBeforeSpec leaves -U out, where a +U says by its key what it takes back.
type DropUpdateBeforeSpec struct{}

func (*DropUpdateBeforeSpec) kind() OperatorKind { return KindDropUpdateBefore }

func (*DropUpdateBeforeSpec) inputs() (least, most int) { return 1, 1 }

func (*DropUpdateBeforeSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

func (*DropUpdateBeforeSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (*DropUpdateBeforeSpec) check(_ *operatorCheck, in []*types.Schema) *types.Schema { return in[0] }

func (*DropUpdateBeforeSpec) explain(*explainer, []*types.Schema) {}
