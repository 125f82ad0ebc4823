package badger

import "time"

const (
	// memtableMin and memtableMax bound the memtable; everything else follows from
	// it. Badger refuses values of more than 15 % of one.
	memtableMin = 4 << 20
	memtableMax = 16 << 20
	// memtableShare of the memory for state is one memtable.
	memtableShare = 256
	// planTenths of the memory for state must hold the plan, or there is no tier.
	planTenths = 8

	memtables  = 2
	compactors = 2 // the fewest that Badger takes
	// builders is how many tables wait with their bytes until they stand in a file. Badger keeps up to eight such
	// buffers for reuse, which grow by doubling to up to three memtables each; as much as this was seen to be in use.
	builders = 8
	// valueThreshold keeps every value in the tree: it is beyond a block of the largest
	// size with its header, and below 15 % of the smallest memtable.
	valueThreshold = 600 << 10
	valueLogBytes  = 16 << 20
	// levelZero is how many flushed memtables wait to be merged, which touches all
	// of them at once; at levelZeroStall writers wait.
	levelZero      = 2
	levelZeroStall = 6

	// residentMax is how much of mapped files may be resident before the kernel is asked
	// to take pages back, watchEvery how often that is looked at. A compaction touches about
	// 100 MB a second.
	residentMax = 48 << 20
	watchEvery  = 20 * time.Millisecond

	// freeShare is the part of the disk that stays free.
	freeShare = 10
	// levelsEvery is how many bytes are written between two looks at what the files take.
	levelsEvery = 16 << 20
)
