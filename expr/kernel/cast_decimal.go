package kernel

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"millrace/stream"
	"millrace/types"
)

var errNotFinite = errors.New("NaN and infinity are no DECIMAL")

// decimalOf casts a number or BOOLEAN to DECIMAL. What does not fit is NULL.
func decimalOf(from, to types.Type) (conversion, error) {
	if run := widened(from, to); run != nil {
		return cheap(run), nil
	}
	switch from.Layout() {
	case types.LayoutBit:
		return dear(decimalLoop(func(k *call) func(int) int64 {
			bits := k.args[0].Bits()
			return func(i int) int64 { return int64(bit(bits.Get(i))) }
		})), nil
	case types.LayoutInt8:
		return dear(decimalLoop(integerAt[int8])), nil
	case types.LayoutInt16:
		return dear(decimalLoop(integerAt[int16])), nil
	case types.LayoutInt32:
		return dear(decimalLoop(integerAt[int32])), nil
	case types.LayoutFloat32:
		return conversion{dear: true, loop: decimalOfFloat[float32]}, nil
	case types.LayoutFloat64:
		return conversion{dear: true, loop: decimalOfFloat[float64]}, nil
	default:
		if from.Kind == types.Decimal {
			return dear(rescaleLoop), nil
		}
		return dear(decimalLoop(integerAt[int64])), nil
	}
}

// widened returns the loop for integers all of which the DECIMAL holds, without
// a fraction, nil for other types.
func widened(from, to types.Type) loop {
	digits := map[types.Kind]int{types.TinyInt: 3, types.SmallInt: 5, types.Int: 10, types.BigInt: 19}[from.Kind]
	if digits == 0 || to.Scale != 0 || to.Precision < digits {
		return nil
	}
	wide := to.Layout() == types.LayoutInt128
	switch {
	case from.Kind == types.TinyInt && wide:
		return widenLoop[int8]
	case from.Kind == types.SmallInt && wide:
		return widenLoop[int16]
	case from.Kind == types.Int && wide:
		return widenLoop[int32]
	case wide:
		return widenLoop[int64]
	default:
		return numberCast(from.Layout(), types.LayoutInt64)
	}
}

func widenLoop[T signed](k *call, out *stream.Vector) error {
	a, o := stream.Values[T](&k.args[0]), stream.Values[types.Int128](out)
	a = a[:len(o)]
	for i := range o {
		x := int64(a[i])
		o[i] = types.Int128{Lo: uint64(x), Hi: x >> 63}
	}
	return nil
}

func integerAt[T signed](k *call) func(int) int64 {
	a := stream.Values[T](&k.args[0])
	return func(i int) int64 { return int64(a[i]) }
}

func decimalLoop(reader func(k *call) func(int) int64) loop {
	return func(k *call, out *stream.Vector) error {
		at, w := reader(k), writeDecimal(k, out)
		for i := range k.n {
			if k.alive(i) {
				w.putScaled(i, signedOf64(at(i)), 0)
			}
		}
		return nil
	}
}

func rescaleLoop(k *call, out *stream.Vector) error {
	a, w := readDecimal(&k.args[0]), writeDecimal(k, out)
	for i := range k.n {
		if k.alive(i) {
			w.putScaled(i, a.at(i), a.scale)
		}
	}
	return nil
}

// decimalOfFloat takes the shortest digits that stand for the number, as
// Java's BigDecimal.valueOf does.
func decimalOfFloat[T float32 | float64](try bool) loop {
	return func(k *call, out *stream.Vector) error {
		a, w := stream.Values[T](&k.args[0]), writeDecimal(k, out)
		for i := range k.n {
			if !k.alive(i) {
				continue
			}
			x := float64(a[i])
			if math.IsNaN(x) || math.IsInf(x, 0) {
				if !try {
					return k.fail(i, errNotFinite)
				}
				k.null(out, i)
				continue
			}
			k.text = strconv.AppendFloat(k.text[:0], x, 'e', -1, 64)
			n, _ := parseNumber(k.text)
			n.put(&w, i)
		}
		return nil
	}
}

// numberOfDecimal casts DECIMAL to a number: fractions are cut off, and what
// is left is narrowed as Java narrows.
func numberOfDecimal(to types.Type) (conversion, error) {
	switch to.Layout() {
	case types.LayoutInt8:
		return dear(truncateDecimal[int8]), nil
	case types.LayoutInt16:
		return dear(truncateDecimal[int16]), nil
	case types.LayoutInt32:
		return dear(truncateDecimal[int32]), nil
	case types.LayoutInt64:
		return dear(truncateDecimal[int64]), nil
	case types.LayoutFloat32:
		return dear(floatOfDecimal[float32]), nil
	case types.LayoutFloat64:
		return dear(floatOfDecimal[float64]), nil
	default:
		return conversion{}, fmt.Errorf("no cast from DECIMAL to %s", to)
	}
}

func truncateDecimal[T signed](k *call, out *stream.Vector) error {
	a, o := readDecimal(&k.args[0]), stream.Values[T](out)
	unit := powers[a.scale]
	for i := range o {
		if k.alive(i) {
			x := a.at(i)
			x.mag, _ = x.mag.divMod(unit)
			o[i] = T(x.int64())
		}
	}
	return nil
}

// floatOfDecimal divides 18 digits by a power of ten, as Flink does, and reads
// the digits of more.
func floatOfDecimal[T float32 | float64](k *call, out *stream.Vector) error {
	a, o := readDecimal(&k.args[0]), stream.Values[T](out)
	for i := range o {
		if !k.alive(i) {
			continue
		}
		if !a.isWide {
			o[i] = T(float64(a.narrow.at(i)) / float64(pow10of64[a.scale]))
			continue
		}
		k.text = appendDecimal(k.text[:0], a.at(i), a.scale)
		x, _ := strconv.ParseFloat(string(k.text), 64) // digits and a point: it can't fail
		o[i] = T(x)
	}
	return nil
}

// appendDecimal prints a DECIMAL with all digits of its scale.
func appendDecimal(dst []byte, x signed256, scale int) []byte {
	var digits [2 * types.MaxDecimalPrecision]byte
	at := len(digits)
	for n := 0; n <= scale || !x.mag.isZero(); n++ {
		if at == 0 {
			break // more digits than a DECIMAL has
		}
		var r u256
		x.mag, r = x.mag.divModSmall(10)
		at--
		digits[at] = byte('0' + r[0])
	}
	if x.neg {
		dst = append(dst, '-')
	}
	whole := len(digits) - scale
	dst = append(dst, digits[at:whole]...)
	if scale > 0 {
		dst = append(dst, '.')
		dst = append(dst, digits[whole:]...)
	}
	return dst
}
