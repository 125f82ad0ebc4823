package datagen

const (
	// rowsMax bounds row numbers, so that times fit into 64 bits.
	rowsMax = int64(1) << 52
	// SplitsMax bounds the number of splits.
	SplitsMax = 32_768
	// lengthMax bounds texts and lists.
	lengthMax = 1 << 20
	// dueMillisMin is how long a reader waits at least, so that it does not give
	// single rows.
	dueMillisMin = 5
)
