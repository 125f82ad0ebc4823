package jobgraph

import (
	"math"

	"millrace/types"
)

// UnionSpec merges inputs of one schema; row order between inputs is free.
type UnionSpec struct{}

func (*UnionSpec) kind() OperatorKind { return KindUnion }

func (*UnionSpec) inputs() (least, most int) { return 1, math.MaxInt }

func (*UnionSpec) output(in []*types.Schema) (*types.Schema, error) { return in[0], nil }

// passes is not asked of a union: its rows are those of its inputs.
func (*UnionSpec) passes(column int) (input, from int, ok bool) { return 0, column, true }

func (*UnionSpec) check(_ *operatorCheck, in []*types.Schema) *types.Schema { return in[0] }

func (*UnionSpec) explain(*explainer, []*types.Schema) {}
