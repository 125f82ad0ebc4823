package columnar

import "millrace/stream"

// frozenAway is the rows of a table in the tier that a base has to hold: their
// blocks as they were at the freeze. The blocks are pinned until the release.
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

// add takes note of the blocks of a part.
func (f *frozenAway) add(p *part) {
	if p.away.rows == 0 {
		return
	}
	if f.tier == nil {
		f.tier = &p.table.store.tier
		f.tier.blocks.pin()
	}
	set := frozenBlocks{part: p, namespace: p.namespace}
	for _, b := range p.away.blocks {
		if b.live > 0 {
			set.blocks = append(set.blocks, b)
		}
	}
	f.sets = append(f.sets, set)
	f.rows += int64(p.away.rows)
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
		return p.decodeBlock(data, int(blocks[i].rows), blocks[i].has, func(r blockRow) error {
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
