package kernel

import (
	"fmt"
	"math"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

type signed interface{ int8 | int16 | int32 | int64 }

type number interface{ signed | float32 | float64 }

// The loops below are written out for each shape of arguments (vv: two
// vectors, vs: vector and scalar, sv: scalar and vector), since a call of a function
// value in them would cost more than what they compute.

func addVV[T number](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] + b[i]
	}
}

func addVS[T number](out, a []T, s T) {
	a = a[:len(out)]
	for i := range out {
		out[i] = a[i] + s
	}
}

func subVV[T number](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] - b[i]
	}
}

func subVS[T number](out, a []T, s T) {
	a = a[:len(out)]
	for i := range out {
		out[i] = a[i] - s
	}
}

func subSV[T number](out []T, s T, b []T) {
	b = b[:len(out)]
	for i := range out {
		out[i] = s - b[i]
	}
}

func mulVV[T number](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] * b[i]
	}
}

func mulVS[T number](out, a []T, s T) {
	a = a[:len(out)]
	for i := range out {
		out[i] = a[i] * s
	}
}

func divFloatVV[T float32 | float64](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] / b[i]
	}
}

// shape tells which arguments of a binary loop are constant. Both never are
// but in a run of one row, which the loops for vectors serve.
func (k *call) shape() (vs, sv bool) {
	if k.n == 1 {
		return false, false
	}
	return k.args[1].Encoding == stream.Constant, k.args[0].Encoding == stream.Constant
}

// shapedLoop goes by the shape of the arguments to one of an operation's loops.
func shapedLoop[T number](vs func(o, a []T, s T), sv func(o []T, s T, b []T), vv func(o, a, b []T)) loop {
	return func(k *call, out *stream.Vector) error {
		a, b, o := stream.Values[T](&k.args[0]), stream.Values[T](&k.args[1]), stream.Values[T](out)
		switch vector, scalar := k.shape(); {
		case vector:
			vs(o, a, b[0])
		case scalar:
			sv(o, a[0], b)
		default:
			vv(o, a, b)
		}
		return nil
	}
}

func addLoop[T number]() loop {
	return shapedLoop(addVS[T], func(o []T, s T, b []T) { addVS(o, b, s) }, addVV[T])
}

func subLoop[T number]() loop { return shapedLoop(subVS[T], subSV[T], subVV[T]) }

func mulLoop[T number]() loop {
	return shapedLoop(mulVS[T], func(o []T, s T, b []T) { mulVS(o, b, s) }, mulVV[T])
}

// operand reads a fixed-width argument of any shape in loops that are dear
// enough not to mind.
type operand[T stream.Fixed] struct {
	values []T
	mask   int // 0 for a constant, else -1
}

func operandOf[T stream.Fixed](v *stream.Vector) operand[T] {
	o := operand[T]{values: stream.Values[T](v), mask: -1}
	if v.Encoding == stream.Constant {
		o.mask = 0
	}
	return o
}

func (o operand[T]) at(i int) T { return o.values[i&o.mask] }

// divIntLoop divides as Java does: truncating, the least number by -1 wraps,
// and a divisor of zero fails.
func divIntLoop[T signed](k *call, out *stream.Vector) error {
	a, b, o := operandOf[T](&k.args[0]), operandOf[T](&k.args[1]), stream.Values[T](out)
	for i := range o {
		d := b.at(i)
		if d == 0 {
			if k.alive(i) {
				return k.fail(i, errDivisionByZero)
			}
			continue
		}
		o[i] = a.at(i) / d
	}
	return nil
}

func modIntLoop[T signed](k *call, out *stream.Vector) error {
	a, b, o := operandOf[T](&k.args[0]), operandOf[T](&k.args[1]), stream.Values[T](out)
	for i := range o {
		d := b.at(i)
		if d == 0 {
			if k.alive(i) {
				return k.fail(i, errDivisionByZero)
			}
			continue
		}
		o[i] = a.at(i) % d
	}
	return nil
}

func divFloatLoop[T float32 | float64](k *call, out *stream.Vector) error {
	o := stream.Values[T](out)
	if vs, sv := k.shape(); !vs && !sv {
		divFloatVV(o, stream.Values[T](&k.args[0]), stream.Values[T](&k.args[1]))
		return nil
	}
	a, b := operandOf[T](&k.args[0]), operandOf[T](&k.args[1])
	for i := range o {
		o[i] = a.at(i) / b.at(i)
	}
	return nil
}

func modFloatLoop[T float32 | float64](k *call, out *stream.Vector) error {
	a, b, o := operandOf[T](&k.args[0]), operandOf[T](&k.args[1]), stream.Values[T](out)
	for i := range o {
		o[i] = T(math.Mod(float64(a.at(i)), float64(b.at(i))))
	}
	return nil
}

func negLoop[T number](k *call, out *stream.Vector) error {
	a, o := stream.Values[T](&k.args[0]), stream.Values[T](out)
	for i := range o {
		o[i] = -a[i]
	}
	return nil
}

func absLoop[T number](k *call, out *stream.Vector) error {
	a, o := stream.Values[T](&k.args[0]), stream.Values[T](out)
	for i := range o {
		if a[i] <= 0 { // -0 becomes 0; the least integer stays
			o[i] = 0 - a[i]
		} else {
			o[i] = a[i]
		}
	}
	return nil
}

// copyLoop gives a fixed-width argument as it is.
func copyLoop[T stream.Fixed](k *call, out *stream.Vector) error {
	copy(stream.Values[T](out), stream.Values[T](&k.args[0]))
	return nil
}

