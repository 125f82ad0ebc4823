package columnar

import (
	"bytes"
	"slices"

	"millrace/stream"
)

// frozenAway is the rows of a table in the tier that a snapshot has to hold: all of
// them for a base, those that changed for a delta. Their blocks are as they were at the
// freeze, and pinned until the release.
type frozenAway struct {
	rows int64
	sets []frozenBlocks
	tier *tiering
}

type frozenBlocks struct {
	part      *part // for its layout alone
	namespace int64
	blocks    []awayBlock
}

// markAway counts every row in the tier as changed.
func (p *part) markAway() {
	for i := range p.away.blocks {
		p.away.blocks[i].changed = true
	}
}

// add takes note of the changed blocks of a part, which count as unchanged from now on, and
// tells whether there are any.
func (f *frozenAway) add(p *part) bool {
	set := frozenBlocks{part: p, namespace: p.namespace}
	for i := range p.away.blocks {
		b := &p.away.blocks[i]
		if b.live > 0 && b.changed {
			set.blocks = append(set.blocks, *b)
			f.rows += int64(b.live)
		}
		b.changed = false
	}
	if len(set.blocks) == 0 {
		return false
	}
	if f.tier == nil {
		f.tier = &p.table.store.tier
		f.tier.blocks.pin()
	}
	f.sets = append(f.sets, set)
	return true
}

// unfreeze marks the blocks of a delta as changed again, and rows that left them since.
func (f *frozenAway) unfreeze(t *valueTable) error {
	for _, set := range f.sets {
		p := t.part(set.namespace, false)
		if p == nil || p.Len() == 0 {
			continue
		}
		for i := range set.blocks {
			if err := p.markBlock(&set.blocks[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// markBlock marks the rows that a block had once, wherever they are now.
func (p *part) markBlock(was *awayBlock) error {
	left := *was
	at := slices.IndexFunc(p.away.blocks, func(b awayBlock) bool { return b.id == was.id && b.live > 0 })
	if at >= 0 {
		p.away.blocks[at].changed = true
		for i, gone := range p.away.blocks[at].gone {
			left.gone[i] |= ^gone // what is still there needs no mark of its own
		}
	}
	var keys []wantedRow
	err := p.table.store.tier.tier.Get([]uint64{was.id}, func(_ int, data []byte) error {
		return p.decodeBlock(data, was, left.has, func(r blockRow) error {
			w := wantedRow{hash: r.words[0], word: r.words[0], key: bytes.Clone(r.key)}
			if p.table.layout != stream.KeyBytes {
				w.hash = stream.HashUint64(w.word)
			}
			keys = append(keys, w)
			return nil
		})
	})
	for i := 0; i < len(keys) && err == nil; i++ {
		err = p.markRow(keys[i].hash, keys[i].word, keys[i].key)
	}
	return err
}

// markRow marks the row of a key as changed, in memory, if there is one.
func (p *part) markRow(h, word uint64, key []byte) error {
	s := p.findOne(h, word, key)
	if s == noSlot && p.away.rows > 0 {
		if err := p.bringOne(h, word, key); err != nil {
			return err
		}
		s = p.findOne(h, word, key)
	}
	if s != noSlot {
		p.dirty.Set(int(s))
	}
	return nil
}

func (f *frozenAway) release() {
	if f.tier != nil {
		f.tier.blocks.unpin()
	}
	*f = frozenAway{}
}

// away writes the rows of a table that are in the tier, some blocks at a time.
func (e *encoder) away(table int, f *frozenTable) error {
	for _, set := range f.away.sets {
		for blocks := set.blocks; len(blocks) > 0 && e.file.err == nil; {
			n := min(len(blocks), sectionBytesTarget/blockBytesTarget)
			if err := e.awayBlocks(table, f, set, blocks[:n]); err != nil {
				return err
			}
			blocks = blocks[n:]
		}
	}
	return e.file.err
}

func (e *encoder) awayBlocks(table int, f *frozenTable, set frozenBlocks, blocks []awayBlock) error {
	p := set.part
	front := f.puts.key
	out := frozenTable{table: f.table, info: f.info}
	out.rows, out.bytes = newRows(f.rows.mem, f.rows.stride), newArena(f.rows.mem)
	defer out.rows.release()
	defer out.bytes.release()
	ids := make([]uint64, len(blocks))
	for i := range blocks {
		ids[i] = blocks[i].id
	}
	err := f.away.tier.tier.Get(ids, func(i int, data []byte) error {
		return p.decodeBlock(data, &blocks[i], blocks[i].has, func(r blockRow) error {
			return out.addAway(p, set.namespace, front, &r)
		})
	})
	if err != nil {
		return err
	}
	c := f.puts
	c.rows, c.bytes, c.nulls = &out.rows, &out.bytes, nil
	e.sort(&c, nil)
	e.sections(table, opPut, f, &c)
	return nil
}

// addAway adds a row of a block as freezePart adds one of memory.
func (f *frozenTable) addAway(p *part, namespace int64, front int, r *blockRow) error {
	d, err := f.rows.add()
	if err != nil {
		return err
	}
	row := f.rows.row(d)
	if front > 0 {
		row[0] = uint64(namespace)
	}
	copy(row[front:], r.words)
	if p.table.layout == stream.KeyBytes {
		if row[front+1], err = f.bytes.put(r.key, false); err != nil {
			return err
		}
	}
	for i, w := range p.table.byteWord {
		if row[front+w], err = f.bytes.put(r.values[i], false); err != nil {
			return err
		}
	}
	return nil
}
