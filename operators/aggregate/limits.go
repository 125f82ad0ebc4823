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
	// sweepRows is how many rows of state are looked at for their age with each batch.
	sweepRows = 256
	// A Local that folds less than bypassRatio rows into one over trialBatches
	// lets bypassBatches pass untouched.
	bypassRatioNumerator, bypassRatioDenominator = 3, 2
	trialBatches                                 = 8
	bypassBatches                                = 64
)
