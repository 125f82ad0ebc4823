package statebackend

import "sync/atomic"

// Tier holds blocks of state for which there is no room in memory: opaque bytes under
// numbers. It is scratch: nothing in it outlives the process, and a job goes on from a
// checkpoint, never from a tier. It is safe for concurrent use.
type Tier interface {
	// Put stores blocks, each of at most TierBlockMax bytes, as one flush, under
	// the numbers from first on. Where the disk is too full it stores nothing and says
	// DISK_PRESSURE. The bytes are the caller's again when it returns.
	Put(blocks [][]byte) (first uint64, err error)
	// Get reads blocks and hands each to visit with its position in ids; the
	// bytes are valid until visit returns. A block that is not what was put is an error.
	Get(ids []uint64, visit func(i int, block []byte) error) error
	// Delete forgets blocks.
	Delete(ids []uint64) error
}

// TierBlockMax bounds one block of a Tier.
const TierBlockMax = 512 << 10

// TierCounts counts what stores do with a Tier. Stores may share one.
type TierCounts struct {
	Away    atomic.Int64 // rows that are in the tier, not in memory
	Evicted atomic.Int64 // rows that left memory
	Back    atomic.Int64 // rows that came back
	Misses  atomic.Int64 // keys that were looked for in blocks
}
