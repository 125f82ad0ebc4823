package columnar

import (
	"fmt"
	"slices"
	"sync"

	"millrace/failure"
	"millrace/statebackend"
	"millrace/stream"
)

// tiering is how a store uses its tier. Rows of Value tables that did not change
// since the last freeze, and were not asked for lately, are moved to it in blocks
// once memory is nearly full. A row that is asked for comes back alone; its block
// stays, with a mark that the row is gone, until few rows are left in it.
//
// What changed since the last freeze stays in memory, so that deltas are made
// from memory alone, until nothing else is left to move. Then it goes into blocks that
// are marked, and the freeze has them read like those of a base.
type tiering struct {
	tier statebackend.Tier
	home bool
	// bytes of the budget are in use before rows are moved, and most before changed ones
	// are; the rest is for the rows of a batch, for growing indexes, and for the others of the
	// budget. 0 moves rows at every call.
	bytes, most int64
	restoring   bool  // nothing counts as changed
	failed      error // a read of which a call could not tell; the next freeze does
	clock       uint64
	// pressure is why the tier took no rows, until clock comes to retry.
	pressure error
	retry    uint64

	counts tierCounts
	blocks blockSet
}

const (
	// keepShare of a budget is used before rows are moved, mostShare before rows that
	// changed are, in eighths. The directories of moved rows grow in what is left.
	keepShare = 5
	mostShare = 6
	// retryCalls is how many calls go by before a tier that took nothing is asked again.
	retryCalls = 64
)

func (t *tiering) init(spec statebackend.OpenSpec) {
	t.tier, t.blocks.tier, t.home, t.counts.counts = spec.Tier, spec.Tier, spec.Tier != nil && spec.Home, spec.TierCounts
	t.bytes = spec.Budget.Limit() / 8 * keepShare
	t.most = spec.Budget.Limit() / 8 * mostShare
}

func (t *tiering) on() bool { return t.tier != nil }

// keep remembers an error for the next freeze.
func (t *tiering) keep(err error) {
	if err != nil && t.failed == nil {
		t.failed = err
	}
}

// postpone tells whether an error of moving rows is one that memory makes up for
// meanwhile, such as that of a full disk.
func (t *tiering) postpone(err error) bool {
	if failure.ClassOf(err).Domain != failure.DomainExternal {
		return false
	}
	t.pressure, t.retry = err, t.clock+retryCalls
	return true
}

// explain returns why memory was refused: because the tier takes nothing, where that is so.
func (t *tiering) explain(err error) error {
	if t.pressure == nil || err == nil {
		return err
	}
	return fmt.Errorf("%w; rows could not leave memory, and %s", t.pressure, err.Error())
}

// tierCounts counts for a store, and takes its rows out of the count at its end. The
// zero value counts nothing.
type tierCounts struct {
	counts *statebackend.TierCounts
}

func (c tierCounts) moved(n int64) {
	if c.counts != nil {
		c.counts.Evicted.Add(n)
		c.counts.Away.Add(n)
	}
}

func (c tierCounts) back(n int64) {
	if c.counts != nil {
		c.counts.Back.Add(n)
		c.counts.Away.Add(-n)
	}
}

func (c tierCounts) forgotten(n int64) {
	if c.counts != nil {
		c.counts.Away.Add(-n)
	}
}

func (c tierCounts) missed(n int) {
	if c.counts != nil {
		c.counts.Misses.Add(int64(n))
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
	t := &s.tier
	if t.pressure != nil && t.clock < t.retry {
		return nil // the budget has the last word
	}
	t.pressure = nil
	for range victimsMax {
		need, used := p.need(n), s.used()
		if t.bytes > 0 && (used+need <= t.bytes || need == 0 && (used <= t.most || !p.table.hasBytes())) {
			return nil
		}
		moved, err := s.moveSome(p, n, false)
		if changed := used+need > t.most && t.bytes > 0 || t.bytes == 0 && t.clock%3 == 0; changed && moved == 0 && err == nil {
			moved, err = s.moveSome(p, n, true)
		}
		if err != nil && !t.postpone(err) {
			return err
		}
		if moved == 0 {
			return nil
		}
	}
	return nil
}

// hasBytes tells whether a row takes more than its slot.
func (t *valueTable) hasBytes() bool { return t.layout == stream.KeyBytes || len(t.byteWord) > 0 }

// need returns the bytes that a part takes for n more rows.
func (p *part) need(n int) int64 {
	switch free := p.spare + p.room - int(p.n); {
	case free >= n:
		return 0
	case p.room < blockRows:
		return int64(max(p.room, p.first, firstRows)*p.stride) * 16
	default:
		return int64(blockRows*p.stride) * 8
	}
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
func (s *store) moveSome(p *part, n int, changed bool) (int, error) {
	victims := s.parts()
	for _, v := range victims {
		want := v.live
		if v == p {
			want = max(v.live/16, 2*n)
		}
		moved, err := v.evict(want, changed)
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
			if p.live > 0 && !p.away.scan.on {
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

// goHome moves all rows that did not change since the last freeze to the tier.
func (s *store) goHome() error {
	for _, p := range s.parts() {
		if _, err := p.evict(p.live, false); err != nil && !s.tier.postpone(err) {
			return err
		}
	}
	return nil
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
