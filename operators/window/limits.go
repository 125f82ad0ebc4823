package window

const (
	// tileRows is how many rows go through the loops at once: their slots and
	// the lines they touch stay in the L2 cache.
	tileRows = 1024
	// localRows is how many partial rows a Local holds before it lets them go;
	// a tile may add as many again.
	localRows = 4096
	// localBytesMax bounds the keys and values of variable length in a Local.
	localBytesMax = 1 << 20
	// localInputMax bounds how many rows are folded before the partial rows
	// leave, so that partial sums of decimals can't overflow.
	localInputMax = 1 << 19
	// localDecimalDigits is the largest precision of a DECIMAL whose sums a
	// Local makes: localInputMax values of it stay below 10^38.
	localDecimalDigits = 32
	// A Local that folds less than bypassRatio rows into one over trialBatches
	// lets bypassBatches pass untouched.
	bypassRatioNumerator, bypassRatioDenominator = 3, 2
	trialBatches                                 = 8
	bypassBatches                                = 64
	// timeMax bounds the times that have a window, so that no arithmetic
	// overflows: 146 million years either way.
	timeMax = 1 << 62
	// bucketsMax bounds the windows between the first and last of a batch for
	// which rows are dealt out by counting; above, they are sorted.
	bucketsMax = 4096
)
