package columnar

import (
	"fmt"
	"math"
	"math/bits"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// recast turns rows of one list of columns into rows of another. What stands in front of the columns
// (the key; of sorted tables the place in the order) stays as it is, so a row keeps its slot, and
// indexes, trees and byte strings need no change.
type recast struct {
	front             int // words that stay
	stride, hadStride int // words of a new row, and of an old one
	cells             []cell
	// Byte strings: the words of old rows that are some, those of them that nobody has a column for any more, and for each new
	// column of bytes which of the old ones it was, or -1.
	hadByteWords, leftBehind []int
	values                   []int
}

// cell is how a column comes about. Words count from the beginning of a row.
type cell struct {
	conversion
	from, to         int // from is -1 for a new column
	fromNull, toNull int // position of the null bit: of a new column, if it begins as NULL; -1 where there is none
	begins           uint64
}

// conversion is how the words of a type become those of a wider one.
type conversion struct {
	kind  conversionKind
	times types.Int128 // of a decimal
}

type conversionKind uint8

const (
	plainWord conversionKind = iota // one word, as it is: integers are sign-extended, byte strings are refs
	plainPair                       // two words, as they are
	floatDouble
	word64      // a decimal of one word, times
	word64to128 // a decimal of one word in two, times
	word128     // a decimal of two words, times
)

// conversionOf returns how a type becomes itself, or one that it widens to.
func conversionOf(from, to types.Type) conversion {
	wide := from.Layout() == types.LayoutInt128
	switch {
	case from.Kind == types.Float && to.Kind == types.Double:
		return conversion{kind: floatDouble}
	case from.Kind == types.Decimal && to.Kind == types.Decimal && (from.Scale != to.Scale || wide != (to.Layout() == types.LayoutInt128)):
		c := conversion{kind: word64, times: powerOfTen(to.Scale - from.Scale)}
		if wide {
			c.kind = word128
		} else if to.Layout() == types.LayoutInt128 {
			c.kind = word64to128
		}
		return c
	case wide:
		return conversion{kind: plainPair}
	default:
		return conversion{}
	}
}

// powerOfTen returns 10 to the n-th.
func powerOfTen(n int) types.Int128 {
	x := types.Int128{Lo: 1}
	for range n {
		x = times128(x, types.Int128{Lo: 10})
	}
	return x
}

// times128 multiplies; what goes beyond 128 bits is lost, which no decimal within its precision does.
func times128(x, y types.Int128) types.Int128 {
	hi, lo := bits.Mul64(x.Lo, y.Lo)
	return types.Int128{Lo: lo, Hi: int64(hi + x.Lo*uint64(y.Hi) + uint64(x.Hi)*y.Lo)}
}

// layoutOfRows is where columns stand in rows.
type layoutOfRows struct {
	columns   []statebackend.ColumnSpec
	front     int // words before the null bits
	nullWords int
	words     []int // of each column behind them
	width     int
}

func (l *layoutOfRows) word(column int) int { return l.front + l.nullWords + l.words[column] }

func (l *layoutOfRows) stride() int { return l.front + l.nullWords + l.width }

// bytes returns the words of columns of bytes, and for each column which of them it is.
func (l *layoutOfRows) bytes() (words, which []int) {
	which = make([]int, len(l.columns))
	for i, c := range l.columns {
		which[i] = -1
		if c.Type.Layout() == types.LayoutBytes {
			which[i] = len(words)
			words = append(words, l.word(i))
		}
	}
	return words, which
}

func newRecast(had, has *layoutOfRows, origins []statebackend.Origin) *recast {
	c := &recast{front: had.front, stride: has.stride(), hadStride: had.stride()}
	var which []int
	c.hadByteWords, which = had.bytes()
	kept := make([]bool, len(c.hadByteWords))
	for i, o := range origins {
		value := -1
		if o.Had >= 0 {
			value = which[o.Had]
		}
		if value >= 0 {
			kept[value] = true
		}
		if has.columns[i].Type.Layout() == types.LayoutBytes {
			c.values = append(c.values, value)
		}
		c.cells = append(c.cells, cellOf(had, has, i, o))
	}
	for i, w := range c.hadByteWords {
		if !kept[i] {
			c.leftBehind = append(c.leftBehind, w)
		}
	}
	return c
}

// cellOf says how column i comes about.
func cellOf(had, has *layoutOfRows, i int, o statebackend.Origin) cell {
	x := cell{from: -1, to: has.word(i), fromNull: -1, toNull: -1}
	switch {
	case o.Had >= 0:
		x.from, x.conversion = had.word(o.Had), conversionOf(had.columns[o.Had].Type, has.columns[i].Type)
		if had.nullWords > 0 {
			x.fromNull, x.toNull = o.Had, i
		}
	case o.Null && has.columns[i].NullOf != "":
		x.begins = 1
	case o.Null:
		x.toNull = i
	}
	return x
}

// row makes a row of another.
func (c *recast) row(to, from []uint64) {
	copy(to, from[:c.front])
	clear(to[c.front:])
	for i := range c.cells {
		x := &c.cells[i]
		switch {
		case x.from < 0:
			to[x.to] = x.begins
			if x.toNull >= 0 {
				to[c.front+x.toNull>>6] |= 1 << (x.toNull & 63)
			}
		case x.fromNull >= 0 && from[c.front+x.fromNull>>6]>>(x.fromNull&63)&1 != 0:
			to[c.front+x.toNull>>6] |= 1 << (x.toNull & 63) // its words are 0
		default:
			x.convert(to[x.to:], from[x.from:])
		}
	}
}

// convert makes the words of a value.
func (c *conversion) convert(to, from []uint64) {
	switch c.kind {
	case plainWord:
		to[0] = from[0]
	case plainPair:
		to[0], to[1] = from[0], from[1]
	case floatDouble:
		to[0] = math.Float64bits(float64(math.Float32frombits(uint32(from[0]))))
	case word64:
		to[0] = from[0] * c.times.Lo
	case word64to128:
		x := times128(types.Int128{Lo: from[0], Hi: int64(from[0]) >> 63}, c.times)
		to[0], to[1] = x.Lo, uint64(x.Hi)
	case word128:
		x := times128(types.Int128{Lo: from[0], Hi: int64(from[1])}, c.times)
		to[0], to[1] = x.Lo, uint64(x.Hi)
	}
}

// recast makes other rows of all there are, a block at a time. Where there is no memory the rows are of no use any more.
func (r *rows) recast(c *recast) error {
	for i, old := range r.blocks {
		words, err := r.mem.getWords(len(old) / r.stride * c.stride)
		if err != nil {
			return err
		}
		for k := range min(len(old)/r.stride, int(r.n)-i*blockRows) {
			c.row(words[k*c.stride:(k+1)*c.stride], old[k*r.stride:(k+1)*r.stride])
		}
		r.blocks[i] = words
		r.mem.putWords(old)
	}
	r.stride = c.stride
	return nil
}

// leave counts the byte strings that nobody has a column for as dead.
func (t *rowSet) leave(c *recast, bytes *arena) {
	if len(c.leftBehind) == 0 {
		return
	}
	for s := range t.n {
		if t.isDead(s) {
			continue
		}
		for _, w := range c.leftBehind {
			bytes.drop(t.row(s)[w])
		}
	}
}

// recast gives the rows of a table other columns. Rows in the tier are left there as they are, and
// recast when they come back (decodeBlock).
func (t *valueTable) recast(columns []statebackend.ColumnSpec, origins []statebackend.Origin) error {
	had := layoutOfRows{columns: t.spec.Columns, front: t.keyWords, words: t.words, width: t.width}
	has := layoutOfRows{columns: columns, front: t.keyWords}
	has.words, has.width = statebackend.WordOf(columns)
	c := newRecast(&had, &has, origins)
	for _, p := range t.parts {
		err := p.makeRoom(c)
		if err == nil {
			err = p.recast(c)
		}
		if err != nil {
			p.release()
			return noRoom(t.spec.ID, t.store.tier.explain(err))
		}
	}
	t.spec.Columns, t.words, t.width = columns, has.words, has.width
	t.byteWord, _ = has.bytes()
	for _, p := range t.parts {
		p.tidy()
	}
	for _, p := range t.empties {
		p.mem.account(-int64(len(p.dirty)) * 8)
	}
	t.empties, t.former = nil, c
	return nil
}

// makeRoom moves rows to the tier where they would not fit into memory in their new form.
func (p *part) makeRoom(c *recast) error {
	t := &p.table.store.tier
	more := int64(p.room*(c.stride-p.stride)+min(p.room, blockRows)*c.stride) * 8
	if !t.on() || p.live == 0 || t.bytes > 0 && p.table.store.used()+more <= t.bytes {
		return nil
	}
	if _, err := p.evict(p.live, true); err != nil && !t.postpone(err) {
		return err
	}
	return nil
}

// recast gives the rows of a part other columns.
func (p *part) recast(c *recast) error {
	p.leave(c, &p.bytes)
	err := p.rows.recast(c)
	for i := range p.away.blocks {
		p.away.blocks[i].former = true
	}
	return err
}

// tidy moves what is left of byte strings together, where most of them were left behind.
func (p *part) tidy() {
	if !p.table.hasBytes() {
		p.bytes.release()
		p.sweep = noSlot
	}
	for p.bytes.wasteful() || p.sweep != noSlot {
		p.compact(int(p.n) + 1)
	}
}

// noRoom says what memory was wanted for.
func noRoom(id statebackend.TableID, err error) error {
	return fmt.Errorf("table %s of operator %s in its new columns: %w", id.Name, id.Operator, err)
}

// recast gives the rows of a sorted table other columns.
func (t *sortedTable) recast(columns []statebackend.ColumnSpec, origins []statebackend.Origin) error {
	had := layoutOfRows{columns: t.columns, front: sortedFront, nullWords: t.nullWords, words: t.words, width: t.width}
	has := layoutOfRows{columns: columns, front: sortedFront, nullWords: stream.Words(len(columns))}
	has.words, has.width = statebackend.WordOf(columns)
	c := newRecast(&had, &has, origins)
	t.leave(c, &t.bytes)
	if err := t.rows.recast(c); err != nil {
		t.release()
		return noRoom(t.id, err)
	}
	t.columns, t.nullWords, t.words, t.width, t.byteWord = columns, has.nullWords, has.words, has.width, nil
	for i, col := range columns {
		if col.Type.Layout() == types.LayoutBytes {
			t.byteWord = append(t.byteWord, t.words[i])
		}
	}
	t.staged = nil
	for t.bytes.wasteful() || t.sweep != noSlot {
		t.compact(int(t.n+t.heads.n) + 1)
	}
	return nil
}
