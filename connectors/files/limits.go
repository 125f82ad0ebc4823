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
	// encodedBytesMax bounds what a writer has encoded for all directories and not handed on.
	encodedBytesMax = 16 << 20
	// partsMax bounds the directories of a task's epoch.
	partsMax = 4096
	// openMax bounds the files that a writer has open.
	openMax = 128
	// stagedMax bounds the files of a task's epoch: all of them are in one committable.
	stagedMax = 16384
	// keysMax bounds the columns by which a table is partitioned.
	keysMax = 16
	// directoryBytesMax is the longest name of a directory: that of most file systems.
	directoryBytesMax = 255
	// nameBytesMax bounds a part of a file name; longer ones are cut and hashed.
	nameBytesMax = 60
)
