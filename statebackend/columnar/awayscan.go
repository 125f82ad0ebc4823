package columnar

import (
	"math"
	"slices"

	"millrace/internal/invariant"
)

// awayScan is a scan of a part that has rows in the tier. It shows the rows in memory
// first, then brings blocks back one at a time, so that whoever deletes what it was
// shown, as a window does that fires, needs room for a block and not for all of them.
// No row of the part leaves memory meanwhile.
type awayScan struct {
	on bool
	// at is where in memory the scan goes on, scanBlocks behind the last row.
	at Slot
	// pending are rows that came back to slots behind the scan.
	pending []Slot
	block   int32 // the first that was not looked at
}

// scanBlocks is where a scan goes on that has shown the rows in memory. It is beyond
// every slot.
const scanBlocks Slot = math.MaxInt32

// cameBack takes note of a row that the scan would miss.
func (c *awayScan) cameBack(s Slot) {
	if c.on && s < c.at && !slices.Contains(c.pending, s) {
		c.pending = append(c.pending, s)
	}
}

// scanAll is Scan where the store has a tier.
func (p *part) scanAll(from Slot, slots []Slot) (n int, next Slot) {
	c := &p.away.scan
	if from == 0 {
		*c = awayScan{on: true, pending: c.pending[:0]}
	}
	if from != scanBlocks {
		if n, c.at = p.scan(from, slots); n > 0 {
			return n, c.at
		}
		c.at = scanBlocks
	}
	for n == 0 && len(c.pending)+p.away.rows > 0 {
		if len(c.pending) == 0 {
			if err := p.bringNext(); err != nil {
				p.table.store.tier.keep(err)
				break
			}
		}
		n = p.takePending(slots)
	}
	c.on = n > 0
	return n, scanBlocks
}

// takePending shows rows that came back, but those that were deleted since.
func (p *part) takePending(slots []Slot) (n int) {
	c := &p.away.scan
	taken := 0
	for _, s := range c.pending {
		if n == len(slots) {
			break
		}
		taken++
		if !p.isDead(s) {
			slots[n] = s
			n++
		}
	}
	c.pending = slices.Delete(c.pending, 0, taken)
	return n
}

// bringNext brings the next block of a scan back.
func (p *part) bringNext() error {
	c := &p.away.scan
	if err := p.table.store.relieve(p, blockRowsMax); err != nil {
		return err
	}
	if int(c.block) == len(p.away.blocks) {
		return invariant.Failedf("%d rows of table %s are in no block of the state tier", p.away.rows, p.table.spec.ID.Name)
	}
	c.block++
	return p.bringBlock(c.block-1, func([]Slot) {})
}
