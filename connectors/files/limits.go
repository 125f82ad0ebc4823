package files

import "millrace/stream"

const (
	// FilesMax bounds the files of a source.
	FilesMax = 100_000
	// chunkBytes is what is read of a file before the next one has its turn.
	chunkBytes = 1 << 20
	// lineBytesMax is the longest line.
	lineBytesMax = stream.RowBytesMax
	// chunksAhead bounds the pieces that a reader has not decoded yet.
	chunksAhead = 4
	// queuedBytesMax bounds what a writer has encoded and not written.
	queuedBytesMax = 8 << 20
	// pieceBytes is the size at which encoded rows are handed on.
	pieceBytes = 256 << 10
	// jobsMax bounds a writer's queue in pieces and seals. Rows are refused at
	// half of it, so that there is always room for seals.
	jobsMax = 256
	// nameBytesMax bounds a part of a file name; longer ones are cut and hashed.
	nameBytesMax = 60
)
