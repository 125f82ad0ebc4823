package expr

import (
	"fmt"
	"math"
	"math/bits"

	"millrace/types"
)

// Null returns the NULL of a type.
func Null(t types.Type) *Literal { return &Literal{T: t.AsNullable()} }

// Bool returns a BOOLEAN constant.
func Bool(v bool) *Literal { return &Literal{T: types.Of(types.Boolean).NotNull(), Value: v} }

// Int returns an INT constant.
func Int(v int32) *Literal { return &Literal{T: types.Of(types.Int).NotNull(), Value: int64(v)} }

// BigInt returns a BIGINT constant.
func BigInt(v int64) *Literal { return &Literal{T: types.Of(types.BigInt).NotNull(), Value: v} }

// Double returns a DOUBLE constant.
func Double(v float64) *Literal { return &Literal{T: types.Of(types.Double).NotNull(), Value: v} }

// String returns a constant of type STRING. (A literal in SQL text is a CHAR of
// its length, which the planner builds itself.)
func String(v string) *Literal { return &Literal{T: types.StringType().NotNull(), Value: v} }

// checkLiteral reports a value that is none of its type.
func checkLiteral(l *Literal) error {
	if err := l.T.Validate(); err != nil {
		return fmt.Errorf("literal: %w", err)
	}
	if l.Value == nil {
		if !l.T.Nullable {
			return fmt.Errorf("literal: NULL can't be of type %s", l.T)
		}
		return nil
	}
	if !literalFits(l) {
		return fmt.Errorf("literal: a %T is no value of type %s", l.Value, l.T)
	}
	return nil
}

func literalFits(l *Literal) bool {
	switch l.T.Layout() {
	case types.LayoutBit:
		_, ok := l.Value.(bool)
		return ok
	case types.LayoutInt8:
		return intFits(l.Value, math.MinInt8, math.MaxInt8)
	case types.LayoutInt16:
		return intFits(l.Value, math.MinInt16, math.MaxInt16)
	case types.LayoutInt32:
		return intFits(l.Value, math.MinInt32, math.MaxInt32)
	case types.LayoutInt64:
		if l.T.Kind == types.Decimal {
			limit := pow10(l.T.Precision) - 1
			return intFits(l.Value, -limit, limit)
		}
		return intFits(l.Value, math.MinInt64, math.MaxInt64)
	case types.LayoutFloat32, types.LayoutFloat64:
		_, ok := l.Value.(float64)
		return ok
	case types.LayoutInt128:
		v, ok := l.Value.(types.Int128)
		return ok && int128Fits(v, l.T.Precision)
	case types.LayoutBytes:
		return textFits(l)
	default:
		return false // nested values have no literals
	}
}

func intFits(v any, lo, hi int64) bool {
	x, ok := v.(int64)
	return ok && lo <= x && x <= hi
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// int128Fits tells whether v has at most precision digits.
func int128Fits(v types.Int128, precision int) bool {
	hi, lo := uint64(v.Hi), v.Lo
	if v.Hi < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	limHi, limLo := uint64(0), uint64(1)
	for range precision {
		carry, low := bits.Mul64(limLo, 10)
		limHi, limLo = limHi*10+carry, low
	}
	return hi < limHi || (hi == limHi && lo < limLo)
}

func textFits(l *Literal) bool {
	switch v := l.Value.(type) {
	case string:
		return l.T.Kind == types.Char || l.T.Kind == types.VarChar
	case []byte:
		return (l.T.Kind == types.Binary || l.T.Kind == types.VarBinary) && len(v) <= l.T.Length
	default:
		return false
	}
}
