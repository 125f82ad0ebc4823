package upload

import "time"

const (
	// InlineBytesMax is the largest file that travels in the manifest.
	InlineBytesMax = 4 << 10
	// queueMax is how many snapshots may wait; a task has fewer under way.
	queueMax = 8
	// chainFilesMax is how many files a chain may have before it is merged, and
	// so, with those written while the merge runs, about how many a restore reads.
	chainFilesMax = 10
	// spoolBytesMax is what a file may take of memory before it goes to disk.
	spoolBytesMax = 16 << 20
	// readBytes is how much of an object is read at a time.
	readBytes = 4 << 20
)

// While the blob store is away, an upload is tried again at these intervals.
const (
	retryMin = 200 * time.Millisecond
	retryMax = 10 * time.Second
)
