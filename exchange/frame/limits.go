package frame

import "millrace/stream"

// Bounds of a frame.
const (
	// pieceBytes is about the size of the frames into which a large batch is cut,
	// and CutBytes what is large.
	pieceBytes = 1 << 20
	CutBytes   = 4 << 20
	// BodyBytesMax bounds a frame's body: the largest row, and what its vectors
	// need around it.
	BodyBytesMax = stream.RowBytesMax + 16<<20
	// rowsMax bounds the rows of a frame.
	rowsMax = 8 * stream.RowsMax
	// partsMax bounds the vectors and the buffers of a frame, nested ones included.
	partsMax = 1 << 16
)
