package aggregate

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// STDDEV_POP, STDDEV_SAMP, VAR_POP and VAR_SAMP are what their definition makes of the sum of the values, that of their
// squares and their number,
//
//	(squares - sum * sum / n) / n        of a sample by n - 1
//
// as in Flink, for then values can be taken back, and partial rows be merged. Of exact numbers nothing is lost on the way:
// squares are added up in 192 bits.

// squares adds the accumulator of squared values.
func (p *planner) squares(label string, arg types.Type) op {
	label += "$squares"
	switch arg.Kind {
	case types.Double, types.Float:
		p.Inexact = true
		_, word := p.column(label, types.Of(types.Double))
		return op{kind: opSquaresDouble, word: word}
	case types.Decimal:
		return op{kind: opSquaresDecimal, word: p.wide(label), fit: newFitting(arg.Scale)}
	default:
		return op{kind: opSquaresInt, word: p.wide(label)}
	}
}

// deviate makes an emitter that of a deviation.
func (e *Emitter) deviate(fn string, t target) {
	e.squares, e.root, e.sample = t.squares.word, fn == "STDDEV_POP" || fn == "STDDEV_SAMP", fn == "STDDEV_SAMP" || fn == "VAR_SAMP"
	e.kind = map[opKind]emitKind{
		opSquaresInt: emitDeviationInt, opSquaresDouble: emitDeviationDouble, opSquaresDecimal: emitDeviationDecimal,
	}[t.squares.kind]
}

// words tells whether a step adds up sums that have several columns in partial rows.
func (s *step) words() bool { return len(s.ops) == 1 && s.ops[0].kind == opSumWords }

// addWords adds the sums of the partial rows from, from+1, ... up.
func addWords(r statebackend.Rows, s *step, b *stream.Batch, from int, slots []statebackend.Slot) {
	word := r.Offset + s.ops[0].word
	columns := b.Columns[s.arg : s.arg+jobgraph.SumWords]
	for i, slot := range slots {
		row := b.Row(from + i)
		if columns[0].IsNull(row) {
			continue
		}
		var x [jobgraph.SumWords]uint64
		for k := range columns {
			x[k] = uint64(stream.Value[int64](&columns[k], row))
		}
		addTo(&r, word, slot, x)
	}
}

// addTo adds to 192 bits, low word first.
func addTo(r *statebackend.Rows, word int, s statebackend.Slot, x [jobgraph.SumWords]uint64) {
	at := int(s%statebackend.BlockRows)*r.Stride + word
	w := r.Blocks[s/statebackend.BlockRows][at : at+jobgraph.SumWords : at+jobgraph.SumWords]
	var carry uint64
	w[0], carry = bits.Add64(w[0], x[0], 0)
	w[1], carry = bits.Add64(w[1], x[1], carry)
	w[2], _ = bits.Add64(w[2], x[2], carry)
}

