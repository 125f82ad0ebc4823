package expr

import (
	"fmt"

	"millrace/types"
)

// minAdjustedScale is the number of fractional digits that a DECIMAL result
// keeps when its precision would pass the maximum.
const minAdjustedScale = 6

// adjustedDecimal returns DECIMAL(precision, scale), or, beyond the largest
// precision, the type that gives up fractional digits before whole ones.
func adjustedDecimal(precision, scale int) types.Type {
	const most = types.MaxDecimalPrecision
	if precision <= most {
		return types.DecimalOf(precision, scale)
	}
	whole := precision - scale
	return types.DecimalOf(most, max(most-whole, min(scale, minAdjustedScale)))
}

// decimalSum types a + b and a - b.
func decimalSum(a, b types.Type) types.Type {
	s := max(a.Scale, b.Scale)
	return adjustedDecimal(max(a.Precision-a.Scale, b.Precision-b.Scale)+s+1, s)
}

// decimalProduct types a * b.
func decimalProduct(a, b types.Type) types.Type {
	return adjustedDecimal(a.Precision+b.Precision+1, a.Scale+b.Scale)
}

// decimalQuotient types a / b.
func decimalQuotient(a, b types.Type) types.Type {
	s := max(minAdjustedScale, a.Scale+b.Precision+1)
	return adjustedDecimal(a.Precision-a.Scale+b.Scale+s, s)
}

// decimalRemainder types a % b.
func decimalRemainder(a, b types.Type) types.Type {
	s := max(a.Scale, b.Scale)
	return adjustedDecimal(max(min(a.Precision-a.Scale, b.Precision-b.Scale)+s, 1), s)
}

// decimalUnion returns the DECIMAL that holds every value of both, and whether
// there is one: without, the returned type has lost whole digits.
func decimalUnion(a, b types.Type) (t types.Type, exact bool) {
	s := max(a.Scale, b.Scale)
	p := max(a.Precision-a.Scale, b.Precision-b.Scale) + s
	if p <= types.MaxDecimalPrecision {
		return types.DecimalOf(p, s), true
	}
	return types.DecimalOf(types.MaxDecimalPrecision, s), false
}

// asDecimal returns the DECIMAL that holds every value of an exact number.
func asDecimal(t types.Type) types.Type {
	switch t.Kind {
	case types.TinyInt:
		return types.DecimalOf(3, 0)
	case types.SmallInt:
		return types.DecimalOf(5, 0)
	case types.Int:
		return types.DecimalOf(10, 0)
	case types.BigInt:
		return types.DecimalOf(19, 0)
	default:
		return t.AsNullable()
	}
}

func isInteger(t types.Type) bool { return t.Kind >= types.TinyInt && t.Kind <= types.BigInt }
func isFloat(t types.Type) bool   { return t.Kind == types.Float || t.Kind == types.Double }
func isExact(t types.Type) bool   { return isInteger(t) || t.Kind == types.Decimal }
func isNumber(t types.Type) bool  { return isExact(t) || isFloat(t) }
func isText(t types.Type) bool    { return t.Kind == types.Char || t.Kind == types.VarChar }
func isBinary(t types.Type) bool  { return t.Kind == types.Binary || t.Kind == types.VarBinary }
func isInterval(t types.Type) bool {
	return t.Kind == types.IntervalDayTime || t.Kind == types.IntervalYearMonth
}

func isTimestamp(t types.Type) bool {
	return t.Kind == types.Timestamp || t.Kind == types.TimestampLTZ
}

func isTemporal(t types.Type) bool {
	return t.Kind == types.Date || t.Kind == types.Time || isTimestamp(t)
}

// CommonType returns the type to which values of all given types are brought
// where they meet in one column: the branches of CASE, the arguments of
// COALESCE, the inputs of UNION. It is nullable if one of them is. Types
// without a common one are an error.
func CommonType(ts ...types.Type) (types.Type, error) {
	if len(ts) == 0 {
		return types.Type{}, fmt.Errorf("no type given")
	}
	found := ts[0]
	nullable := false
	for _, t := range ts {
		nullable = nullable || t.Nullable || t.Kind == types.Null
	}
	for _, t := range ts[1:] {
		c, ok := commonOfTwo(found, t)
		if !ok {
			return types.Type{}, fmt.Errorf("%s and %s have no common type", found, t)
		}
		found = c
	}
	found.Nullable = nullable
	return found, nil
}

func commonOfTwo(a, b types.Type) (types.Type, bool) {
	switch {
	case a.Kind == types.Null:
		return b, true
	case b.Kind == types.Null || a.EqualIgnoringNull(b):
		return a, true
	case isNumber(a) && isNumber(b):
		return commonNumber(a, b), true
	case isText(a) && isText(b):
		return types.VarCharOf(max(a.Length, b.Length)), true
	case isBinary(a) && isBinary(b):
		return types.Type{Kind: types.VarBinary, Nullable: true, Length: max(a.Length, b.Length)}, true
	case a.Kind == b.Kind && isTemporal(a):
		a.Precision = max(a.Precision, b.Precision)
		return a, true
	default:
		return types.Type{}, false
	}
}

func commonNumber(a, b types.Type) types.Type {
	switch {
	case isInteger(a) && isInteger(b):
		if a.Kind > b.Kind {
			return a
		}
		return b
	case isExact(a) && isExact(b):
		t, _ := decimalUnion(asDecimal(a), asDecimal(b))
		return t
	case a.Kind == types.Double || b.Kind == types.Double, a.Kind == types.Decimal, b.Kind == types.Decimal:
		return types.Of(types.Double)
	default:
		return types.Of(types.Float)
	}
}

func anyNullable(ts []types.Type) bool {
	for _, t := range ts {
		if t.Nullable {
			return true
		}
	}
	return false
}
