package expr

import (
	"fmt"

	"millrace/types"
)

// AggregateType returns the type of an aggregate over a group that is not
// empty, by Flink's rules. For COUNT(*) the argument is any type. Names are
// upper case.
func AggregateType(fn string, arg types.Type) (types.Type, error) {
	switch fn {
	case "COUNT":
		return types.Of(types.BigInt).NotNull(), nil
	case "MIN", "MAX":
		if l := arg.Layout(); l == types.LayoutNone || l == types.LayoutList || l == types.LayoutStruct {
			return types.Type{}, fmt.Errorf("%s can't compare values of type %s", fn, arg)
		}
		return arg, nil
	case "SUM", "AVG":
		return numericAggregate(fn, arg)
	default:
		return types.Type{}, fmt.Errorf("unknown aggregate function %s", fn)
	}
}

func numericAggregate(fn string, arg types.Type) (types.Type, error) {
	switch arg.Kind {
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.Float, types.Double:
		return arg, nil
	case types.Decimal:
		scale := arg.Scale
		if fn == "AVG" {
			scale = max(6, scale)
		}
		t := types.DecimalOf(types.MaxDecimalPrecision, scale)
		t.Nullable = arg.Nullable
		return t, nil
	default:
		return types.Type{}, fmt.Errorf("%s needs a number, not %s", fn, arg)
	}
}