// addSquares adds the squares of integers up.
func (f *Folder) addSquares(r statebackend.Rows, word int, v values) {
	word += r.Offset
	for i, x := range f.integers(v) {
		high, low := bits.Mul64(magnitude(x), magnitude(x))
		sum := [jobgraph.SumWords]uint64{low, high, 0}
		if v.signs != nil && v.signs[i] < 0 {
			sum = negative(sum)
		}
		addTo(&r, word, v.slots[i], sum)
	}
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

func negative(x [jobgraph.SumWords]uint64) [jobgraph.SumWords]uint64 {
	var borrow uint64
	for i := range x {
		x[i], borrow = bits.Sub64(0, x[i], borrow)
	}
	return x
}

func addDoubleSquares(r statebackend.Rows, word int, slots []statebackend.Slot, v values) {
	word += r.Offset
	float := v.flat.Type.Layout() == types.LayoutFloat32
	for i, s := range slots {
		var x float64
		if float {
			x = float64(stream.Values[float32](v.flat)[v.at(i)])
		} else {
			x = stream.Values[float64](v.flat)[v.at(i)]
		}
		p := place(&r, word, s)
		*p = math.Float64bits(math.Float64frombits(*p) + v.sign(i)*(x*x))
	}
}

// fitting rounds the squares of DECIMALs of a scale to the scale that Flink's product of two of them has, half up. One that has
// more than 38 digits then is NULL to Flink, and counts for nothing.
type fitting struct {
	scale, squares int
	factor         uint64   // 10^|squares - 2*scale|, of what fits 64 bits
	exact          *big.Int // the same
}

// averageScaleMin is the least scale of an average of DECIMALs.
const averageScaleMin = 6

// squareScale returns the scale of the square of an average of DECIMALs of a scale: an average has 38 digits.
func squareScale(scale int) int {
	return max(2*max(scale, averageScaleMin)-types.MaxDecimalPrecision-1, averageScaleMin)
}

func newFitting(scale int) *fitting {
	f := &fitting{scale: scale, squares: squareScale(scale)}
	digits := f.squares - 2*scale
	if digits < 0 {
		digits = -digits
	}
	f.exact = power10(digits)
	if f.exact.IsUint64() {
		f.factor = f.exact.Uint64()
	}
	return f
}

func power10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// squaresOf replaces the values of a scratch slice by their squares.
func (f *fitting) squaresOf(xs []stream.Int128) []stream.Int128 {
	for i, x := range xs {
		xs[i] = f.square(x)
	}
	return xs
}

func (f *fitting) square(x stream.Int128) stream.Int128 {
	if x.Hi == int64(x.Lo)>>63 && f.factor != 0 {
		high, low := bits.Mul64(magnitude(int64(x.Lo)), magnitude(int64(x.Lo)))
		if f.squares >= 2*f.scale {
			over, high2 := bits.Mul64(high, f.factor)
			carry, low := bits.Mul64(low, f.factor)
			high, carry = bits.Add64(high2, carry, 0)
			if over+carry == 0 && high <= math.MaxInt64 {
				return fitted(stream.Int128{Lo: low, Hi: int64(high)})
			}
		} else if high < 1<<63 {
			low, carry := bits.Add64(low, f.factor/2, 0)
			high += carry
			q, rest := high/f.factor, high%f.factor
			low, _ = bits.Div64(rest, low, f.factor)
			return fitted(stream.Int128{Lo: low, Hi: int64(q)})
		}
	}
	n := bigOf([]uint64{x.Lo, uint64(x.Hi)})
	n.Mul(n, n)
	if f.squares >= 2*f.scale {
		n.Mul(n, f.exact)
	} else {
		n = divideHalfUp(n, f.exact)
	}
	out, _ := int128Of(n)
	return fitted(out)
}

// fitted returns a square, 0 for one of more than 38 digits.
func fitted(x stream.Int128) stream.Int128 {
	if !fits38Digits(x) {
		return stream.Int128{}
	}
	return x
}

// wordsOf returns the sum of a row.
func wordsOf(r *statebackend.Rows, word int, s statebackend.Slot) []uint64 {
	at := int(s%statebackend.BlockRows)*r.Stride + r.Offset + word
	return r.Blocks[s/statebackend.BlockRows][at : at+jobgraph.SumWords]
}

// divisor returns what the sum of the squared distances is divided by; 0: there is no result.
func (e *Emitter) divisor(r *statebackend.Rows, s statebackend.Slot) uint64 {
	n := *place(r, r.Offset+e.seen, s)
	if e.sample && n > 0 {
		return n - 1
	}
	return n
}

// markSingles makes NULL what needs two values and has one.
func (e *Emitter) markSingles(pool *stream.Pool, v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	if !e.sample {
		return
	}
	for i, s := range slots {
		if e.divisor(&rows, s) == 0 {
			v.WithValidity(pool).Clear(i)
		}
	}
}

// deviationInt divides as integers do, each time towards zero.
func (e *Emitter) deviationInt(r *statebackend.Rows, s statebackend.Slot) int64 {
	divisor := e.divisor(r, s)
	if divisor == 0 {
		return 0
	}
	n, sum := *place(r, r.Offset+e.seen, s), magnitude(int64(*place(r, r.Offset+e.word, s)))
	squares := wordsOf(r, e.squares, s)
	if squares[2] != 0 {
		return e.deviationWide(squares, sum, n, divisor)
	}
	high, low := bits.Mul64(sum, sum)
	meanHigh, rest := high/n, high%n
	meanLow, _ := bits.Div64(rest, low, n)
	low, borrow := bits.Sub64(squares[0], meanLow, 0)
	high, borrow = bits.Sub64(squares[1], meanHigh, borrow)
	if borrow != 0 {
		return 0
	}
	quotientHigh, rest := high/divisor, high%divisor
	quotient, _ := bits.Div64(rest, low, divisor)
	if e.root {
		return e.clamp(math.Sqrt(math.Ldexp(float64(quotientHigh), 64) + float64(quotient)))
	}
	return int64(quotient)
}

// deviationWide is for squares of more than 128 bits.
func (e *Emitter) deviationWide(squares []uint64, sum, n, divisor uint64) int64 {
	mean := new(big.Int).SetUint64(sum)
	mean.Mul(mean, mean).Quo(mean, new(big.Int).SetUint64(n))
	x := bigOf(squares)
	if x.Sub(x, mean).Sign() < 0 {
		return 0
	}
	x.Quo(x, new(big.Int).SetUint64(divisor))
	if e.root {
		return e.clamp(math.Sqrt(floatOfBig(x)))
	}
	return int64(new(big.Int).And(x, new(big.Int).SetUint64(math.MaxUint64)).Uint64())
}

// clamp returns an integer of the result's type, the nearest one, as a cast of a DOUBLE does.
func (e *Emitter) clamp(x float64) int64 {
	least := map[types.Layout]int64{types.LayoutInt8: math.MinInt8, types.LayoutInt16: math.MinInt16, types.LayoutInt32: math.MinInt32}[e.t.Layout()]
	if least == 0 {
		least = math.MinInt64
	}
	if most := -(least + 1); x < float64(most) {
		return int64(x)
	}
	return -(least + 1)
}

func floatOfBig(x *big.Int) float64 {
	f, _ := new(big.Float).SetInt(x).Float64()
	return f
}

// deviationDouble does not fall below 0 by what rounding leaves. Flink does, and its root of that is NaN.
func (e *Emitter) deviationDouble(r *statebackend.Rows, s statebackend.Slot) float64 {
	n := float64(*place(r, r.Offset+e.seen, s))
	sum, squares := math.Float64frombits(*place(r, r.Offset+e.word, s)), math.Float64frombits(*place(r, r.Offset+e.squares, s))
	x := (squares - sum*sum/n) / float64(e.divisor(r, s))
	if x < 0 {
		x = 0
	}
	if e.root {
		return math.Sqrt(x)
	}
	return x
}

// deviationDecimals fills in what each step gives as a DECIMAL of 38 digits, rounded half up, as Flink's have it; a root
// is that of a DOUBLE.
func (e *Emitter) deviationDecimals(pool *stream.Pool, v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	out := stream.Values[stream.Int128](v)
	scale := squareScale(e.scale)
	for i, s := range slots {
		out[i] = stream.Int128{}
		divisor := e.divisor(&rows, s)
		if divisor == 0 {
			continue // markNulls and markSingles see to it
		}
		n := new(big.Int).SetUint64(*place(&rows, rows.Offset+e.seen, s))
		mean := bigOf(wordsOf(&rows, e.word, s))
		mean = divideHalfUp(rescale(mean.Mul(mean, mean), 2*e.scale, scale), n)
		x := bigOf(wordsOf(&rows, e.squares, s))
		if x.Sub(x, mean).Sign() < 0 {
			x.SetInt64(0)
		}
		less := max(scale-1, averageScaleMin) // of a difference
		x = divideHalfUp(rescale(x, scale, less), new(big.Int).SetUint64(divisor))
		value, ok := e.decimalOf(x, less)
		if !ok {
			v.WithValidity(pool).Clear(i)
			continue
		}
		out[i] = value
	}
}

// decimalOf returns a variance of a scale, or its root, as the result.
func (e *Emitter) decimalOf(x *big.Int, scale int) (stream.Int128, bool) {
	if !e.root {
		return int128Of(rescale(x, scale, e.t.Scale))
	}
	double, _ := new(big.Rat).SetFrac(x, power10(scale)).Float64()
	exact, ok := new(big.Rat).SetString(strconv.FormatFloat(math.Sqrt(double), 'f', -1, 64))
	if !ok {
		return stream.Int128{}, false
	}
	num := new(big.Int).Mul(exact.Num(), power10(e.t.Scale))
	return int128Of(divideHalfUp(num, exact.Denom()))
}

// rescale rounds a number half up from a scale to another.
func rescale(x *big.Int, from, to int) *big.Int {
	if to >= from {
		return x.Mul(x, power10(to-from))
	}
	return divideHalfUp(x, power10(from-to))
}
