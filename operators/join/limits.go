package join

const (
	// pairsMax is how many candidates are looked at at once: their slots, and the
	// columns that a condition reads, stay in the L2 cache.
	pairsMax = 2048
	// firstRows is the size of a first batch of rows whose length nobody knows.
	firstRows = 256
	// sweepRows is how many rows of a table are looked at for their age beside each
	// batch, with sweepFactor for each row of the batch.
	sweepRows, sweepFactor = 64, 2

	// lookupRowsMax and lookupBytesMax bound a table in which rows are looked up.
	lookupRowsMax, lookupBytesMax = 1 << 24, 1 << 30
	// timersMax is how many timers leave their table at once.
	timersMax = 256
)
