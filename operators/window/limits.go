package window

const (
	// timeMax bounds the times that have a window, so that no arithmetic
	// overflows: 146 million years either way.
	timeMax = 1 << 62
	// retryMillis is after how long an hour that comes twice is looked at again.
	retryMillis = 1000
	// bucketsMax bounds the windows between the first and last of a batch for
	// which rows are dealt out by counting; above, they are sorted.
	bucketsMax = 4096
)
