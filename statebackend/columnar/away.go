package columnar

import (
	"bytes"
	"slices"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// away is the rows of a part that are in the tier.
type away struct {
	rows int
	// dir finds the block of a hash: 32 bits of it and the block's position in
	// blocks, so that a key that is not there costs no read.
	dir    index
	blocks []awayBlock
	free   []int32 // positions in blocks without a block
	// Which rows of the part are moved first.
	touched stream.Bitmap // by slot: asked for since the hand passed
	hand    Slot
	used    uint64 // when the part was asked for last
	scan    awayScan
}

// awayBlock is a block in the tier, and which of its rows came back.
type awayBlock struct {
	id         uint64
	rows, live int32
	changed    bool // since the last freeze: the next delta has its rows
	former     bool // its rows are of the columns before those of the declaration
	gone       [blockRowsMax / 64]uint64
}

func (b *awayBlock) isGone(i int) bool { return b.gone[i>>6]>>(i&63)&1 != 0 }

// has tells whether a row has not come back.
func (b *awayBlock) has(i int, _ uint64) bool { return !b.isGone(i) }

// touch notes that rows were asked for.
func (p *part) touch(slots []Slot) {
	for len(p.away.touched) < stream.Words(int(p.n)) {
		p.away.touched = p.lengthen(p.away.touched)
	}
	for _, s := range slots {
		if s >= 0 {
			p.away.touched.Set(int(s))
		}
	}
}

// evict moves up to want rows to the tier, those that changed since the last freeze
// only where it is told, and returns how many it moved.
func (p *part) evict(want int, changed bool) (int, error) {
	slots := p.pick(want, changed || p.table.store.tier.restoring)
	groups := p.table.store.spec.MaxParallelism
	slices.SortFunc(slots, func(a, b Slot) int {
		return int(types.KeyGroupOf(p.hash(a), groups)) - int(types.KeyGroupOf(p.hash(b), groups))
	})
	moved := 0
	for moved < len(slots) {
		n, err := p.moveBlocks(slots[moved:])
		if err != nil {
			return moved, err
		}
		moved += n
	}
	if p.live == 0 && moved > 0 {
		p.rowSet.release()
		p.bytes.release()
		p.null, p.sweep = noSlot, noSlot
	}
	for p.bytes.wasteful() || p.sweep != noSlot {
		p.compact(int(p.n) + 1)
	}
	return moved, nil
}

// pick returns rows to move: those that were not asked for since the hand passed
// the last time, then others.
func (p *part) pick(want int, changed bool) []Slot {
	first := make([]Slot, 0, min(want, p.live))
	var second []Slot
	for i := Slot(0); i < p.n && len(first) < want; i++ {
		s := p.away.hand
		if s >= p.n {
			s = 0
		}
		p.away.hand = s + 1
		switch {
		case p.isDead(s) || s == p.null || !changed && p.dirty.Get(int(s)) || p.tooLarge(s):
		case int(s)>>6 < len(p.away.touched) && p.away.touched.Get(int(s)):
			p.away.touched.Clear(int(s))
			if len(second) < want {
				second = append(second, s)
			}
		default:
			first = append(first, s)
		}
	}
	return append(first, second[:min(len(second), want-len(first))]...)
}

// tooLarge tells whether a row stays because no block holds it.
func (p *part) tooLarge(s Slot) bool { return p.rowBytes(s) > statebackend.TierBlockMax/2 }

// rowBytes returns what a row takes in a block.
func (p *part) rowBytes(s Slot) int {
	n := p.stride * 8
	row := p.row(s)
	if p.table.layout == stream.KeyBytes {
		n += length(row[1])
	}
	for _, w := range p.table.byteWord {
		n += length(row[w])
	}
	return n
}

// moveBlocks moves the first of the rows, a flush of blocks.
func (p *part) moveBlocks(slots []Slot) (int, error) {
	var blocks [][]byte
	var counts []int
	n, size := 0, 0
	for n < len(slots) && size < tierFlushBytes {
		k, block := p.encodeBlock(slots[n:])
		blocks, counts = append(blocks, block), append(counts, k)
		n += k
		size += len(block)
	}
	a, t := &p.away, p.table
	if a.dir.mem == nil {
		a.dir.mem = t.store.memory
	}
	if err := a.dir.reserve(0); err != nil {
		return 0, err
	}
	first, err := t.store.tier.tier.Put(blocks)
	if err != nil {
		return 0, err
	}
	at := 0
	for i, k := range counts {
		if err := p.moveRows(first+uint64(i), slots[at:at+k]); err != nil {
			return at, err
		}
		at += k
	}
	return n, nil
}

// moveRows enters rows under their block and takes them out of memory.
func (p *part) moveRows(id uint64, slots []Slot) error {
	a := &p.away
	b := awayBlock{id: id, rows: int32(len(slots)), live: int32(len(slots))}
	position := int32(len(a.blocks))
	if last := len(a.free) - 1; last >= 0 {
		position, a.free = a.free[last], a.free[:last]
		a.blocks[position] = b
	} else {
		before := cap(a.blocks)
		a.blocks = append(a.blocks, b)
		p.mem.account(int64(cap(a.blocks)-before) * awayBlockBytes)
	}
	restoring := p.table.store.tier.restoring
	for i, s := range slots {
		h := p.hash(s)
		a.blocks[position].changed = a.blocks[position].changed || p.dirty.Get(int(s)) && !restoring
		if err := a.dir.insert(h, position, a.rows); err != nil {
			for j := range slots[i:] { // what has no entry stays in memory
				a.blocks[position].gone[(i+j)>>6] |= 1 << ((i + j) & 63)
			}
			a.blocks[position].live = int32(i)
			return err
		}
		a.rows++
		p.index.remove(h, s)
		p.dropBytes(s)
		p.kill(s)
		p.free(s)
	}
	p.table.store.tier.counts.moved(int64(len(slots)))
	return nil
}

// bring makes room for the keys of a batch and brings those of them that are in
// the tier back.
func (p *part) bring(keys *stream.Keys) error {
	s := p.table.store
	s.tier.clock++
	p.away.used = s.tier.clock
	if err := s.relieve(p, 2*keys.Len()); err != nil {
		return err
	}
	return s.tier.explain(p.bringKeys(keys))
}

// bringKeys is bring where there is room.
func (p *part) bringKeys(keys *stream.Keys) error {
	if p.away.rows == 0 || keys.Len() == 0 {
		return nil
	}
	slots := make([]Slot, keys.Len())
	p.find(keys, slots)
	p.away.dir.migrate(migrateEntries * keys.Len())
	var wanted []wantedRow
	for i, slot := range slots {
		if slot != noSlot || keys.IsNull(i) {
			continue
		}
		w := wantedRow{hash: keys.Hashes[i]}
		if keys.Layout == stream.KeyBytes {
			w.word, w.key = keys.Hashes[i], keys.Bytes(i)
		} else {
			w.word = uint64(keys.Fixed[i])
		}
		wanted = p.where(w, wanted)
	}
	return p.fetch(wanted)
}

// wantedRow is a key that may be in a block.
type wantedRow struct {
	hash, word uint64
	key        []byte // of a KeyBytes
	position   int32
}

// where appends the blocks in which a key may be.
func (p *part) where(w wantedRow, out []wantedRow) []wantedRow {
	entries, i := p.away.dir.array(w.hash)
	for ; entries[i] != 0; i++ {
		if (entries[i]^w.hash)>>32 == 0 && entries[i] != tombstone {
			w.position = int32(uint32(entries[i]) - 1)
			out = append(out, w)
		}
	}
	return out
}

// fetch reads each block of the wanted rows once and takes these rows out of it.
func (p *part) fetch(wanted []wantedRow) error {
	if len(wanted) == 0 {
		return nil
	}
	p.table.store.tier.counts.missed(len(wanted))
	slices.SortStableFunc(wanted, func(a, b wantedRow) int { return int(a.position) - int(b.position) })
	var ids []uint64
	var from []int // of each block in wanted
	for i, w := range wanted {
		if i == 0 || w.position != wanted[i-1].position {
			ids, from = append(ids, p.away.blocks[w.position].id), append(from, i)
		}
	}
	from = append(from, len(wanted))
	var emptied []uint64
	err := p.table.store.tier.tier.Get(ids, func(i int, data []byte) error {
		mine := wanted[from[i]:from[i+1]]
		position := mine[0].position
		b := &p.away.blocks[position]
		wants := func(i int, first uint64) bool {
			return !b.isGone(i) && slices.ContainsFunc(mine, func(w wantedRow) bool { return w.word == first })
		}
		err := p.decodeBlock(data, b, wants, func(r blockRow) error {
			if !slices.ContainsFunc(mine, func(w wantedRow) bool { return p.isWanted(&w, &r) }) {
				return nil
			}
			_, err := p.adopt(position, &r)
			return err
		})
		if err == nil && b.live <= b.rows/8 && p.need(int(b.live)+len(wanted)) == 0 {
			_, err = p.adoptAll(position, data)
		}
		if err == nil && b.live == 0 {
			emptied = append(emptied, b.id)
			p.away.free = append(p.away.free, position)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.table.store.tier.blocks.delete(emptied...)
}

func (p *part) isWanted(w *wantedRow, r *blockRow) bool {
	return r.words[0] == w.word && (p.table.layout == stream.Key64 || bytes.Equal(r.key, w.key))
}

// adopt brings a row of a block back into memory, where it is as changed as the block.
func (p *part) adopt(position int32, r *blockRow) (Slot, error) {
	if err := p.index.reserve(0); err != nil {
		return noSlot, err
	}
	s, err := p.take()
	if err != nil {
		return noSlot, err
	}
	row := p.row(s)
	copy(row, r.words)
	h := r.words[0]
	if p.table.layout == stream.KeyBytes {
		row[1], err = p.bytes.put(r.key, true)
	} else {
		h = stream.HashUint64(h)
	}
	for i, w := range p.table.byteWord {
		if err == nil {
			row[w], err = p.bytes.put(r.values[i], true)
		}
	}
	if err == nil {
		err = p.index.insert(h, s, p.live-1)
	}
	if err != nil {
		return noSlot, err
	}
	b := &p.away.blocks[position]
	if b.changed {
		p.dirty.Set(int(s))
	}
	b.gone[r.at>>6] |= 1 << (r.at & 63)
	b.live--
	p.away.rows--
	p.away.dir.remove(h, position)
	p.away.scan.cameBack(s)
	p.table.store.tier.counts.back(1)
	return s, nil
}

// adoptAll brings what is left in a block back, and returns the slots.
func (p *part) adoptAll(position int32, data []byte) (slots []Slot, err error) {
	b := &p.away.blocks[position]
	err = p.decodeBlock(data, b, b.has, func(r blockRow) error {
		s, err := p.adopt(position, &r)
		slots = append(slots, s)
		return err
	})
	return slots, err
}

// eachAway brings every block back, and shows the slots of each block's rows. Rows
// that were shown may leave again.
func (p *part) eachAway(visit func([]Slot)) error {
	if p.away.rows == 0 {
		return nil
	}
	for position := range int32(len(p.away.blocks)) {
		if err := p.table.store.relieve(p, blockRowsMax); err != nil {
			return err
		}
		if err := p.bringBlock(position, visit); err != nil {
			return err
		}
	}
	return nil
}

// bringBlock brings what is left in a block back.
func (p *part) bringBlock(position int32, visit func([]Slot)) error {
	b := p.away.blocks[position]
	if b.live == 0 {
		return nil
	}
	err := p.table.store.tier.tier.Get([]uint64{b.id}, func(_ int, data []byte) error {
		slots, err := p.adoptAll(position, data)
		visit(slots)
		return err
	})
	if err != nil {
		return err
	}
	p.away.free = append(p.away.free, position)
	return p.table.store.tier.blocks.delete(b.id)
}

// findOne returns the row of a key in memory.
func (p *part) findOne(h, word uint64, key []byte) Slot {
	switch {
	case p.live == 0:
		return noSlot
	case p.table.layout == stream.KeyBytes:
		return p.findBytes(h, key)
	default:
		return p.find64(h, word)
	}
}

// bringOne brings the row of a key back.
func (p *part) bringOne(h, word uint64, key []byte) error {
	if err := p.table.store.relieve(p, tileRows); err != nil {
		return err
	}
	return p.fetch(p.where(wantedRow{hash: h, word: word, key: key}, nil))
}

// forgetAway forgets the rows in the tier.
func (p *part) forgetAway() {
	a := &p.away
	p.mem.account(-int64(cap(a.blocks))*awayBlockBytes - int64(len(a.touched))*8)
	for i := range a.blocks {
		if a.blocks[i].live > 0 {
			p.table.store.tier.keep(p.table.store.tier.blocks.delete(a.blocks[i].id))
		}
	}
	if a.dir.mem != nil {
		a.dir.release()
	}
	p.table.store.tier.counts.forgotten(int64(a.rows))
	*a = away{}
}
