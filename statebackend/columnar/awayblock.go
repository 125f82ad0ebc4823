package columnar

import (
	"encoding/binary"
	"unsafe"

	"millrace/failure"
	"millrace/stream"
)

// A block is the number of its rows and their stride (uint32 each), the words of
// the rows, in which a byte string's word is its length, and the byte strings row by
// row: the key's, then the columns'. It never outlives the process.

const (
	// blockRowsMax and blockBytesTarget end a block of the tier: a row that comes back
	// costs a read of its block.
	blockRowsMax     = 256
	blockBytesTarget = 16 << 10
	// tierFlushBytes is about how much is written to the tier at a time.
	tierFlushBytes = 4 << 20
	blockHeader    = 8
	awayBlockBytes = int64(unsafe.Sizeof(awayBlock{}))
)

// encodeBlock makes a block of the first of the rows, and returns how many.
func (p *part) encodeBlock(slots []Slot) (int, []byte) {
	n, size := 0, blockHeader
	for n < min(len(slots), blockRowsMax) {
		more := p.rowBytes(slots[n])
		if n > 0 && size+more > blockBytesTarget {
			break
		}
		size += more
		n++
	}
	le := binary.LittleEndian
	b := make([]byte, 0, size)
	b = le.AppendUint32(b, uint32(n))
	b = le.AppendUint32(b, uint32(p.stride))
	for _, s := range slots[:n] {
		at := len(b)
		row := p.row(s)
		b = append(b, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(row))), len(row)*8)...)
		p.eachRef(func(w int) { le.PutUint64(b[at+w*8:], uint64(length(row[w]))) })
	}
	for _, s := range slots[:n] {
		row := p.row(s)
		p.eachRef(func(w int) { b = append(b, p.bytes.get(row[w])...) })
	}
	return n, b
}

// eachRef calls f with the words of a row that are byte strings.
func (p *part) eachRef(f func(w int)) {
	if p.table.layout == stream.KeyBytes {
		f(1)
	}
	for _, w := range p.table.byteWord {
		f(w)
	}
}

// blockRow is a row of a block; everything aliases the block or the decoder.
type blockRow struct {
	at     int
	words  []uint64
	key    []byte
	values [][]byte // of the columns of bytes
}

// decodeBlock shows those rows of a block that are wanted, by their number and their first word. Those of a former
// block are recast.
func (p *part) decodeBlock(data []byte, b *awayBlock, wants func(i int, first uint64) bool, visit func(blockRow) error) error {
	if !b.former {
		return p.decodeRows(data, int(b.rows), p.stride, p.table.byteWord, wants, visit)
	}
	c := p.table.former
	now := blockRow{words: make([]uint64, c.stride), values: make([][]byte, len(c.values))}
	return p.decodeRows(data, int(b.rows), c.hadStride, c.hadByteWords, wants, func(r blockRow) error {
		now.at, now.key = r.at, r.key
		c.row(now.words, r.words)
		for i, v := range c.values {
			now.values[i] = nil
			if v >= 0 {
				now.values[i] = r.values[v]
			}
		}
		return visit(now)
	})
}

// decodeRows is decodeBlock for rows of a stride, some of whose words are byte strings.
func (p *part) decodeRows(data []byte, rows, stride int, byteWord []int, wants func(i int, first uint64) bool, visit func(blockRow) error) error {
	le := binary.LittleEndian
	bad := func() error {
		return failure.Internalf("a block of table %s in the state tier is not one of %d rows of %d words", p.table.spec.ID.Name, rows, stride)
	}
	end := blockHeader + rows*stride*8
	if len(data) < end || le.Uint32(data) != uint32(rows) || le.Uint32(data[4:]) != uint32(stride) {
		return bad()
	}
	r := blockRow{words: make([]uint64, stride), values: make([][]byte, len(byteWord))}
	rest := data[end:]
	for r.at = 0; r.at < rows; r.at++ {
		row := data[blockHeader+r.at*stride*8:]
		next := func(w int) ([]byte, bool) {
			n := le.Uint64(row[w*8:])
			if n > uint64(len(rest)) {
				return nil, false
			}
			v := rest[:n]
			rest = rest[n:]
			return v, true
		}
		ok := true
		if p.table.layout == stream.KeyBytes {
			r.key, ok = next(1)
		}
		for i, w := range byteWord {
			if ok {
				r.values[i], ok = next(w)
			}
		}
		if !ok {
			return bad()
		}
		if !wants(r.at, le.Uint64(row)) {
			continue
		}
		copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(r.words))), stride*8), row)
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}
