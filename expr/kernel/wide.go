package kernel

import (
	"math/bits"

	"millrace/types"
)

// u256 is an unsigned integer of 256 bits, low word first. A product of two
// DECIMALs, and a DECIMAL brought to another's scale, have at most 76 digits;
// 2^256 has 77.
type u256 [4]uint64

// pow10Max is the largest power of ten that a u256 holds, with room to spare.
const pow10Max = 2 * types.MaxDecimalPrecision

// powers are the powers of ten.
var powers = func() (p [pow10Max + 1]u256) {
	p[0] = u256{1}
	for i := 1; i < len(p); i++ {
		p[i], _ = p[i-1].mulSmall(10)
	}
	return p
}()

// pow10of64 are the powers of ten that 64 bits hold.
var pow10of64 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func (a u256) isZero() bool { return a[0]|a[1]|a[2]|a[3] == 0 }

// words returns how many words are in use.
func (a *u256) words() int {
	n := 4
	for n > 0 && a[n-1] == 0 {
		n--
	}
	return n
}

func (a *u256) less(b *u256) bool {
	for i := 3; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func (a u256) add(b u256) (s u256, carry uint64) {
	for i := range s {
		s[i], carry = bits.Add64(a[i], b[i], carry)
	}
	return s, carry
}

func (a u256) sub(b u256) (d u256) {
	var borrow uint64
	for i := range d {
		d[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
	return d
}

// mulSmall returns a * m and what did not fit.
func (a u256) mulSmall(m uint64) (p u256, over uint64) {
	for i := range p {
		hi, lo := bits.Mul64(a[i], m)
		var carry uint64
		p[i], carry = bits.Add64(lo, over, 0)
		over = hi + carry
	}
	return p, over
}

// scaleUp returns a * 10^n; false if it does not fit.
func (a u256) scaleUp(n int) (u256, bool) {
	for n > 0 && !a.isZero() {
		step := min(n, len(pow10of64)-1)
		var over uint64
		if a, over = a.mulSmall(pow10of64[step]); over != 0 {
			return a, false
		}
		n -= step
	}
	return a, true
}

// mul128 returns a * b of values below 2^128.
func mul128(a, b u256) u256 {
	low, _ := a.mulSmall(b[0])
	high, _ := a.mulSmall(b[1])
	p, _ := low.add(u256{0, high[0], high[1], high[2]})
	return p
}

// divMod returns the quotient and the remainder of a by b, which is not zero.
func (a u256) divMod(b u256) (q, r u256) {
	switch n := b.words(); {
	case a.less(&b):
		return u256{}, a
	case n == 1:
		return a.divModSmall(b[0])
	default:
		return a.divModLong(b, n)
	}
}

func (a u256) divModSmall(d uint64) (q, r u256) {
	for i := a.words() - 1; i >= 0; i-- {
		q[i], r[0] = bits.Div64(r[0], a[i], d)
	}
	return q, r
}

// divModLong is schoolbook division in words (Knuth's algorithm D) by a
// divisor of n > 1 words.
func (a u256) divModLong(b u256, n int) (q, r u256) {
	shift := uint(bits.LeadingZeros64(b[n-1]))
	v := b.shl(shift)
	var u [5]uint64
	u[4] = a[3] >> (64 - shift) // 0 for a shift of 0: Go shifts 64 bits out
	shifted := a.shl(shift)
	copy(u[:4], shifted[:])
	for j := 4 - n; j >= 0; j-- {
		q[j] = divStep(u[j:j+n+1], v[:n])
	}
	copy(r[:], u[:n])
	return q, r.shr(shift)
}

// divStep divides u by v where the quotient is one word, and leaves the
// remainder in u, which is one word longer.
func divStep(u, v []uint64) uint64 {
	n := len(v)
	q := ^uint64(0)
	if u[n] < v[n-1] {
		var rem uint64
		q, rem = bits.Div64(u[n], u[n-1], v[n-1])
		for {
			hi, lo := bits.Mul64(q, v[n-2])
			if hi < rem || hi == rem && lo <= u[n-2] {
				break
			}
			q--
			var carry uint64
			if rem, carry = bits.Add64(rem, v[n-1], 0); carry != 0 {
				break
			}
		}
	}
	for borrow := subMul(u, v, q); borrow; {
		q-- // the guess was too high: the divisor comes back until nothing is owed
		borrow = !addBack(u, v)
	}
	return q
}

// subMul takes q * v off u and tells whether that was too much.
func subMul(u, v []uint64, q uint64) bool {
	var over, borrow uint64
	for i := range v {
		hi, lo := bits.Mul64(q, v[i])
		var c uint64
		lo, c = bits.Add64(lo, over, 0)
		over = hi + c
		u[i], borrow = bits.Sub64(u[i], lo, borrow)
	}
	n := len(v)
	u[n], borrow = bits.Sub64(u[n], over, borrow)
	return borrow != 0
}

// addBack adds v to u and tells whether that carried, which ends a borrow.
func addBack(u, v []uint64) bool {
	var carry uint64
	for i := range v {
		u[i], carry = bits.Add64(u[i], v[i], carry)
	}
	n := len(v)
	u[n], carry = bits.Add64(u[n], 0, carry)
	return carry != 0
}

func (a u256) shl(n uint) u256 {
	return u256{a[0] << n, a[1]<<n | a[0]>>(64-n), a[2]<<n | a[1]>>(64-n), a[3]<<n | a[2]>>(64-n)}
}

func (a u256) shr(n uint) u256 {
	return u256{a[0]>>n | a[1]<<(64-n), a[1]>>n | a[2]<<(64-n), a[2]>>n | a[3]<<(64-n), a[3] >> n}
}

// divHalfUp returns a / b rounded half up (away from zero for the magnitude
// that it is).
func (a u256) divHalfUp(b u256) u256 {
	q, r := a.divMod(b)
	rest := b.sub(r)
	if r.less(&rest) {
		return q
	}
	q, _ = q.add(u256{1})
	return q
}

// signed256 is a number in sign and magnitude.
type signed256 struct {
	mag u256
	neg bool
}

func signedOf64(x int64) signed256 {
	if x < 0 {
		return signed256{mag: u256{-uint64(x)}, neg: true}
	}
	return signed256{mag: u256{uint64(x)}}
}

func signedOf128(x types.Int128) signed256 {
	if x.Hi >= 0 {
		return signed256{mag: u256{x.Lo, uint64(x.Hi)}}
	}
	n := negate128(x)
	return signed256{mag: u256{n.Lo, uint64(n.Hi)}, neg: true}
}

func negate128(x types.Int128) types.Int128 {
	lo, borrow := bits.Sub64(0, x.Lo, 0)
	hi, _ := bits.Sub64(0, uint64(x.Hi), borrow)
	return types.Int128{Lo: lo, Hi: int64(hi)}
}

// int64 returns the number's low 64 bits in two's complement.
func (x *signed256) int64() int64 {
	if x.neg {
		return -int64(x.mag[0])
	}
	return int64(x.mag[0])
}

// int128 returns a number below 2^127 in two's complement.
func (x *signed256) int128() types.Int128 {
	v := types.Int128{Lo: x.mag[0], Hi: int64(x.mag[1])}
	if x.neg {
		return negate128(v)
	}
	return v
}

// plus returns x + y of magnitudes whose sum fits.
func (x signed256) plus(y signed256) signed256 {
	if x.neg == y.neg {
		x.mag, _ = x.mag.add(y.mag)
		return x
	}
	if x.mag.less(&y.mag) {
		x, y = y, x
	}
	x.mag = x.mag.sub(y.mag)
	return x
}

func (x *signed256) compare(y *signed256) int {
	switch {
	case x.mag.isZero() && y.mag.isZero():
		return 0
	case x.neg != y.neg:
		if x.neg {
			return -1
		}
		return 1
	}
	c := 0
	if x.mag.less(&y.mag) {
		c = -1
	} else if y.mag.less(&x.mag) {
		c = 1
	}
	if x.neg {
		return -c
	}
	return c
}

// rescale brings a number from one scale to another, rounding half up; false
// if it does not fit.
func (x signed256) rescale(from, to int) (signed256, bool) {
	if to >= from {
		var ok bool
		x.mag, ok = x.mag.scaleUp(to - from)
		return x, ok
	}
	if from-to > pow10Max {
		return signed256{}, true
	}
	x.mag = x.mag.divHalfUp(powers[from-to])
	return x, true
}
