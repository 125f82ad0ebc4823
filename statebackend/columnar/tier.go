package columnar

import (
	"slices"
	"sync"

	"millrace/internal/failure"
	"millrace/statebackend"
)

// tiering is how a store uses its tier. Rows of Value tables that did not change
// since the last freeze, and were not asked for lately, are moved to it in blocks
// once memory is nearly full. A row that is asked for comes back alone; its block
// stays, with a mark that the row is gone, until few rows are left in it.
//
// What changed since the last freeze stays in memory, so that deltas are made
// from memory alone.
type tiering struct {
	tier statebackend.Tier
	// keep of the budget is in use before rows are moved; the rest is for the rows of a batch,
	// for growing indexes, and for the others of the budget.
	bytes     int64
	restoring bool  // nothing counts as changed
	failed    error // a read of which a call could not tell; the next freeze does
	clock     uint64

	blocks blockSet
}

// keepShare of a budget is used before rows are moved, in eighths. The directories of
// moved rows grow in what is left.
const keepShare = 5

func (t *tiering) init(spec statebackend.OpenSpec) {
	t.tier, t.blocks.tier = spec.Tier, spec.Tier
	t.bytes = spec.Budget.Limit() / 8 * keepShare
}

func (t *tiering) on() bool { return t.tier != nil }

// keep remembers an error for the next freeze.
func (t *tiering) keep(err error) {
	if err != nil && t.failed == nil {
		t.failed = err
	}
}

// blockSet deletes blocks, those that a base snapshot may still read later on.
type blockSet struct {
	tier statebackend.Tier
	mu   struct {
		sync.Mutex
		pins    int
		deleted []uint64
	}
}

// blocksDeleted is how many blocks gather before they are deleted in one go.
const blocksDeleted = 256

func (b *blockSet) delete(ids ...uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.deleted = append(b.mu.deleted, ids...)
	if len(b.mu.deleted) < blocksDeleted {
		return nil
	}
	return b.flush()
}

// flush deletes what may be deleted. It needs the lock.
func (b *blockSet) flush() error {
	if b.mu.pins > 0 || len(b.mu.deleted) == 0 {
		return nil
	}
	err := b.tier.Delete(b.mu.deleted)
	b.mu.deleted = b.mu.deleted[:0]
	return err
}

// pin keeps blocks from being deleted until as many unpins.
func (b *blockSet) pin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.pins++
}

// unpin ends a pin. What can't be deleted then stays until the tier is closed.
func (b *blockSet) unpin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.pins--
	_ = b.flush()
}

// drain deletes what waits for more to be deleted with.
func (b *blockSet) drain() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flush()
}

// relieve moves rows out of memory where n more rows of a part might not find room.
func (s *store) relieve(p *part, n int) error {
	for range victimsMax {
		need := int64(0)
		if free := p.spare + p.room - int(p.n); free < n {
			need = int64(blockRows*p.stride) * 8
			if p.room < blockRows {
				need = int64(max(p.room, firstRows)*p.stride) * 16
			}
		}
		switch used := s.used(); {
		case s.tier.bytes > 0 && used+need <= s.tier.bytes, s.tier.bytes > 0 && need == 0:
			return nil
		}
		moved, err := s.moveSome(p, n)
		if err != nil {
			if failure.ClassOf(err).Domain == failure.DomainExternal && s.used() < s.spec.Budget.Limit() {
				return nil // while there is room, the disk may be full
			}
			return err
		}
		if moved == 0 {
			return nil // the budget has the last word
		}
	}
	return nil
}

// used returns what counts against the budget and is not kept for reuse only.
func (s *store) used() int64 {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.spec.Budget.Used() - s.memory.mu.pooled
}

// victimsMax bounds the parts that are looked at for one batch.
const victimsMax = 64

// moveSome moves rows of the part that was not used for the longest time, all of
// them unless it is the one that needs room; it returns how many rows were moved.
func (s *store) moveSome(p *part, n int) (int, error) {
	victims := s.parts()
	for _, v := range victims {
		want := v.live
		if v == p {
			want = max(v.live/16, 2*n)
		}
		moved, err := v.evict(want)
		if err != nil || moved > 0 {
			return moved, err
		}
	}
	return 0, nil
}

// parts returns the parts that have rows to move, the one used last at the end.
func (s *store) parts() []*part {
	var out []*part
	for _, t := range s.tables {
		if t.shape != shapeValue {
			continue
		}
		for _, p := range t.value.parts {
			if p.live > 0 && !p.away.scanned {
				out = append(out, p)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *part) int {
		switch {
		case a.away.used < b.away.used:
			return -1
		case a.away.used > b.away.used:
			return 1
		default:
			return 0
		}
	})
	return out
}

// forgetAway forgets the rows of a table that are in the tier.
func (t *table) forgetAway() {
	if t.shape != shapeValue {
		return
	}
	for _, p := range t.value.parts {
		p.forgetAway()
	}
}
