package kernel

import (
	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// cast binds CAST and TRY_CAST.
func (c *compiler) cast(e *expr.Cast) (node, error) {
	from, to := e.X.Type(), e.To
	if l, ok := e.X.(*expr.Literal); ok && l.Value == nil {
		return &constantNode{v: literalVector(c.literals, expr.Null(to))}, nil
	}
	if other := zoneCast(e); other != nil {
		return c.expr(other)
	}
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if from.EqualIgnoringNull(to) {
		return x, nil
	}
	if zoned(e) {
		return c.moved(e, x), nil
	}
	if sameForm(from, to) {
		return &retyped{x: x, typ: to}, nil
	}
	conv, err := conversionOf(from, to)
	if err != nil {
		return nil, err
	}
	if conv.dear {
		return careful(e, []node{x}, conv.loop(e.Try)), nil
	}
	return strict(e, []node{x}, conv.loop(e.Try)), nil
}

// retyped gives a value another type of the same form.
type retyped struct {
	x   node
	typ types.Type
}

func (r *retyped) guarded() bool { return r.x.guarded() }

func (r *retyped) eval(f frame) (stream.Vector, error) {
	v, err := r.x.eval(f)
	v.Type = r.typ
	return v, err
}

// sameForm tells that every value of from is the same memory as one of to.
func sameForm(from, to types.Type) bool {
	switch {
	case isText(from) && to.Kind == types.VarChar, isBinary(from) && to.Kind == types.VarBinary:
		return from.Length <= to.Length
	case from.Kind == types.Decimal && to.Kind == types.Decimal:
		return from.Scale == to.Scale && from.Precision <= to.Precision && from.Layout() == to.Layout()
	case isTimestamp(from) && from.Kind == to.Kind:
		return from.Precision <= to.Precision && from.Unit() == to.Unit()
	case from.Kind == to.Kind && (from.Kind == types.IntervalDayTime || from.Kind == types.IntervalYearMonth):
		return true
	default:
		return from.Kind == types.Time && to.Kind == types.Time && min(to.Precision, 3) >= min(from.Precision, 3)
	}
}

func isText(t types.Type) bool   { return t.Kind == types.Char || t.Kind == types.VarChar }
func isBinary(t types.Type) bool { return t.Kind == types.Binary || t.Kind == types.VarBinary }
func isTimestamp(t types.Type) bool {
	return t.Kind == types.Timestamp || t.Kind == types.TimestampLTZ
}

// conversion is a cast between two types.
type conversion struct {
	// dear: the loop fails or is slow; it converts live rows only.
	dear bool
	loop func(try bool) loop
}

func cheap(run loop) conversion {
	return conversion{loop: func(bool) loop { return run }}
}

func dear(run loop) conversion {
	return conversion{dear: true, loop: func(bool) loop { return run }}
}

func conversionOf(from, to types.Type) (conversion, error) {
	switch {
	case plain(from) && plain(to):
		return cheap(numberCast(from.Layout(), to.Layout())), nil
	case isText(to):
		return textOf(from, to)
	case isText(from):
		return parsed(to)
	case from.Kind == types.Boolean && plain(to):
		return cheap(fromBits(to.Layout())), nil
	case to.Kind == types.Boolean:
		return cheap(nonZero(from.Layout())), nil
	case to.Kind == types.Decimal:
		return decimalOf(from, to)
	case from.Kind == types.Decimal:
		return numberOfDecimal(to)
	case isBinary(from) && isBinary(to):
		return dear(fitBytes(to)), nil
	default:
		return timeCast(from, to)
	}
}

// plain: numbers in the machine's own formats.
func plain(t types.Type) bool { return t.Kind >= types.TinyInt && t.Kind <= types.Double }

// numberCast returns the loop of Java's primitive casts.
func numberCast(from, to types.Layout) loop {
	switch from {
	case types.LayoutInt8:
		return castFromInt[int8](to)
	case types.LayoutInt16:
		return castFromInt[int16](to)
	case types.LayoutInt32:
		return castFromInt[int32](to)
	case types.LayoutInt64:
		return castFromInt[int64](to)
	case types.LayoutFloat32:
		return castFromFloat[float32](to)
	default:
		return castFromFloat[float64](to)
	}
}

func castFromInt[F signed](to types.Layout) loop {
	switch to {
	case types.LayoutInt8:
		return convertLoop[F, int8]
	case types.LayoutInt16:
		return convertLoop[F, int16]
	case types.LayoutInt32:
		return convertLoop[F, int32]
	case types.LayoutInt64:
		return convertLoop[F, int64]
	case types.LayoutFloat32:
		return convertLoop[F, float32]
	default:
		return convertLoop[F, float64]
	}
}

func castFromFloat[F float32 | float64](to types.Layout) loop {
	switch to {
	case types.LayoutInt8:
		return truncateLoop[F, int8]
	case types.LayoutInt16:
		return truncateLoop[F, int16]
	case types.LayoutInt32:
		return truncateLoop[F, int32]
	case types.LayoutInt64:
		return truncate64Loop[F]
	case types.LayoutFloat32:
		return convertLoop[F, float32]
	default:
		return convertLoop[F, float64]
	}
}

// convertLoop widens, or narrows by dropping high bits.
func convertLoop[F, T number](k *call, out *stream.Vector) error {
	a, o := stream.Values[F](&k.args[0]), stream.Values[T](out)
	a = a[:len(o)]
	for i := range o {
		o[i] = T(a[i])
	}
	return nil
}

// truncateLoop brings a fraction into 32 bits, clamped at their ends, and from
// there drops high bits: so does Java, and (byte) 300.0 is 44.
func truncateLoop[F float32 | float64, T int8 | int16 | int32](k *call, out *stream.Vector) error {
	a, o := stream.Values[F](&k.args[0]), stream.Values[T](out)
	for i := range o {
		o[i] = T(clampInt32(float64(a[i])))
	}
	return nil
}

func truncate64Loop[F float32 | float64](k *call, out *stream.Vector) error {
	a, o := stream.Values[F](&k.args[0]), stream.Values[int64](out)
	for i := range o {
		o[i] = clampInt64(float64(a[i]))
	}
	return nil
}

func clampInt32(x float64) int32 {
	switch {
	case x != x:
		return 0
	case x >= 1<<31-1:
		return 1<<31 - 1
	case x <= -1<<31:
		return -1 << 31
	default:
		return int32(x)
	}
}

func clampInt64(x float64) int64 {
	switch {
	case x != x:
		return 0
	case x >= 1<<63:
		return 1<<63 - 1
	case x <= -1<<63:
		return -1 << 63
	default:
		return int64(x)
	}
}

// fromBits makes TRUE 1 and FALSE 0.
func fromBits(to types.Layout) loop {
	switch to {
	case types.LayoutInt8:
		return bitsLoop[int8]
	case types.LayoutInt16:
		return bitsLoop[int16]
	case types.LayoutInt32:
		return bitsLoop[int32]
	case types.LayoutInt64:
		return bitsLoop[int64]
	case types.LayoutFloat32:
		return bitsLoop[float32]
	default:
		return bitsLoop[float64]
	}
}

func bitsLoop[T number](k *call, out *stream.Vector) error {
	bits, o := k.args[0].Bits(), stream.Values[T](out)
	for i := range o {
		o[i] = T(bits[i>>6] >> (uint(i) & 63) & 1)
	}
	return nil
}

// nonZero makes a number TRUE unless it is 0.
func nonZero(from types.Layout) loop {
	switch from {
	case types.LayoutInt8:
		return nonZeroLoop[int8]
	case types.LayoutInt16:
		return nonZeroLoop[int16]
	case types.LayoutInt32:
		return nonZeroLoop[int32]
	default:
		return nonZeroLoop[int64]
	}
}

func nonZeroLoop[T signed](k *call, out *stream.Vector) error {
	compareVS(notEqual, out.Bits(), stream.Values[T](&k.args[0])[:k.n], 0)
	return nil
}
