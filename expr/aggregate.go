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
