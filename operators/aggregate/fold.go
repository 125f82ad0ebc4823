package aggregate

import (
	"math"
	"math/bits"

	"millrace/jobgraph"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Folder runs a plan's steps over tiles, in scratch memory of its own. It is for
// one goroutine.
type Folder struct {
	plan *Plan
	// Of the batch under way: what each selected row counts for (nil: one each), and
	// the values that were counted.
	signs   []int64
	counted []*Counted
	// Of the frame under way, where Repeats knows which values of DISTINCT calls count.
	repeats *Repeats
	edge    int32 // the frame's first row, or where it leaves the one behind its last
	leaving bool

	peers stream.Bitmap // selected rows that begin peers; nil: all do
	// partition is where the selected rows of the partition under way begin, and end.
	partition [2]int

	slots     [TileRows]statebackend.Slot // of the rows that have a value
	positions [TileRows]int32
	weights   [TileRows]int64
	ints      [TileRows]int64
	wide      [TileRows]stream.Int128
	moved     [TileRows]statebackend.Slot
	more      struct {
		slots     [TileRows]statebackend.Slot
		positions [TileRows]int32
	}
	text []byte
}

// Use makes the folder ready for a plan.
func (f *Folder) Use(p *Plan) { f.plan = p }

// Weigh says what each selected row of the next batches to fold counts for: 1
// where it adds, -1 where it takes back, 0 where it is passed over; nil: 1 each.
// The values that the plan has counted are those of the same rows.
func (f *Folder) Weigh(signs []int64, counted []*Counted) { f.signs, f.counted = signs, counted }

// Fold takes the tile of selected rows from, from+1, ... of b, whose slots are
// given, into the table.
func (f *Folder) Fold(table Accumulators, b *stream.Batch, from int, slots []statebackend.Slot) error {
	rows := table.Rows()
	counted := !f.plan.countRows
	for i := range f.plan.steps {
		s := &f.plan.steps[i]
		if s.own != nil {
			if err := f.foldOwn(table, s, b, from, slots); err != nil {
				return err
			}
			rows = table.Rows()
			continue
		}
		if s.words() {
			addWords(rows, s, b, from, slots)
			continue
		}
		if s.placed {
			if err := f.place(table, s, b, from, slots); err != nil {
				return err
			}
			continue
		}
		v := f.resolve(s, b, from, slots)
		if s.fused.any() {
			rowsWith := noWord
			if !counted && len(v.slots) == len(slots) && s.counted == 0 {
				rowsWith, counted = rowsWord, true
			}
			foldInts(rows, rowsWith, &s.fused, v.slots, f.integers(v))
		}
		for k := range s.ops {
			if err := f.run(table, rows, &s.ops[k], v); err != nil {
				return err
			}
		}
	}
	switch {
	case counted:
	case f.signs != nil:
		addInts(rows, rowsWord, slots, f.signs[from:from+len(slots)])
	default:
		addOne(rows, rowsWord, slots)
	}
	return nil
}

// values are the values of a tile that are not NULL: flat ones, at positions
// (nil: from, from+1, ...), each with the slot that it goes to.
type values struct {
	flat      *stream.Vector // nil: rows, that have no value
	positions []int32
	from      int
	slots     []statebackend.Slot
	signs     []int64 // 1 or -1 for each; nil: all 1
}

// resolve settles encoding, selection, filter, signs and NULLs, so that no loop
// asks for them.
func (f *Folder) resolve(s *step, b *stream.Batch, from int, slots []statebackend.Slot) values {
	if s.counted > 0 {
		return f.changed(s, b, f.changing(s, b, from, slots))
	}
	sel := b.Sel()
	var v *stream.Vector
	if s.arg != jobgraph.CountStar {
		v = &b.Columns[s.arg]
		if v.IsPlain() && s.filter == noColumn && f.signs == nil {
			if sel != nil {
				return values{flat: v, positions: sel[from : from+len(slots)], slots: slots}
			}
			return values{flat: v, from: from, slots: slots}
		}
	}
	n := 0
	mayBeNull := v != nil && (v.HasNulls() || v.Encoding == stream.Dictionary)
	for i, slot := range slots {
		row := int32(from + i)
		if sel != nil {
			row = sel[row]
		}
		if mayBeNull && v.IsNull(int(row)) || s.filter != noColumn && !admits(&b.Columns[s.filter], int(row)) {
			continue
		}
		if f.signs != nil {
			if f.weights[n] = f.signs[from+i]; f.weights[n] == 0 {
				continue
			}
		}
		f.positions[n], f.slots[n] = row, slot
		n++
	}
	out := values{slots: f.slots[:n]}
	if f.signs != nil {
		out.signs = f.weights[:n]
	}
	out.point(v, f.positions[:n])
	return out
}

// admits tells whether a filter has TRUE in a row.
func admits(filter *stream.Vector, row int) bool { return !filter.IsNull(row) && filter.Bool(row) }

// point settles the encoding of a vector under the rows at positions, which it
// may change.
func (v *values) point(from *stream.Vector, positions []int32) {
	v.flat, v.positions = from, positions
	if from == nil {
		return
	}
	switch from.Encoding {
	case stream.Constant:
		clear(positions)
	case stream.Dictionary:
		indices := from.Indices()
		for i, p := range positions {
			positions[i] = indices[p]
		}
		v.flat = from.Dict()
	}
}

// changing finds the rows of a tile whose counted values appeared or went, and returns how many there are: f.positions has them, physically, f.slots and
// f.weights what is theirs.
func (f *Folder) changing(s *step, b *stream.Batch, from int, slots []statebackend.Slot) (n int) {
	if f.repeats != nil {
		return f.inFrame(s, b, from, slots)
	}
	for _, x := range f.counted[s.counted-1].within(s.variant, from, from+len(slots)) {
		f.positions[n], f.slots[n], f.weights[n] = int32(b.Row(int(x.row))), slots[int(x.row)-from], int64(x.sign)
		n++
	}
	return n
}

// changed returns the n values that were found to have appeared or gone.
func (f *Folder) changed(s *step, b *stream.Batch, n int) values {
	out := values{slots: f.slots[:n], signs: f.weights[:n]}
	out.point(&b.Columns[s.arg], f.positions[:n])
	return out
}

func (f *Folder) run(table Accumulators, rows statebackend.Rows, o *op, v values) error {
	if v.signs != nil && o.kind >= opExtreme {
		v = f.added(v)
	}
	switch o.kind {
	case opCount:
		if v.signs == nil {
			addOne(rows, o.word, v.slots)
		} else {
			addInts(rows, o.word, v.slots, v.signs)
		}
	case opSumInt:
		addInts(rows, o.word, v.slots, f.signed(v, f.integers(v)))
	case opSumFloat:
		addFloats(rows, o.word, v.slots, v)
	case opSumDouble:
		addDoubles(rows, o.word, v.slots, v)
	case opSumDecimal:
		addDecimals(rows, o.word, v.slots, f.signedWide(v, f.decimals(v)))
	case opSquaresInt:
		f.addSquares(rows, o.word, v)
	case opSquaresDouble:
		addDoubleSquares(rows, o.word, v.slots, v)
	case opSquaresDecimal:
		addDecimals(rows, o.word, v.slots, f.signedWide(v, o.fit.squaresOf(f.decimals(v))))
	case opExtreme:
		keepExtremes(rows, o.word, v.slots, f.integers(v), o.mask)
	case opExtremeFloat:
		keepExtremes(rows, o.word, v.slots, f.floatCodes(v), o.mask)
	case opExtremeWide:
		keepWideExtremes(rows, o.word, v.slots, f.decimals(v), o.mask)
	case opExtremeBytes:
		return keepBytes(table, o, v)
	case opFirst, opLast:
		return f.keepValues(table, o, v)
	case opList:
		return f.lengthen(table, o, v)
	default: // those that go by the place of a row have their own loops
	}
	return nil
}

// added returns the values that add. Those that go are looked for in another way,
// by Extremes.
func (f *Folder) added(v values) values {
	n := 0
	for i, sign := range v.signs {
		if sign > 0 {
			f.more.positions[n], f.more.slots[n] = int32(v.at(i)), v.slots[i]
			n++
		}
	}
	return values{flat: v.flat, positions: f.more.positions[:n], slots: f.more.slots[:n]}
}

// signed returns integers with their signs; those of a column are not changed.
func (f *Folder) signed(v values, xs []int64) []int64 {
	if v.signs == nil {
		return xs
	}
	out := f.ints[:len(xs)]
	for i, x := range xs {
		out[i] = x * v.signs[i]
	}
	return out
}

// signedWide does so in 128 bits, in place: what decimals returns is scratch.
func (f *Folder) signedWide(v values, xs []stream.Int128) []stream.Int128 {
	for i, sign := range v.signs {
		if sign < 0 {
			lo, borrow := bits.Sub64(0, xs[i].Lo, 0)
			hi, _ := bits.Sub64(0, uint64(xs[i].Hi), borrow)
			xs[i] = stream.Int128{Lo: lo, Hi: int64(hi)}
		}
	}
	return xs
}

// integers returns the values as 64-bit integers; BIGINT where it lies, the
// rest copied.
func (f *Folder) integers(v values) []int64 {
	out := f.ints[:len(v.slots)]
	switch v.flat.Type.Layout() {
	case types.LayoutInt8:
		gather(out, stream.Values[int8](v.flat), v)
	case types.LayoutInt16:
		gather(out, stream.Values[int16](v.flat), v)
	case types.LayoutInt32:
		gather(out, stream.Values[int32](v.flat), v)
	case types.LayoutBit:
		for i := range out {
			out[i] = 0
			if v.flat.Bits().Get(v.at(i)) {
				out[i] = 1
			}
		}
	default:
		xs := stream.Values[int64](v.flat)
		if v.positions == nil {
			return xs[v.from : v.from+len(out)]
		}
		gather(out, xs, v)
	}
	return out
}

// at returns the position of value i, for layouts that are rare.
func (v *values) at(i int) int {
	if v.positions == nil {
		return v.from + i
	}
	return int(v.positions[i])
}

// sign returns what value i is multiplied by.
func (v *values) sign(i int) float64 {
	if v.signs == nil {
		return 1
	}
	return float64(v.signs[i])
}

func gather[T int8 | int16 | int32 | int64](out []int64, xs []T, v values) {
	if v.positions == nil {
		for i, x := range xs[v.from : v.from+len(out)] {
			out[i] = int64(x)
		}
		return
	}
	for i, p := range v.positions {
		out[i] = int64(xs[p])
	}
}

// decimals returns the unscaled values of DECIMALs in 128 bits.
func (f *Folder) decimals(v values) []stream.Int128 {
	out := f.wide[:len(v.slots)]
	if v.flat.Type.Layout() != types.LayoutInt128 {
		for i, x := range f.integers(v) {
			out[i] = stream.Int128{Lo: uint64(x), Hi: x >> 63}
		}
		return out
	}
	xs := stream.Values[stream.Int128](v.flat)
	for i := range out {
		out[i] = xs[v.at(i)]
	}
	return out
}

// floatCodes returns integers in the order of the floating-point values: NaN
// is the largest, -0 is below 0.
func (f *Folder) floatCodes(v values) []int64 {
	out := f.ints[:len(v.slots)]
	if v.flat.Type.Layout() == types.LayoutFloat32 {
		xs := stream.Values[float32](v.flat)
		for i := range out {
			out[i] = floatCode(float64(xs[v.at(i)]))
		}
		return out
	}
	xs := stream.Values[float64](v.flat)
	for i := range out {
		out[i] = floatCode(xs[v.at(i)])
	}
	return out
}

func floatCode(x float64) int64 {
	if x != x {
		return int64(stream.CanonicalFloat64(x))
	}
	b := int64(math.Float64bits(x))
	return b ^ (b >> 63 & math.MaxInt64)
}

// floatOf is the inverse of floatCode.
func floatOf(code int64) float64 {
	return math.Float64frombits(uint64(code ^ (code >> 63 & math.MaxInt64)))
}

// The loops. Each addresses the word of a slot on its own: a table has as many
// blocks as it needs, and the compiler keeps the rest in registers.

func place(r *statebackend.Rows, word int, s statebackend.Slot) *uint64 {
	u := uint32(s) // unsigned, so that / and % are a shift and a mask
	return &r.Blocks[u/statebackend.BlockRows][int(u%statebackend.BlockRows)*r.Stride+word]
}

// foldInts does the loops of f, and counts rows where that word is given. The
// tests are the same for every row, so they cost next to nothing.
func foldInts(r statebackend.Rows, rowsWith int, f *fused, slots []statebackend.Slot, xs []int64) {
	count, sum, largest, smallest := f.count, f.sum, f.largest, f.smallest
	stride, offset := r.Stride, r.Offset
	xs = xs[:len(slots)]
	var block []uint64
	at := uint32(math.MaxUint32) // of block
	for i, s := range slots {
		u := uint32(s)
		if k := u / statebackend.BlockRows; k != at {
			block, at = r.Blocks[k], k
		}
		row := int(u%statebackend.BlockRows)*stride + offset
		x := uint64(xs[i])
		if rowsWith >= 0 {
			block[row+rowsWith]++
		}
		if count >= 0 {
			block[row+count]++
		}
		if sum >= 0 {
			block[row+sum] += x
		}
		if largest >= 0 {
			block[row+largest] = max(block[row+largest], x^maskMax)
		}
		if smallest >= 0 {
			block[row+smallest] = max(block[row+smallest], x^maskMin)
		}
	}
}

func addOne(r statebackend.Rows, word int, slots []statebackend.Slot) {
	word += r.Offset
	for _, s := range slots {
		*place(&r, word, s)++
	}
}

func addInts(r statebackend.Rows, word int, slots []statebackend.Slot, xs []int64) {
	word += r.Offset
	xs = xs[:len(slots)]
	for i, s := range slots {
		*place(&r, word, s) += uint64(xs[i])
	}
}

func addFloats(r statebackend.Rows, word int, slots []statebackend.Slot, v values) {
	word += r.Offset
	xs := stream.Values[float32](v.flat)
	for i, s := range slots {
		p := place(&r, word, s)
		*p = uint64(math.Float32bits(math.Float32frombits(uint32(*p)) + float32(v.sign(i))*xs[v.at(i)]))
	}
}

func addDoubles(r statebackend.Rows, word int, slots []statebackend.Slot, v values) {
	word += r.Offset
	if v.flat.Type.Layout() == types.LayoutFloat32 {
		xs := stream.Values[float32](v.flat)
		for i, s := range slots {
			p := place(&r, word, s)
			*p = math.Float64bits(math.Float64frombits(*p) + v.sign(i)*float64(xs[v.at(i)]))
		}
		return
	}
	xs := stream.Values[float64](v.flat)
	for i, s := range slots {
		p := place(&r, word, s)
		*p = math.Float64bits(math.Float64frombits(*p) + v.sign(i)*xs[v.at(i)])
	}
}

// addDecimals adds in 192 bits: more rows than there can be don't overflow it,
// so that a sum is NULL exactly if its end, not a step on the way, has too many digits.
func addDecimals(r statebackend.Rows, word int, slots []statebackend.Slot, xs []stream.Int128) {
	word += r.Offset
	for i, s := range slots {
		at := int(s%statebackend.BlockRows)*r.Stride + word
		w := r.Blocks[s/statebackend.BlockRows][at : at+3 : at+3]
		var carry uint64
		w[0], carry = bits.Add64(w[0], xs[i].Lo, 0)
		w[1], carry = bits.Add64(w[1], uint64(xs[i].Hi), carry)
		w[2], _ = bits.Add64(w[2], uint64(xs[i].Hi>>63), carry)
	}
}

func keepExtremes(r statebackend.Rows, word int, slots []statebackend.Slot, xs []int64, mask uint64) {
	word += r.Offset
	xs = xs[:len(slots)]
	for i, s := range slots {
		p := place(&r, word, s)
		*p = max(*p, uint64(xs[i])^mask)
	}
}

func keepWideExtremes(r statebackend.Rows, word int, slots []statebackend.Slot, xs []stream.Int128, mask uint64) {
	word += r.Offset
	low := lowMask(mask)
	for i, s := range slots {
		at := int(s%statebackend.BlockRows)*r.Stride + word
		w := r.Blocks[s/statebackend.BlockRows][at : at+2 : at+2]
		hi, lo := uint64(xs[i].Hi)^mask, xs[i].Lo^low
		if hi > w[0] || (hi == w[0] && lo > w[1]) {
			w[0], w[1] = hi, lo
		}
	}
}
