package kernel

import (
	"bytes"
	"math"
	"strconv"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// bindRound binds ROUND and TRUNCATE, of any number.
func bindRound(e *expr.Call, args []node) (node, error) {
	cut := e.Func == "TRUNCATE"
	switch e.T.Kind {
	case types.TinyInt:
		return careful(e, args, roundIntLoop[int8](cut)), nil
	case types.SmallInt:
		return careful(e, args, roundIntLoop[int16](cut)), nil
	case types.Int:
		return careful(e, args, roundIntLoop[int32](cut)), nil
	case types.BigInt:
		return careful(e, args, roundIntLoop[int64](cut)), nil
	case types.Float:
		return careful(e, args, roundFloatLoop[float32](cut)), nil
	case types.Double:
		return careful(e, args, roundFloatLoop[float64](cut)), nil
	default:
		return careful(e, args, roundDecimalLoop(cut)), nil
	}
}

// digits reads the second argument, 0 without one.
func (k *call) digits() operand[int32] {
	if len(k.args) == 2 {
		return operandOf[int32](&k.args[1])
	}
	return operand[int32]{values: []int32{0}}
}

func roundIntLoop[T signed](cut bool) loop {
	return func(k *call, out *stream.Vector) error {
		a, digits, o := operandOf[T](&k.args[0]), k.digits(), stream.Values[T](out)
		for i := range o {
			if k.alive(i) {
				o[i] = T(roundInt(int64(a.at(i)), int(digits.at(i)), cut))
			}
		}
		return nil
	}
}

// roundInt rounds before the point; what passes 64 bits loses its high ones,
// as in Java.
func roundInt(x int64, digits int, cut bool) int64 {
	switch {
	case digits >= 0:
		return x
	case digits <= -len(pow10of64):
		return 0
	}
	unit := pow10of64[-digits]
	mag := magnitude(x)
	rest := mag % unit
	mag -= rest
	if !cut && rest >= unit-rest {
		mag += unit
	}
	if x < 0 {
		return -int64(mag)
	}
	return int64(mag)
}

func roundFloatLoop[T float32 | float64](cut bool) loop {
	return func(k *call, out *stream.Vector) error {
		a, digits, o := operandOf[T](&k.args[0]), k.digits(), stream.Values[T](out)
		for i := range o {
			if k.alive(i) {
				o[i] = T(k.roundFloat(float64(a.at(i)), int(digits.at(i)), cut))
			}
		}
		return nil
	}
}

// roundFloat rounds the shortest digits that stand for the number, as Java's
// BigDecimal does: 2.675 becomes 2.68, though its binary form is below.
func (k *call) roundFloat(x float64, digits int, cut bool) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	p := strconv.AppendFloat(k.text[:0], math.Abs(x), 'e', -1, 64)
	k.text = p
	at := bytes.IndexByte(p, 'e')
	exponent, _ := strconv.Atoi(string(p[at+1:])) // AppendFloat's own digits
	number := append(p[:1], p[min(2, at):at]...)  // without the point
	keep := exponent + 1 + digits
	switch {
	case keep >= len(number):
		return x
	case keep < 0:
		return 0
	}
	up := !cut && number[keep] >= '5'
	number = number[:keep]
	if up {
		number, exponent = increment(number, exponent)
	}
	if len(number) == 0 {
		return 0
	}
	return parseDigits(number, exponent-len(number)+1, x < 0)
}

// increment adds one to the last digit; of no digit becomes a one.
func increment(number []byte, exponent int) (sum []byte, exp int) {
	for i := len(number) - 1; i >= 0; i-- {
		if number[i]++; number[i] <= '9' {
			return number, exponent
		}
		number[i] = '0'
	}
	number = append(number, '0')
	copy(number[1:], number)
	number[0] = '1'
	return number, exponent + 1
}

func parseDigits(number []byte, exponent int, neg bool) float64 {
	number = strconv.AppendInt(append(number, 'e'), int64(exponent), 10)
	x, _ := strconv.ParseFloat(string(number), 64) // digits and an exponent: an infinity at most
	if neg && x != 0 {
		return -x
	}
	return x
}

func roundDecimalLoop(cut bool) loop {
	return func(k *call, out *stream.Vector) error {
		a, digits, w := readDecimal(&k.args[0]), k.digits(), writeDecimal(k, out)
		for i := range k.n {
			if !k.alive(i) {
				continue
			}
			x := a.at(i)
			drop := a.scale - int(digits.at(i))
			switch {
			case drop <= 0:
			case drop > types.MaxDecimalPrecision:
				x = signed256{}
			case cut:
				x.mag, _ = x.mag.divMod(powers[drop])
				x.mag, _ = x.mag.scaleUp(drop)
			default:
				x.mag = x.mag.divHalfUp(powers[drop])
				x.mag, _ = x.mag.scaleUp(drop)
			}
			w.putScaled(i, x, a.scale)
		}
		return nil
	}
}
