package statebackend

// Tier holds blocks of state for which there is no room in memory: opaque bytes under
// numbers. It is scratch. Nothing in it outlives the process, no checkpoint is
// read out of it but the base that a rescaled or restored store writes, and what
// it holds can always be restored from a checkpoint. It is safe for concurrent use.
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
