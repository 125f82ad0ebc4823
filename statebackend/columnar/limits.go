package columnar

const (
	// slotsMax bounds the rows of a namespace.
	slotsMax = 1 << 30
	// tileRows is how many keys are probed at a time: their rows still stand in
	// the L2 cache when the operator's loops come to them.
	tileRows = 1024
	// poolBytesMax bounds the memory that a store keeps for reuse.
	poolBytesMax = 256 << 20
	// valueBytesMax bounds one value or key in an arena.
	valueBytesMax = 1<<lengthBits - 1

	// sequenceMax is the largest number of a multimap's row that is read.
	sequenceMax = 1 << 62

	// sectionRowsMax and sectionBytesTarget end a section of a file. A row
	// larger than the target has a section of its own.
	sectionRowsMax     = 64 << 10
	sectionBytesTarget = 8 << 20
	// sectionBytesMax is the largest section that is written or read.
	sectionBytesMax = 1 << 30
	// descriptionBytesMax bounds the header and the footer of a file.
	descriptionBytesMax = 64 << 20
	// tablesMax and columnsMax bound what a file may declare.
	tablesMax  = 4096
	columnsMax = 2048
	// chainMax bounds the files of a chain, chainsMax the chains of a restore.
	chainMax  = 10_000
	chainsMax = 32_768
	// mergeBytesTarget is about how much state a merge holds at a time.
	mergeBytesTarget = 256 << 20
)
