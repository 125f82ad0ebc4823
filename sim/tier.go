package sim

import (
	"bytes"

	"millrace/failure"
	"millrace/internal/crash"
	"millrace/statebackend"
)

// tier is the disk to which a process moves state for which it has no room: the model of statebackend/badger, whose database
// has goroutines of its own. Everything that is between the points is one write of the database there; nothing of it
// outlives the process.
type tier struct {
	p      *process
	next   uint64
	blocks map[uint64][]byte
}

var _ statebackend.Tier = (*tier)(nil)

func newTier(p *process) *tier { return &tier{p: p, next: 1, blocks: make(map[uint64][]byte)} }

// Put implements statebackend.Tier. Its crash points are where those of statebackend/badger are.
func (t *tier) Put(blocks [][]byte) (uint64, error) {
	for _, b := range blocks {
		if len(b) > statebackend.TierBlockMax {
			return 0, failure.Internalf("a block of %d bytes for the state tier, at most %d", len(b), statebackend.TierBlockMax)
		}
	}
	first := t.next
	t.next += uint64(len(blocks))
	t.p.here(crash.BeforeTierFlush)
	for i, b := range blocks {
		if i == len(blocks)/2 {
			t.p.here(crash.InTierFlush)
		}
		t.blocks[first+uint64(i)] = bytes.Clone(b)
	}
	t.p.here(crash.AfterTierFlush)
	return first, nil
}

// Get implements statebackend.Tier. What is shown is gone when visit returns.
func (t *tier) Get(ids []uint64, visit func(i int, block []byte) error) error {
	for i, id := range ids {
		b, ok := t.blocks[id]
		if !ok {
			return failure.Internalf("block %d is not in the state tier", id)
		}
		shown := bytes.Clone(b)
		err := visit(i, shown)
		clear(shown)
		if err != nil {
			return err
		}
	}
	return nil
}

// Delete implements statebackend.Tier.
func (t *tier) Delete(ids []uint64) error {
	for _, id := range ids {
		delete(t.blocks, id)
	}
	return nil
}

// tiering is where the rows of a task's state are.
type tiering uint8

const (
	inMemory   tiering = iota
	evicted            // all that may leave memory leave it at each call
	overBudget         // they leave it where a small budget has no room
	atHome             // they leave it at each barrier, as with state.backend.type badger
)

// tiered says where the rows of a store are to be.
func (tm *taskManager) tiered(spec *statebackend.OpenSpec) {
	switch tm.w.faults.tiering {
	case inMemory:
		return
	case overBudget:
		spec.Budget = statebackend.NewBudget(stateBudget, "have more")
	case atHome:
		spec.Budget, spec.Home = statebackend.NewBudget(1<<40, ""), true
	case evicted:
	}
	spec.Tier = tm.tier
}
