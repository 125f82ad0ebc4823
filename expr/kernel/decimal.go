package kernel

import (
	"math/bits"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// decimalReader reads a DECIMAL argument of either layout and any shape.
type decimalReader struct {
	narrow operand[int64]
	wide   operand[types.Int128]
	isWide bool
	scale  int
}

func readDecimal(v *stream.Vector) decimalReader {
	r := decimalReader{scale: v.Type.Scale, isWide: v.Type.Layout() == types.LayoutInt128}
	if r.isWide {
		r.wide = operandOf[types.Int128](v)
	} else {
		r.narrow = operandOf[int64](v)
	}
	return r
}

func (r *decimalReader) at(i int) signed256 {
	if r.isWide {
		return signedOf128(r.wide.at(i))
	}
	return signedOf64(r.narrow.at(i))
}

// decimalWriter writes the rows of a DECIMAL result. What does not fit is NULL.
type decimalWriter struct {
	k      *call
	out    *stream.Vector
	narrow []int64
	wide   []types.Int128
	limit  u256 // the least magnitude that does not fit
	scale  int
}

func writeDecimal(k *call, out *stream.Vector) decimalWriter {
	w := decimalWriter{k: k, out: out, limit: powers[out.Type.Precision], scale: out.Type.Scale}
	if out.Type.Layout() == types.LayoutInt128 {
		w.wide = stream.Values[types.Int128](out)
	} else {
		w.narrow = stream.Values[int64](out)
	}
	return w
}

// put stores x, which has the result's scale.
func (w *decimalWriter) put(i int, x signed256) {
	switch {
	case !x.mag.less(&w.limit):
		w.k.null(w.out, i)
		w.put(i, signed256{})
	case w.wide != nil:
		w.wide[i] = x.int128()
	default:
		w.narrow[i] = x.int64()
	}
}

// putScaled stores x of another scale.
func (w *decimalWriter) putScaled(i int, x signed256, scale int) {
	x, ok := x.rescale(scale, w.scale)
	if !ok {
		x.mag = w.limit // does not fit
	}
	w.put(i, x)
}

// fits64 tells that no value of the types needs more than 64 bits.
func fits64(ts ...types.Type) bool {
	for _, t := range ts {
		if t.Layout() != types.LayoutInt64 {
			return false
		}
	}
	return true
}

// bindDecimalSum binds + and -. Where the result has 18 digits nothing can
// overflow, and the loop is one of integers.
func bindDecimalSum(e *expr.Call, args []node) (node, error) {
	a, b := e.Args[0].Type(), e.Args[1].Type()
	minus := e.Func == "-"
	if fits64(e.T, a, b) && a.Scale == b.Scale {
		return strictOf(e, args, sumsOf(minus))
	}
	if fits64(e.T, a, b) {
		ma, mb := int64(pow10of64[e.T.Scale-a.Scale]), int64(pow10of64[e.T.Scale-b.Scale])
		if minus {
			mb = -mb
		}
		return strict(e, args, narrowSumLoop(ma, mb)), nil
	}
	return careful(e, args, wideSumLoop(minus)), nil
}

func sumsOf(minus bool) *loops {
	if minus {
		return &differences
	}
	return &sums
}

func narrowSumLoop(ma, mb int64) loop {
	return func(k *call, out *stream.Vector) error {
		a, b, o := operandOf[int64](&k.args[0]), operandOf[int64](&k.args[1]), stream.Values[int64](out)
		for i := range o {
			o[i] = a.at(i)*ma + b.at(i)*mb
		}
		return nil
	}
}

func wideSumLoop(minus bool) loop {
	return func(k *call, out *stream.Vector) error {
		a, b, w := readDecimal(&k.args[0]), readDecimal(&k.args[1]), writeDecimal(k, out)
		scale := max(a.scale, b.scale)
		for i := range k.n {
			if !k.alive(i) {
				continue
			}
			x, _ := a.at(i).rescale(a.scale, scale)
			y, _ := b.at(i).rescale(b.scale, scale)
			y.neg = y.neg != minus
			w.putScaled(i, x.plus(y), scale)
		}
		return nil
	}
}

// bindDecimalProduct binds *.
func bindDecimalProduct(e *expr.Call, args []node) (node, error) {
	if fits64(e.T, e.Args[0].Type(), e.Args[1].Type()) {
		return strict(e, args, mulLoop[int64]()), nil
	}
	return careful(e, args, wideProductLoop), nil
}

func wideProductLoop(k *call, out *stream.Vector) error {
	a, b, w := readDecimal(&k.args[0]), readDecimal(&k.args[1]), writeDecimal(k, out)
	short := w.wide != nil && w.scale == a.scale+b.scale
	for i := range k.n {
		if !k.alive(i) {
			continue
		}
		if short && w.putProduct(i, &a, &b) {
			continue
		}
		x, y := a.at(i), b.at(i)
		w.putScaled(i, signed256{mag: mul128(x.mag, y.mag), neg: x.neg != y.neg}, a.scale+b.scale)
	}
	return nil
}

// putProduct stores the product of two values of 64 bits, which is exact;
// false if a value is longer or the product does not fit.
func (w *decimalWriter) putProduct(i int, a, b *decimalReader) bool {
	x, ok := a.short(i)
	y, also := b.short(i)
	if !ok || !also {
		return false
	}
	signs := uint64((x ^ y) >> 63)
	hi, lo := bits.Mul64(magnitude(x), magnitude(y))
	if hi > w.limit[1] || hi == w.limit[1] && lo >= w.limit[0] {
		return false
	}
	lo, borrow := bits.Sub64(lo^signs, signs, 0) // negated if the signs differ
	hi, _ = bits.Sub64(hi^signs, signs, borrow)
	w.wide[i] = types.Int128{Lo: lo, Hi: int64(hi)}
	return true
}

func magnitude(x int64) uint64 {
	sign := uint64(x >> 63)
	return uint64(x) ^ sign - sign
}

// short returns a value that 64 bits hold.
func (r *decimalReader) short(i int) (int64, bool) {
	if !r.isWide {
		return r.narrow.at(i), true
	}
	x := r.wide.at(i)
	return int64(x.Lo), x.Hi == int64(x.Lo)>>63
}

func bindDecimalQuotient(e *expr.Call, args []node) (node, error) {
	return careful(e, args, quotientLoop), nil
}

func quotientLoop(k *call, out *stream.Vector) error {
	a, b, w := readDecimal(&k.args[0]), readDecimal(&k.args[1]), writeDecimal(k, out)
	shift := w.scale + b.scale - a.scale
	for i := range k.n {
		if !k.alive(i) {
			continue
		}
		x, y := a.at(i), b.at(i)
		if y.mag.isZero() {
			return k.fail(i, errDivisionByZero)
		}
		q, ok := quotient64(&x, &y, shift)
		if !ok {
			q, ok = quotient(x, y, shift)
		}
		if !ok {
			q.mag = w.limit
		}
		w.put(i, q)
	}
	return nil
}

// quotient64 is quotient for operands of one word and a quotient of less than
// 18 digits, which never rounds twice; false if they are not.
func quotient64(x, y *signed256, shift int) (signed256, bool) {
	if shift < 0 || shift >= len(pow10of64) || x.mag[1]|x.mag[2]|x.mag[3]|y.mag[1]|y.mag[2]|y.mag[3] != 0 {
		return signed256{}, false
	}
	d := y.mag[0]
	hi, lo := bits.Mul64(x.mag[0], pow10of64[shift])
	if hi >= d {
		return signed256{}, false
	}
	q, r := bits.Div64(hi, lo, d)
	if q >= pow10of64[types.CompactDecimalPrecision-1] {
		return signed256{}, false
	}
	return signed256{mag: u256{q + bit(r >= d-r)}, neg: x.neg != y.neg}, true
}

// quotient returns x * 10^shift / y, rounded half up at 38 significant digits
// and then at the unit, as Flink does; false if it has more than 38 digits.
func quotient(x, y signed256, shift int) (signed256, bool) {
	n, d := x.mag, y.mag
	var ok bool
	if shift >= 0 {
		n, ok = n.scaleUp(shift)
	} else {
		d, ok = d.scaleUp(-shift)
	}
	if !ok {
		return signed256{}, shift < 0 // too large, or nothing is left of it
	}
	q, r := n.divMod(d)
	rest := d.sub(r) // what lacks to the next whole quotient
	if !r.less(&rest) || roundsTwice(&q, &r, &rest, &d) {
		q, _ = q.add(u256{1})
	}
	return signed256{mag: q, neg: x.neg != y.neg}, true
}

// roundsTwice tells whether the fraction r/d, just below a half, becomes a half
// when the quotient is first rounded to 38 significant digits.
func roundsTwice(q, r, rest, d *u256) bool {
	if d.words() <= 1 && q.less(&powers[types.CompactDecimalPrecision]) {
		return false // a half is at least 1/2d away, and 38 digits see further
	}
	digits := types.MaxDecimalPrecision
	for digits > 0 && q.less(&powers[digits-1]) {
		digits--
	}
	if digits == types.MaxDecimalPrecision {
		return false // the unit is the 38th digit
	}
	short, ok := rest.sub(*r).scaleUp(types.MaxDecimalPrecision - digits) // (d - 2r) * 10^left
	return ok && !d.less(&short)
}

func bindDecimalRemainder(e *expr.Call, args []node) (node, error) {
	return careful(e, args, remainderLoop), nil
}

func remainderLoop(k *call, out *stream.Vector) error {
	a, b, w := readDecimal(&k.args[0]), readDecimal(&k.args[1]), writeDecimal(k, out)
	scale := max(a.scale, b.scale)
	for i := range k.n {
		if !k.alive(i) {
			continue
		}
		x, _ := a.at(i).rescale(a.scale, scale)
		y, _ := b.at(i).rescale(b.scale, scale)
		if y.mag.isZero() {
			return k.fail(i, errDivisionByZero)
		}
		_, x.mag = x.mag.divMod(y.mag)
		w.putScaled(i, x, scale)
	}
	return nil
}

func negWideLoop(k *call, out *stream.Vector) error {
	a, o := stream.Values[types.Int128](&k.args[0]), stream.Values[types.Int128](out)
	for i := range o {
		o[i] = negate128(a[i])
	}
	return nil
}

func absWideLoop(k *call, out *stream.Vector) error {
	a, o := stream.Values[types.Int128](&k.args[0]), stream.Values[types.Int128](out)
	for i := range o {
		o[i] = a[i]
		if a[i].Hi < 0 {
			o[i] = negate128(a[i])
		}
	}
	return nil
}

// bindDecimalRounding binds FLOOR and CEIL.
func bindDecimalRounding(e *expr.Call, args []node) (node, error) {
	up := e.Func == "CEIL"
	unit := powers[e.Args[0].Type().Scale]
	return careful(e, args, func(k *call, out *stream.Vector) error {
		a, w := readDecimal(&k.args[0]), writeDecimal(k, out)
		for i := range k.n {
			if !k.alive(i) {
				continue
			}
			x := a.at(i)
			q, r := x.mag.divMod(unit)
			if !r.isZero() && x.neg != up { // away from zero
				q, _ = q.add(u256{1})
			}
			w.put(i, signed256{mag: q, neg: x.neg})
		}
		return nil
	}), nil
}

// compareDecimals returns the loop that compares DECIMALs of any two types exactly.
func compareDecimals(r relation, a, b types.Type) loop {
	if a.Scale == b.Scale && a.Layout() == types.LayoutInt128 && b.Layout() == types.LayoutInt128 {
		return compareRows(r, compareWide)
	}
	return func(k *call, out *stream.Vector) error {
		x, y, bits := readDecimal(&k.args[0]), readDecimal(&k.args[1]), out.Bits()
		scale := max(x.scale, y.scale)
		for w := range bits {
			lo, hi := span(w, k.n)
			var m uint64
			for i := lo; i < hi; i++ {
				p, _ := x.at(i).rescale(x.scale, scale)
				q, _ := y.at(i).rescale(y.scale, scale)
				m |= bit(r.holds(p.compare(&q))) << uint(i-lo)
			}
			bits[w] = m
		}
		return nil
	}
}

func compareWide(k *call, i int) int {
	return compare128(stream.Value[types.Int128](&k.args[0], i), stream.Value[types.Int128](&k.args[1], i))
}

func compare128(x, y types.Int128) int {
	if x.Hi != y.Hi {
		return int(bit(x.Hi > y.Hi)) - int(bit(x.Hi < y.Hi))
	}
	return int(bit(x.Lo > y.Lo)) - int(bit(x.Lo < y.Lo))
}
