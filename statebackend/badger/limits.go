package badger

const (
	memtableBytes   = 16 << 20
	memtables       = 2
	tableBytes      = 8 << 20
	indexCacheBytes = 16 << 20
	valueLogBytes   = 16 << 20
	compactors      = 2
	// levelZero is how many flushed memtables wait to be merged, which touches all
	// of them at once; at levelZeroStall writers wait.
	levelZero      = 2
	levelZeroStall = 6
	// flushBytes is about how much a write batch holds.
	flushBytes = 4 << 20
	// residentMax is how much of the mapped files may be resident before Trim.
	residentMax = 64 << 20
	// trimEvery is how many bytes are written or read between two looks at it.
	trimEvery = 4 << 20
	// freeShare is the part of the disk that stays free.
	freeShare = 10
)

// PlanBytes is the memory of a database: memtables, one more that is being
// flushed, the index cache, a table under construction for each compactor, a flush.
const PlanBytes = (memtables+1)*memtableBytes + indexCacheBytes + compactors*2*tableBytes + 2*flushBytes
