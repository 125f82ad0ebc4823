package inflight

import "millrace/exchange"

const (
	// ObjectBytesMax bounds an object: what a gate records, with room for frames that
	// are larger than their batches.
	ObjectBytesMax = 2 * exchange.InFlightBytesMax
	// schemaBytesMax bounds the schema of a channel's rows.
	schemaBytesMax = 16 << 20
)
