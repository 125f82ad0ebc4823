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
	// overdraftBytes is how far a channel may be overdrawn for the sake of a barrier.
	overdraftBytes = DefaultCreditBytes
	// InFlightBytesMax bounds what is recorded of a gate's channels for one checkpoint:
	// beyond it the checkpoint is declined.
	InFlightBytesMax = 256 << 20
	// ChannelsMax bounds the channels of one outlet or gate.
	ChannelsMax = 1 << 15
)
