package nexmark

const (
	// eventsMax bounds event numbers, so that times fit into 64 bits.
	eventsMax = int64(1) << 52
	// SplitsMax bounds the number of splits.
	SplitsMax = 32_768
	// PreparedBatchesMax bounds the batches that a split keeps.
	PreparedBatchesMax = 4_096
	// scanMax bounds the events that one Read looks at, where few are of the
	// wanted type.
	scanMax = 1 << 18
	// dueMillisMin is how long a rate-limited reader waits at least, so that it
	// does not give single rows.
	dueMillisMin = 5
)
