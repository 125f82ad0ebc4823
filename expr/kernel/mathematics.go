package kernel

import (
	"bytes"
	"math"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var mathBinders = func() map[string]binder {
	b := map[string]binder{
		"PI": bindConstant(math.Pi), "E": bindConstant(math.E),
		"POWER": bindBinary(power), "ATAN2": bindBinary(math.Atan2), "LOG": bindLog,
		"SIGN": bindSign, "ROUND": bindRound, "TRUNCATE": bindRound, "GREATEST": bindExtreme, "LEAST": bindExtreme,
	}
	for name, f := range map[string]func(float64) float64{
		"SQRT": math.Sqrt, "EXP": math.Exp, "LN": math.Log, "LOG10": math.Log10,
		"LOG2": func(x float64) float64 { return math.Log(x) / math.Log(2) },
		"SIN":  math.Sin, "SINH": math.Sinh, "COS": math.Cos, "COSH": math.Cosh, "TAN": math.Tan, "TANH": math.Tanh,
		"COT":  func(x float64) float64 { return 1 / math.Tan(x) },
		"ASIN": math.Asin, "ACOS": math.Acos, "ATAN": math.Atan,
		"DEGREES": func(x float64) float64 { return x * (180 / math.Pi) },
		"RADIANS": func(x float64) float64 { return x * (math.Pi / 180) },
	} {
		b[name] = bindUnary(f)
	}
	return b
}()

func bindConstant(x float64) binder {
	return func(e *expr.Call, args []node) (node, error) {
		return strict(e, args, func(_ *call, out *stream.Vector) error {
			stream.Values[float64](out)[0] = x
			return nil
		}), nil
	}
}

func bindUnary(f func(float64) float64) binder {
	return func(e *expr.Call, args []node) (node, error) { return careful(e, args, mapLive(f)), nil }
}

// mapLive is mapLoop for what is dear.
func mapLive(f func(float64) float64) loop {
	return func(k *call, out *stream.Vector) error {
		a, o := stream.Values[float64](&k.args[0]), stream.Values[float64](out)
		for i := range o {
			if k.alive(i) {
				o[i] = f(a[i])
			}
		}
		return nil
	}
}

func bindBinary(f func(a, b float64) float64) binder {
	return func(e *expr.Call, args []node) (node, error) {
		return careful(e, args, func(k *call, out *stream.Vector) error {
			a, b, o := operandOf[float64](&k.args[0]), operandOf[float64](&k.args[1]), stream.Values[float64](out)
			for i := range o {
				if k.alive(i) {
					o[i] = f(a.at(i), b.at(i))
				}
			}
			return nil
		}), nil
	}
}

// power is Java's: 1 to the power of NaN or an infinity is NaN.
func power(a, b float64) float64 {
	if math.IsNaN(b) || math.Abs(a) == 1 && math.IsInf(b, 0) {
		return math.NaN()
	}
	return math.Pow(a, b)
}

func bindLog(e *expr.Call, args []node) (node, error) {
	if len(args) == 1 {
		return bindUnary(math.Log)(e, args)
	}
	return bindBinary(func(base, x float64) float64 { return math.Log(x) / math.Log(base) })(e, args)
}

func signIntLoop[T signed](k *call, out *stream.Vector) error {
	a, o := stream.Values[T](&k.args[0]), stream.Values[T](out)
	for i := range o {
		o[i] = T(bit(a[i] > 0)) - T(bit(a[i] < 0))
	}
	return nil
}

// signFloatLoop gives a zero and NaN as they are.
func signFloatLoop[T float32 | float64](k *call, out *stream.Vector) error {
	a, o := stream.Values[T](&k.args[0]), stream.Values[T](out)
	for i := range o {
		switch {
		case a[i] > 0:
			o[i] = 1
		case a[i] < 0:
			o[i] = -1
		default:
			o[i] = a[i]
		}
	}
	return nil
}

var signs = loops{signIntLoop[int8], signIntLoop[int16], signIntLoop[int32], signIntLoop[int64], signFloatLoop[float32], signFloatLoop[float64]}

func bindSign(e *expr.Call, args []node) (node, error) {
	if !isDecimal(e.Args[0]) {
		return strictOf(e, args, &signs)
	}
	return careful(e, args, func(k *call, out *stream.Vector) error {
		a, w := readDecimal(&k.args[0]), writeDecimal(k, out)
		for i := range k.n {
			if !k.alive(i) {
				continue
			}
			x := a.at(i)
			if !x.mag.isZero() {
				x.mag = powers[w.scale]
			}
			w.put(i, x)
		}
		return nil
	}), nil
}

// bindExtreme binds GREATEST and LEAST.
func bindExtreme(e *expr.Call, args []node) (node, error) {
	r := greater
	if e.Func == "LEAST" {
		r = less
	}
	if e.T.Kind == types.Decimal && e.T.Layout() == types.LayoutInt128 {
		return careful(e, args, extremeWide(r)), nil
	}
	switch e.T.Layout() {
	case types.LayoutInt8:
		return careful(e, args, extremeLoop[int8](r)), nil
	case types.LayoutInt16:
		return careful(e, args, extremeLoop[int16](r)), nil
	case types.LayoutInt32:
		return careful(e, args, extremeLoop[int32](r)), nil
	case types.LayoutInt64:
		return careful(e, args, extremeLoop[int64](r)), nil
	case types.LayoutFloat32:
		return careful(e, args, extremeLoop[float32](r)), nil
	case types.LayoutFloat64:
		return careful(e, args, extremeLoop[float64](r)), nil
	case types.LayoutBit:
		return careful(e, args, extremeBits(r)), nil
	case types.LayoutBytes:
		return careful(e, args, extremeBytes(r)), nil
	default:
		return nil, noKernel(e)
	}
}

// extremeLoop keeps the first of equal values.
func extremeLoop[T number](r relation) loop {
	return func(k *call, out *stream.Vector) error {
		o := stream.Values[T](out)
		first := operandOf[T](&k.args[0])
		for i := range o {
			o[i] = first.at(i)
		}
		for n := range k.args[1:] {
			a := operandOf[T](&k.args[n+1])
			for i := range o {
				if x := a.at(i); r == greater && x > o[i] || r == less && x < o[i] {
					o[i] = x
				}
			}
		}
		return nil
	}
}

// extreme returns the argument of row i that no other one passes.
func (k *call) extreme(r relation, compare func(a, b *stream.Vector) int) *stream.Vector {
	found := &k.args[0]
	for n := range k.args[1:] {
		if a := &k.args[n+1]; r.holds(compare(a, found)) {
			found = a
		}
	}
	return found
}

func extremeWide(r relation) loop {
	return func(k *call, out *stream.Vector) error {
		o := stream.Values[types.Int128](out)
		for i := range o {
			found := k.extreme(r, func(a, b *stream.Vector) int {
				return compare128(stream.Value[types.Int128](a, i), stream.Value[types.Int128](b, i))
			})
			o[i] = stream.Value[types.Int128](found, i)
		}
		return nil
	}
}

func extremeBits(r relation) loop {
	return func(k *call, out *stream.Vector) error {
		for i := range k.n {
			found := k.extreme(r, func(a, b *stream.Vector) int { return int(bit(a.Bool(i))) - int(bit(b.Bool(i))) })
			out.Bits().Put(i, found.Bool(i))
		}
		return nil
	}
}

func extremeBytes(r relation) loop {
	return func(k *call, _ *stream.Vector) error {
		return k.eachText(func(i int) error {
			found := k.extreme(r, func(a, b *stream.Vector) int { return bytes.Compare(a.Bytes(i), b.Bytes(i)) })
			k.builder.AppendBytes(found.Bytes(i))
			return nil
		})
	}
}
