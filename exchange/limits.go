package exchange

import "millrace/stream"

// Bounds and defaults of what lies between tasks.
const (
	// DefaultCreditBytes is the credit of a channel where nothing else is said.
	DefaultCreditBytes = 4 << 20
	// ShareRowsMin is the least rows of a batch that travel to one channel as a
	// selection of the whole batch; fewer are copied and held back.
	ShareRowsMin = 512
	// HoldRows is how many rows held back for a channel are worth sending.
	HoldRows = 1024
	// HoldBytes is how many bytes held back for a channel are worth sending.
	HoldBytes = stream.BatchBytesTarget
	// ChannelsMax bounds the channels of one outlet or gate.
	ChannelsMax = 1 << 15
)
