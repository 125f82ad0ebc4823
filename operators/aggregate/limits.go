package aggregate

const (
	// TileRows is how many rows go through the loops at once: their slots and
	// the lines they touch stay in the L2 cache.
	TileRows = 1024
	// tableRows is how many rows a Table holds before they have to leave; a tile
	// may add as many again.
	tableRows = 4096
	// tableBytesMax bounds the keys and values of variable length in a Table.
	tableBytesMax = 1 << 20
	// localDecimalDigits is the largest precision of a DECIMAL whose sums a first
	// phase makes: the rows that it folds before they leave, 1<<19, stay below
	// 10^38 with it.
	localDecimalDigits = 32
)
