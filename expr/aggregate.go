package expr

import (
	"fmt"

	"millrace/types"
)

// AggregateType returns the type of an aggregate function's result over an
// argument of the given type; COUNT(*) passes any. Results other than COUNT's
// are nullable: without a row, or with NULL only, they are NULL.
func AggregateType(name string, arg types.Type) (types.Type, error) {
	switch name {
	case "COUNT":
		return types.Of(types.BigInt).NotNull(), nil
	case "MIN", "MAX":
		if l := arg.Layout(); l == types.LayoutNone || l >= types.LayoutList {
			return types.Type{}, fmt.Errorf("%s: values of type %s have no order", name, arg)
		}
		return arg.AsNullable(), nil
	case "SUM":
		if arg.Kind == types.Decimal {
			return types.DecimalOf(types.MaxDecimalPrecision, arg.Scale), nil
		}
	case "AVG":
		if arg.Kind == types.Decimal {
			return types.DecimalOf(types.MaxDecimalPrecision, max(minAdjustedScale, arg.Scale)), nil
		}
	default:
		return types.Type{}, fmt.Errorf("no aggregate function %s", name)
	}
	if !isNumber(arg) {
		return types.Type{}, fmt.Errorf("%s: argument is %s, want a number", name, arg)
	}
	return arg.AsNullable(), nil
}

// AverageSumType returns the type in which AVG adds up: SUM's, but BIGINT for
// the integers and DOUBLE for FLOAT, so that an average does not wrap early.
func AverageSumType(arg types.Type) (types.Type, error) {
	t, err := AggregateType("SUM", arg)
	if err != nil {
		return types.Type{}, err
	}
	switch t.Kind {
	case types.TinyInt, types.SmallInt, types.Int:
		return types.Of(types.BigInt), nil
	case types.Float:
		return types.Of(types.Double), nil
	default:
		return t, nil
	}
}
