package json

// Bounds of what a record may look like. The size of a record is bounded by
// stream.RowBytesMax.
const (
	// depthMax is the deepest nesting of objects and arrays, as in Jackson.
	depthMax = 1000
	// orderMax and tokenMax bound what an object's plan remembers of the last
	// record: how many keys, and how long a key.
	orderMax = 512
	tokenMax = 256
	// callBytesMax bounds the payload bytes that one Decode takes in, so that
	// the 32-bit offsets of a column can't overflow.
	callBytesMax = 512 << 20
	// mapScanMax is the largest MAP whose keys are compared pair by pair.
	mapScanMax = 16
)
