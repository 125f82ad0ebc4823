package statetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"millrace/failure"
	"millrace/internal/testutil/matrix"
	"millrace/statebackend"
)

// MemoryTier is a statebackend.Tier in memory, safe for concurrent use.
type MemoryTier struct {
	mu struct {
		sync.Mutex
		next   uint64
		blocks map[uint64][]byte
	}
}

var _ statebackend.Tier = (*MemoryTier)(nil)

// Put implements statebackend.Tier.
func (t *MemoryTier) Put(blocks [][]byte) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.blocks == nil {
		t.mu.blocks = map[uint64][]byte{}
	}
	first := t.mu.next
	if slices.ContainsFunc(blocks, func(b []byte) bool { return len(b) > statebackend.TierBlockMax }) {
		return 0, failure.Internalf("a block is beyond the bound")
	}
	for _, b := range blocks {
		t.mu.blocks[t.mu.next] = bytes.Clone(b)
		t.mu.next++
	}
	return first, nil
}

// Get implements statebackend.Tier.
func (t *MemoryTier) Get(ids []uint64, visit func(i int, block []byte) error) error {
	for i, id := range ids {
		t.mu.Lock()
		b, ok := t.mu.blocks[id]
		t.mu.Unlock()
		if !ok {
			return failure.Internalf("block %d is not in the tier", id)
		}
		if err := visit(i, bytes.Clone(b)); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements statebackend.Tier.
func (t *MemoryTier) Delete(ids []uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		delete(t.mu.blocks, id)
	}
	return nil
}

// Blocks returns how many blocks have been put, and how many are there.
func (t *MemoryTier) Blocks() (put, there int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.mu.next), len(t.mu.blocks)
}

// Tiered gives every store of a backend that has no budget a tier, so that all rows that
// may leave memory do so at every call.
func Tiered(b statebackend.Backend, tier statebackend.Tier) statebackend.Backend {
	return tieredBackend{b, tier}
}

type tieredBackend struct {
	statebackend.Backend
	tier statebackend.Tier
}

func (b tieredBackend) Open(ctx context.Context, spec statebackend.OpenSpec) (statebackend.Store, error) {
	if spec.Budget == nil {
		spec.Tier = b.tier
	}
	return b.Backend.Open(ctx, spec)
}

// AtHome gives every store of a backend a tier to live in.
func AtHome(b statebackend.Backend, tier statebackend.Tier) statebackend.Backend {
	return homeBackend{b, tier}
}

type homeBackend struct {
	statebackend.Backend
	tier statebackend.Tier
}

func (b homeBackend) Open(ctx context.Context, spec statebackend.OpenSpec) (statebackend.Store, error) {
	if spec.Budget == nil {
		spec.Budget = statebackend.NewBudget(1<<40, "")
	}
	spec.Tier, spec.Home = b.tier, true
	return b.Backend.Open(ctx, spec)
}

// RunTier compares a tier with a map, over random sequences of all that a store does.
func RunTier(t *testing.T, tier statebackend.Tier) {
	r := matrix.Rand(t)
	model := map[uint64][]byte{}
	ids := func(n int) []uint64 {
		var out []uint64
		for id := range model {
			if len(out) == n {
				break
			}
			out = append(out, id)
		}
		return out
	}
	rounds := 60
	if matrix.All() {
		rounds = 600
	}
	for range rounds {
		var blocks [][]byte
		for range r.IntN(40) {
			size := r.IntN(20_000)
			if r.IntN(20) == 0 {
				size = statebackend.TierBlockMax
			}
			b := bytes.Repeat([]byte(fmt.Sprint(r.Uint64(), " ")), size/8+1)
			blocks = append(blocks, b[:size])
		}
		first, err := tier.Put(blocks)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range blocks {
			if _, ok := model[first+uint64(i)]; ok {
				t.Fatalf("number %d was given twice", first+uint64(i))
			}
			model[first+uint64(i)] = bytes.Clone(b)
			clear(b) // the caller's again
		}
		gone := ids(r.IntN(30))
		if err := tier.Delete(gone); err != nil {
			t.Fatal(err)
		}
		for _, id := range gone {
			delete(model, id)
		}
		asked := ids(r.IntN(50))
		seen := 0
		err = tier.Get(asked, func(i int, b []byte) error {
			seen++
			if !bytes.Equal(b, model[asked[i]]) {
				t.Errorf("block %d of %d bytes differs from what was put", asked[i], len(b))
			}
			return nil
		})
		if err != nil || seen != len(asked) {
			t.Fatalf("%d of %d blocks, %v", seen, len(asked), err)
		}
		if len(gone) > 0 {
			if err := tier.Get(gone[:1], func(int, []byte) error { return nil }); err == nil {
				t.Fatal("a deleted block is there")
			}
		}
	}
	if _, err := tier.Put([][]byte{make([]byte, statebackend.TierBlockMax+1)}); err == nil {
		t.Error("a block beyond the bound was taken")
	}
}
