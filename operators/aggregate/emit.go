package aggregate

import (
	"math"
	"math/big"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// emitKind names a way from accumulator to value.
type emitKind uint8

const (
	emitInt           emitKind = iota // the word, cut to the type's width
	emitFloat                         // 32 bits of the word
	emitDouble                        // the word
	emitDecimal                       // a sum of 192 bits
	emitExtreme                       // the code's value
	emitExtremeFloat                  //
	emitExtremeWide                   //
	emitBytes                         //
	emitAverageInt                    // truncated towards zero
	emitAverageDouble                 //
	emitAverageDecimal
	emitDeviationInt // truncated towards zero
	emitDeviationDouble
	emitDeviationDecimal
)

// Emitter makes a column of the output.
type Emitter struct {
	kind   emitKind
	t      types.Type
	word   int
	column int
	mask   uint64
	// seen counts the values; the result is NULL where it is zero, but for what
	// always has a result.
	seen   int
	always bool
	scale  int // of an averaged DECIMAL's sum
	// Of deviations: the first word of the squares, whether the root is meant, and whether the values are a sample.
	squares      int
	root, sample bool
	own          *own // the function of the program that gives the values; nil: a built-in one
}

// Stepped tells of a function of the job's program, where Steps gives the values, how many of those stand before it.
func (p *Plan) Stepped(e *Emitter) (int, bool) {
	for i := range p.stepped {
		if e.own != nil && e.own == p.stepped[i].own {
			return i, true
		}
	}
	return 0, false
}

// Result returns the column for the table's rows at slots. An error is that of a function of the job's program.
func (e *Emitter) Result(pool *stream.Pool, table Accumulators, slots []statebackend.Slot) (stream.Vector, error) {
	if e.own != nil {
		return e.own.result(pool, table, slots, e.t)
	}
	return e.Emit(pool, table, slots), nil
}

// Emit is Result of a built-in function.
func (e *Emitter) Emit(pool *stream.Pool, table Accumulators, slots []statebackend.Slot) stream.Vector {
	if e.kind == emitBytes {
		return e.emitBytes(pool, table, slots)
	}
	rows := table.Rows()
	v := stream.NewFixed(pool, e.t, len(slots))
	switch e.kind {
	case emitDecimal:
		e.decimals(pool, &v, rows, slots)
	case emitAverageDecimal:
		e.averageDecimals(pool, &v, rows, slots)
	case emitDeviationDecimal:
		e.deviationDecimals(pool, &v, rows, slots)
	case emitExtremeWide:
		e.wideExtremes(&v, rows, slots)
	default:
		e.words(&v, rows, slots)
	}
	e.markNulls(pool, &v, rows, slots)
	e.markSingles(pool, &v, rows, slots)
	return v
}

func (e *Emitter) markNulls(pool *stream.Pool, v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	if e.always {
		return
	}
	word := rows.Offset + e.seen
	for i, s := range slots {
		if *place(&rows, word, s) == 0 {
			v.WithValidity(pool).Clear(i)
		}
	}
}

// words fills in values that fit a word.
func (e *Emitter) words(v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	switch e.t.Layout() {
	case types.LayoutBit:
		for i, s := range slots {
			v.Bits().Put(i, e.word64(&rows, s) != 0)
		}
	case types.LayoutInt8:
		fill[int8](e, v, rows, slots)
	case types.LayoutInt16:
		fill[int16](e, v, rows, slots)
	case types.LayoutInt32:
		fill[int32](e, v, rows, slots)
	case types.LayoutInt64:
		fill[int64](e, v, rows, slots)
	case types.LayoutFloat32:
		for i, s := range slots {
			stream.Values[float32](v)[i] = float32(e.float64(&rows, s))
		}
	case types.LayoutFloat64:
		for i, s := range slots {
			stream.Values[float64](v)[i] = e.float64(&rows, s)
		}
	}
}

func fill[T int8 | int16 | int32 | int64](e *Emitter, v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	out := stream.Values[T](v)[:len(slots)]
	if e.kind == emitAverageInt || e.kind == emitDeviationInt {
		for i, s := range slots {
			out[i] = T(e.word64(&rows, s))
		}
		return
	}
	word, mask := rows.Offset+e.word, e.mask
	if e.kind != emitExtreme {
		mask = 0
	}
	for i, s := range slots {
		out[i] = T(*place(&rows, word, s) ^ mask)
	}
}

func (e *Emitter) word64(rows *statebackend.Rows, s statebackend.Slot) int64 {
	w := *place(rows, rows.Offset+e.word, s)
	switch e.kind {
	case emitExtreme, emitExtremeFloat:
		return int64(w ^ e.mask)
	case emitAverageInt:
		if n := *place(rows, rows.Offset+e.seen, s); n != 0 {
			return int64(w) / int64(n)
		}
		return 0
	case emitDeviationInt:
		return e.deviationInt(rows, s)
	default:
		return int64(w)
	}
}

func (e *Emitter) float64(rows *statebackend.Rows, s statebackend.Slot) float64 {
	w := *place(rows, rows.Offset+e.word, s)
	switch e.kind {
	case emitExtremeFloat:
		return floatOf(int64(w ^ e.mask))
	case emitFloat:
		return float64(math.Float32frombits(uint32(w)))
	case emitDeviationDouble:
		return e.deviationDouble(rows, s)
	case emitAverageDouble:
		return math.Float64frombits(w) / float64(*place(rows, rows.Offset+e.seen, s))
	default:
		return math.Float64frombits(w)
	}
}

func (e *Emitter) wideExtremes(v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	out := stream.Values[stream.Int128](v)
	low := lowMask(e.mask)
	for i, s := range slots {
		hi, lo := *place(&rows, rows.Offset+e.word, s), *place(&rows, rows.Offset+e.word+1, s)
		out[i] = stream.Int128{Lo: lo ^ low, Hi: int64(hi ^ e.mask)}
	}
}

func (e *Emitter) emitBytes(pool *stream.Pool, table Accumulators, slots []statebackend.Slot) stream.Vector {
	b := stream.NewBuilder(pool, e.t, len(slots))
	rows := table.Rows()
	for _, s := range slots {
		if !e.always && *place(&rows, rows.Offset+e.seen, s) == 0 {
			b.AppendNull()
		} else {
			b.AppendBytes(table.Bytes(e.column, s))
		}
	}
	return b.Finish()
}

// decimals fills in sums; those that have more than 38 digits are NULL.
func (e *Emitter) decimals(pool *stream.Pool, v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	out := stream.Values[stream.Int128](v)
	for i, s := range slots {
		at := int(s%statebackend.BlockRows)*rows.Stride + rows.Offset + e.word
		w := rows.Blocks[s/statebackend.BlockRows][at : at+3]
		x := stream.Int128{Lo: w[0], Hi: int64(w[1])}
		if uint64(x.Hi>>63) != w[2] || !fits38Digits(x) {
			v.WithValidity(pool).Clear(i)
			x = stream.Int128{}
		}
		out[i] = x
	}
}

// limit38 is 10^38, the first magnitude that a DECIMAL(38) can't hold.
var limit38 = stream.Int128{Lo: 0x098a224000000000, Hi: 0x4b3b4ca85a86c47a}

func fits38Digits(x stream.Int128) bool {
	hi, lo := uint64(x.Hi), x.Lo
	if x.Hi < 0 {
		lo = -lo
		hi = ^hi
		if lo == 0 {
			hi++
		}
	}
	return hi < uint64(limit38.Hi) || (hi == uint64(limit38.Hi) && lo < limit38.Lo)
}

// averageDecimals divides exactly and rounds half up, away from zero, once.
func (e *Emitter) averageDecimals(pool *stream.Pool, v *stream.Vector, rows statebackend.Rows, slots []statebackend.Slot) {
	out := stream.Values[stream.Int128](v)
	shift := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(e.t.Scale-e.scale)), nil)
	for i, s := range slots {
		out[i] = stream.Int128{}
		n := *place(&rows, rows.Offset+e.seen, s)
		if n == 0 {
			continue // markNulls sees to it
		}
		at := int(s%statebackend.BlockRows)*rows.Stride + rows.Offset + e.word
		sum := bigOf(rows.Blocks[s/statebackend.BlockRows][at : at+3])
		x, ok := int128Of(divideHalfUp(sum.Mul(sum, shift), new(big.Int).SetUint64(n)))
		if !ok {
			v.WithValidity(pool).Clear(i)
			continue
		}
		out[i] = x
	}
}

// bigOf returns the value of a two's complement integer, low word first.
func bigOf(words []uint64) *big.Int {
	x := big.NewInt(int64(words[len(words)-1]))
	for i := len(words) - 2; i >= 0; i-- {
		x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(words[i]))
	}
	return x
}

func divideHalfUp(x, n *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(x, n, new(big.Int))
	if r.Lsh(r.Abs(r), 1).Cmp(n) >= 0 {
		q.Add(q, big.NewInt(int64(x.Sign())))
	}
	return q
}

// int128Of returns x in 128 bits; ok is false above 38 digits.
func int128Of(x *big.Int) (out stream.Int128, ok bool) {
	if x.BitLen() > 127 {
		return out, false
	}
	magnitude := new(big.Int).Abs(x)
	out.Lo = new(big.Int).And(magnitude, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	out.Hi = int64(new(big.Int).Rsh(magnitude, 64).Uint64())
	if x.Sign() < 0 {
		out.Lo = -out.Lo
		out.Hi = ^out.Hi
		if out.Lo == 0 {
			out.Hi++
		}
	}
	return out, fits38Digits(out)
}
