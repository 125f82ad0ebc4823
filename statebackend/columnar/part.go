package columnar

import (
	"bytes"

	"millrace/internal/invariant"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// compactRows is how many rows' bytes are looked at, for each key that is asked
// for, while an arena is being evacuated.
const compactRows = 8

// part is statebackend.Part: the rows of a namespace. A row is the key's words,
// then the columns' words.
//
// A Key64 that is NULL stands in the index under the hash of NULL, which no
// value's hash shares the upper half of that 0 has; which row it is, null says.
type part struct {
	rowSet
	table     *valueTable
	namespace int64
	bytes     arena // of keys and bytes columns
	null      Slot  // the row of the NULL key of a Key64
	sweep     Slot  // the next row of an evacuation, noSlot: none is going on
	// persisted says that some snapshot has rows of the part, so that removing
	// them is worth a record; removals counts such records since the last freeze.
	persisted bool
	removals  int
	away      away // rows in the tier
}

// Upsert implements statebackend.Part.
func (p *part) Upsert(keys *stream.Keys, slots []Slot) (Slot, error) {
	firstNew := p.n
	if keys.Layout != p.table.layout || len(slots) != keys.Len() {
		return 0, invariant.Failedf("upsert of %d keys of layout %d into %d slots of table %s, whose layout is %d",
			keys.Len(), keys.Layout, len(slots), p.table.spec.ID.Name, p.table.layout)
	}
	if p.table.store.tier.on() {
		if err := p.bring(keys); err != nil {
			return 0, err
		}
		firstNew = p.n
	}
	if err := p.index.reserve(p.first); err != nil {
		return 0, p.table.store.tier.explain(err)
	}
	for lo := 0; lo < len(slots); lo += tileRows {
		if err := p.upsertTile(keys, lo, slots[lo:min(lo+tileRows, len(slots))]); err != nil {
			return 0, p.table.store.tier.explain(err)
		}
	}
	return firstNew, nil
}

// upsertTile serves the keys from lo on, as many as slots.
func (p *part) upsertTile(keys *stream.Keys, lo int, slots []Slot) error {
	hashes := keys.Hashes[lo : lo+len(slots)]
	p.index.migrate(migrateEntries * len(hashes))
	first := p.table.first[:len(hashes)]
	p.index.first(hashes, first)
	var err error
	if keys.Layout == stream.Key64 {
		err = p.upsert64s(hashes, keys.Fixed[lo:lo+len(slots)], first, slots)
		p.noteNull(keys, lo, slots)
	} else {
		err = p.upsertBytes(keys, lo, slots)
		p.compact(compactRows * len(slots))
	}
	if err != nil {
		return err
	}
	p.mark(slots)
	if p.table.store.tier.on() {
		p.touch(slots)
	}
	return nil
}

// upsert64s is the hot loop: a key whose first entry is its own costs two loads.
func (p *part) upsert64s(hashes []uint64, keys []int64, first []uint64, slots []Slot) error {
	keys, first, slots = keys[:len(hashes)], first[:len(hashes)], slots[:len(hashes)]
	blocks, stride, n := p.blocks, p.stride, uint32(p.n)
	for i, h := range hashes {
		e := first[i]
		if s := uint32(e) - 1; (e^h)>>32 == 0 && s < n && blocks[s>>blockShift][int(s&blockMask)*stride] == uint64(keys[i]) {
			slots[i] = Slot(s)
			continue
		}
		s, err := p.upsert64(h, uint64(keys[i]))
		if err != nil {
			return err
		}
		slots[i] = s
		blocks = p.blocks
	}
	return nil
}

// noteNull remembers the row of the NULL key.
func (p *part) noteNull(keys *stream.Keys, lo int, slots []Slot) {
	if keys.Nulls == nil {
		return
	}
	for i := range slots {
		if keys.Nulls.Get(lo + i) {
			p.null = slots[i]
			return
		}
	}
}

//go:noinline
func (p *part) upsert64(h, key uint64) (Slot, error) {
	if s := p.find64(h, key); s != noSlot {
		return s, nil
	}
	s, err := p.take()
	if err != nil {
		return noSlot, err
	}
	p.row(s)[0] = key
	return s, p.index.insert(h, s, p.live-1)
}

func (p *part) find64(h, key uint64) Slot {
	entries, i := p.index.array(h)
	for n := uint32(p.n); ; i++ {
		e := entries[i]
		if e == 0 {
			return noSlot
		}
		if s := uint32(e) - 1; (e^h)>>32 == 0 && s < n && p.row(Slot(s))[0] == key {
			return Slot(s)
		}
	}
}

func (p *part) upsertBytes(keys *stream.Keys, lo int, slots []Slot) error {
	for i := range slots {
		h, key := keys.Hashes[lo+i], keys.Bytes(lo+i)
		s := p.findBytes(h, key)
		if s == noSlot {
			var err error
			if s, err = p.addBytes(h, key); err != nil {
				return err
			}
		}
		slots[i] = s
	}
	return nil
}

func (p *part) addBytes(h uint64, key []byte) (Slot, error) {
	r, err := p.bytes.put(key, false)
	if err != nil {
		return noSlot, err
	}
	s, err := p.take()
	if err != nil {
		return noSlot, err
	}
	row := p.row(s)
	row[0], row[1] = h, r
	return s, p.index.insert(h, s, p.live-1)
}

func (p *part) findBytes(h uint64, key []byte) Slot {
	entries, i := p.index.array(h)
	for n := uint32(p.n); ; i++ {
		e := entries[i]
		if e == 0 {
			return noSlot
		}
		if s := uint32(e) - 1; (e^h)>>32 == 0 && s < n {
			if row := p.row(Slot(s)); row[0] == h && bytes.Equal(p.bytes.get(row[1]), key) {
				return Slot(s)
			}
		}
	}
}

// Find implements statebackend.Part.
func (p *part) Find(keys *stream.Keys, slots []Slot) {
	if p.table.store.tier.on() && keys.Layout == p.table.layout {
		p.table.store.tier.keep(p.bring(keys))
	}
	p.find(keys, slots)
	if p.table.store.tier.on() {
		p.touch(slots)
	}
}

// find is Find among the rows in memory.
func (p *part) find(keys *stream.Keys, slots []Slot) {
	if p.live == 0 || keys.Layout != p.table.layout {
		for i := range slots {
			slots[i] = noSlot
		}
		return
	}
	for lo := 0; lo < len(slots); lo += tileRows {
		tile := slots[lo:min(lo+tileRows, len(slots))]
		if keys.Layout == stream.Key64 {
			p.find64s(keys.Hashes[lo:lo+len(tile)], keys.Fixed[lo:lo+len(tile)], tile)
			continue
		}
		for i := range tile {
			tile[i] = p.findBytes(keys.Hashes[lo+i], keys.Bytes(lo+i))
		}
	}
}

func (p *part) find64s(hashes []uint64, keys []int64, slots []Slot) {
	first := p.table.first[:len(hashes)]
	p.index.first(hashes, first)
	blocks, stride, n := p.blocks, p.stride, uint32(p.n)
	for i, h := range hashes {
		e := first[i]
		if s := uint32(e) - 1; (e^h)>>32 == 0 && s < n && blocks[s>>blockShift][int(s&blockMask)*stride] == uint64(keys[i]) {
			slots[i] = Slot(s)
			continue
		}
		slots[i] = p.find64(h, uint64(keys[i]))
	}
}

// Touch implements statebackend.Part.
func (p *part) Touch(slots []Slot) {
	p.mark(slots)
	if p.table.store.tier.on() {
		p.touch(slots)
	}
}

// Delete implements statebackend.Part. A slot without a row is passed over.
func (p *part) Delete(slots []Slot) {
	for _, s := range slots {
		if s < 0 || s >= p.n || p.isDead(s) {
			continue
		}
		if p.persisted {
			p.logRemoval(s)
		}
		p.index.remove(p.hash(s), s)
		p.dropBytes(s)
		if s == p.null {
			p.null = noSlot
		}
		p.kill(s)
		p.free(s)
	}
}

func (p *part) logRemoval(s Slot) {
	p.removals++
	row := p.row(s)
	if p.table.layout == stream.Key64 {
		p.table.removed.add64(p.namespace, 0, row[0], s == p.null)
		return
	}
	p.table.removed.addBytes(p.namespace, 0, row[0], p.bytes.get(row[1]))
}

// hash returns the hash of a row's key.
func (p *part) hash(s Slot) uint64 {
	key := p.row(s)[0]
	switch {
	case p.table.layout != stream.Key64:
		return key
	case s == p.null:
		return stream.HashNull()
	default:
		return stream.HashUint64(key)
	}
}

func (p *part) dropBytes(s Slot) {
	row := p.row(s)
	if p.table.layout == stream.KeyBytes {
		p.bytes.drop(row[1])
	}
	for _, w := range p.table.byteWord {
		p.bytes.drop(row[w])
	}
}

// Len implements statebackend.Part.
func (p *part) Len() int { return p.live + p.away.rows }

// Slots implements statebackend.Part.
func (p *part) Slots() Slot { return p.n }

// Scan implements statebackend.Part.
func (p *part) Scan(from Slot, slots []Slot) (n int, next Slot) {
	if p.table.store.tier.on() && len(slots) > 0 {
		return p.scanAll(from, slots)
	}
	return p.scan(from, slots)
}

// AppendKeys implements statebackend.Part.
func (p *part) AppendKeys(slots []Slot, to *stream.KeyBuilder) error {
	if p.table.layout == stream.Key64 {
		p.appendKeys64(slots, to)
		return nil
	}
	for _, s := range slots {
		if err := to.AppendBytes(p.bytes.get(p.row(s)[1])); err != nil {
			return err
		}
	}
	return nil
}

func (p *part) appendKeys64(slots []Slot, to *stream.KeyBuilder) {
	for len(slots) > 0 {
		tile := slots[:min(len(slots), tileRows)]
		keys := p.table.keys[:len(tile)]
		n := 0
		for n < len(tile) && tile[n] != p.null {
			keys[n] = int64(p.row(tile[n])[0])
			n++
		}
		to.Append64s(keys[:n])
		if n < len(tile) {
			to.Append64(0, true)
			n++
		}
		slots = slots[n:]
	}
}

// Rows implements statebackend.Part.
func (p *part) Rows() statebackend.Rows {
	return statebackend.Rows{Blocks: p.blocks, Stride: p.stride, Offset: p.table.keyWords, Width: p.table.width}
}

// Bytes implements statebackend.Part.
func (p *part) Bytes(column int, s Slot) []byte {
	return p.bytes.get(p.row(s)[p.table.keyWords+p.table.words[column]])
}

// SetBytes implements statebackend.Part. The row counts as changed.
func (p *part) SetBytes(column int, s Slot, value []byte) error {
	if p.table.spec.Columns[column].Type.Layout() != types.LayoutBytes {
		return invariant.Failedf("column %d of table %s holds no bytes", column, p.table.spec.ID.Name)
	}
	err := p.bytes.set(&p.row(s)[p.table.keyWords+p.table.words[column]], value)
	p.dirty.Set(int(s))
	p.compact(compactRows)
	return err
}

// compact looks after n rows of an evacuation, or starts one where half of the
// arena is dead.
func (p *part) compact(n int) {
	if p.sweep == noSlot {
		if !p.bytes.wasteful() {
			return
		}
		p.bytes.evacuate()
		p.sweep = 0
	}
	end := min(p.sweep+Slot(n), p.n)
	for s := p.sweep; s < end; s++ {
		if p.isDead(s) {
			continue
		}
		row := p.row(s)
		if p.table.layout == stream.KeyBytes {
			p.bytes.move(&row[1])
		}
		for _, w := range p.table.byteWord {
			p.bytes.move(&row[w])
		}
	}
	p.sweep = end
	if end == p.n {
		p.bytes.evacuated()
		p.sweep = noSlot
	}
}

// release empties the part for another namespace.
func (p *part) release() {
	p.rowSet.release()
	p.bytes.release()
	p.null, p.sweep, p.persisted, p.removals = noSlot, noSlot, false, 0
	p.forgetAway()
}
