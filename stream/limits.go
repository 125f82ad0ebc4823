package stream

// Bounds of what flows.
const (
	// RowsMax is the largest number of rows of a batch.
	RowsMax = 8192
	// BatchBytesTarget is the size at which a batch is handed on though it has
	// room for rows. A single larger row travels alone.
	BatchBytesTarget = 1 << 20
	// RowBytesMax is the largest row; a larger one is a poison record.
	RowBytesMax = 64 << 20
)
