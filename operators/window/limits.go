package window

const (
	// localInputMax bounds how many rows are folded before the partial rows
	// leave, so that partial sums of decimals can't overflow.
	localInputMax = 1 << 19
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