func floorLoop[T float32 | float64](k *call, out *stream.Vector) error {
	a, o := stream.Values[T](&k.args[0]), stream.Values[T](out)
	for i := range o {
		o[i] = T(math.Floor(float64(a[i])))
	}
	return nil
}

func ceilLoop[T float32 | float64](k *call, out *stream.Vector) error {
	a, o := stream.Values[T](&k.args[0]), stream.Values[T](out)
	for i := range o {
		o[i] = T(math.Ceil(float64(a[i])))
	}
	return nil
}

// loops are one operation for each number type.
type loops struct {
	int8, int16, int32, int64, float32, float64 loop
}

// of returns the loop for a type's layout, nil where there is none.
func (l *loops) of(t types.Type) loop {
	switch t.Layout() {
	case types.LayoutInt8:
		return l.int8
	case types.LayoutInt16:
		return l.int16
	case types.LayoutInt32:
		return l.int32
	case types.LayoutInt64:
		return l.int64
	case types.LayoutFloat32:
		return l.float32
	case types.LayoutFloat64:
		return l.float64
	default:
		return nil
	}
}

var (
	sums        = loops{addLoop[int8](), addLoop[int16](), addLoop[int32](), addLoop[int64](), addLoop[float32](), addLoop[float64]()}
	differences = loops{subLoop[int8](), subLoop[int16](), subLoop[int32](), subLoop[int64](), subLoop[float32](), subLoop[float64]()}
	products    = loops{mulLoop[int8](), mulLoop[int16](), mulLoop[int32](), mulLoop[int64](), mulLoop[float32](), mulLoop[float64]()}
	quotients   = loops{divIntLoop[int8], divIntLoop[int16], divIntLoop[int32], divIntLoop[int64], divFloatLoop[float32], divFloatLoop[float64]}
	remainders  = loops{modIntLoop[int8], modIntLoop[int16], modIntLoop[int32], modIntLoop[int64], modFloatLoop[float32], modFloatLoop[float64]}
	negations   = loops{negLoop[int8], negLoop[int16], negLoop[int32], negLoop[int64], negLoop[float32], negLoop[float64]}
	magnitudes  = loops{absLoop[int8], absLoop[int16], absLoop[int32], absLoop[int64], absLoop[float32], absLoop[float64]}
	copies      = loops{copyLoop[int8], copyLoop[int16], copyLoop[int32], copyLoop[int64], nil, nil}
	floors      = loops{copies.int8, copies.int16, copies.int32, copies.int64, floorLoop[float32], floorLoop[float64]}
	ceilings    = loops{copies.int8, copies.int16, copies.int32, copies.int64, ceilLoop[float32], ceilLoop[float64]}
)

func noKernel(e *expr.Call) error {
	ts := make([]any, 0, len(e.Args))
	for _, a := range e.Args {
		ts = append(ts, a.Type())
	}
	return fmt.Errorf("%s can't be evaluated for %v", e.Func, ts)
}

func strictOf(e *expr.Call, args []node, l *loops) (node, error) {
	run := l.of(e.T)
	if run == nil {
		return nil, noKernel(e)
	}
	return strict(e, args, run), nil
}

func isDecimal(e expr.Expr) bool { return e.Type().Kind == types.Decimal }

func isTime(e expr.Expr) bool {
	k := e.Type().Kind
	return k >= types.Date && k <= types.TimestampLTZ
}

func bindSum(e *expr.Call, args []node) (node, error) {
	l := &sums
	if e.Func == "-" {
		l = &differences
	}
	switch {
	case isDecimal(e.Args[0]):
		return bindDecimalSum(e, args)
	case isTime(e.Args[0]) || isTime(e.Args[1]):
		return bindTimeShift(e, args)
	default:
		return strictOf(e, args, l)
	}
}

func bindProduct(e *expr.Call, args []node) (node, error) {
	if isDecimal(e.Args[0]) {
		return bindDecimalProduct(e, args)
	}
	return strictOf(e, args, &products)
}

func bindQuotient(e *expr.Call, args []node) (node, error) {
	if isDecimal(e.Args[0]) {
		return bindDecimalQuotient(e, args)
	}
	return bindDivision(e, args, &quotients)
}

func bindRemainder(e *expr.Call, args []node) (node, error) {
	if isDecimal(e.Args[0]) {
		return bindDecimalRemainder(e, args)
	}
	return bindDivision(e, args, &remainders)
}

// bindDivision binds a division: of integers it may fail, unless the divisor is
// a constant other than zero.
func bindDivision(e *expr.Call, args []node, l *loops) (node, error) {
	run := l.of(e.T)
	if run == nil {
		return nil, noKernel(e)
	}
	divisor, constant := e.Args[1].(*expr.Literal)
	if k := e.T.Kind; k == types.Float || k == types.Double || constant && divisor.Value != int64(0) {
		return strict(e, args, run), nil
	}
	return careful(e, args, run), nil
}

func bindNegation(e *expr.Call, args []node) (node, error) {
	if isDecimal(e.Args[0]) && e.T.Layout() == types.LayoutInt128 {
		return strict(e, args, negWideLoop), nil
	}
	return strictOf(e, args, &negations)
}

func bindAbs(e *expr.Call, args []node) (node, error) {
	if isDecimal(e.Args[0]) && e.T.Layout() == types.LayoutInt128 {
		return strict(e, args, absWideLoop), nil
	}
	return strictOf(e, args, &magnitudes)
}
