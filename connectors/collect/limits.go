package collect

import "time"

const (
	// partBytes is the size of the rows at which a part is uploaded.
	partBytes = 4 << 20
	// queuedBytesMax bounds the rows that a writer has taken and not encoded, and with
	// that, beside one part, what waits to be uploaded.
	queuedBytesMax = 16 << 20
	// jobsMax bounds a writer's queue in batches and barriers. Rows are refused at half
	// of it, so that there is always room for barriers.
	jobsMax = 1024
	// keptBytesMax and keptPartsMax bound what waits in the store: a job whose results
	// nobody fetches fails there.
	keptBytesMax = 1 << 30
	keptPartsMax = 100_000
	// retryMin and retryMax bound the wait between tries while the store is away.
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)
