package datagen

import (
	"math/big"
	"math/bits"
	"strings"

	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

func (p *planner) decimals(path string, t types.Type, v options.Values) maker {
	parse := func(option string, otherwise *big.Int) types.Int128 {
		if !v.IsGiven(option) {
			return int128Of(otherwise)
		}
		n, ok := parseDecimal(v.Text(option), t)
		if !ok {
			p.complain(path, option, "%q is no %s", v.Text(option), t)
			return types.Int128{}
		}
		return int128Of(n)
	}
	largest := new(big.Int).Sub(powerOfTen(t.Precision), big.NewInt(1))
	from, to := parse(fieldMin, new(big.Int).Neg(largest)), parse(fieldMax, largest)
	if from.Hi > to.Hi || from.Hi == to.Hi && from.Lo > to.Lo {
		p.complain(path, fieldMin, "is more than max")
	}
	lo, borrow := bits.Sub64(to.Lo, from.Lo, 0)
	hi, _ := bits.Sub64(uint64(to.Hi), uint64(from.Hi), borrow)
	lo, carry := bits.Add64(lo, 1, 0) // both ends count
	hi += carry
	return func(b *stream.Builder, r *random, _ row) { appendDecimal(b, t, share(from, hi, lo, r.next())) }
}

// share returns from and u/2^64 of the distance: the upper part of the product
// of 64 bits and 128.
func share(from types.Int128, hi, lo, u uint64) types.Int128 {
	above, middle := bits.Mul64(u, hi)
	below, _ := bits.Mul64(u, lo)
	middle, carry := bits.Add64(middle, below, 0)
	above += carry
	low, carry := bits.Add64(from.Lo, middle, 0)
	high, _ := bits.Add64(uint64(from.Hi), above, carry)
	return types.Int128{Lo: low, Hi: int64(high)}
}

// times returns the product, which the caller knows to fit.
func times(one types.Int128, n int64) types.Int128 {
	hi, lo := bits.Mul64(one.Lo, uint64(n))
	hi += uint64(one.Hi) * uint64(n)
	if n < 0 {
		hi -= one.Lo
	}
	return types.Int128{Lo: lo, Hi: int64(hi)}
}

// parseDecimal returns the unscaled value of a number that a DECIMAL holds exactly.
func parseDecimal(text string, t types.Type) (*big.Int, bool) {
	if len(text) > types.MaxDecimalPrecision+2 || strings.Trim(text, "+-.0123456789") != "" {
		return nil, false
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, false
	}
	r.Mul(r, new(big.Rat).SetInt(powerOfTen(t.Scale)))
	return r.Num(), r.IsInt() && r.Num().CmpAbs(powerOfTen(t.Precision)) < 0
}

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func int128Of(n *big.Int) types.Int128 {
	low := new(big.Int).And(n, new(big.Int).SetUint64(1<<64-1))
	return types.Int128{Lo: low.Uint64(), Hi: new(big.Int).Rsh(n, 64).Int64()}
}

func appendDecimal(b *stream.Builder, t types.Type, n types.Int128) {
	if t.Layout() == types.LayoutInt64 {
		b.AppendInt64(int64(n.Lo))
		return
	}
	stream.AppendFixed(b, n)
}
