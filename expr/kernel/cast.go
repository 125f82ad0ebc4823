package kernel

import (
	"fmt"

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
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if from.EqualIgnoringNull(to) {
		return x, nil
	}
	conv, err := conversionOf(from, to)
	if err != nil {
		return nil, err
	}
	args := []node{x}
	if conv.fails {
		return careful(e, args, conv.loop(e.Try)), nil
	}
	if conv.dear {
		return careful(e, args, conv.loop(false)), nil
	}
	return strict(e, args, conv.loop(false)), nil
}

// conversion is a cast between two types.
type conversion struct {
	// fails: a value may be refused, which TRY_CAST makes NULL.
	fails bool
	// dear: only live rows are converted.
	dear bool
	loop func(try bool) loop
}

func cheap(run loop) conversion {
	return conversion{loop: func(bool) loop { return run }}
}

func conversionOf(from, to types.Type) (conversion, error) {
	switch {
	case plain(from) && plain(to):
		return cheap(numberCast(from.Layout(), to.Layout())), nil
	default:
		return conversion{}, fmt.Errorf("no cast from %s to %s here", from, to)
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
