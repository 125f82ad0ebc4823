package remote

import "millrace/internal/metrics"

// Counters count what goes between this process and others, for whoever observes
// them. They only grow, a frame or less often at a time.
type Counters struct {
	// Frames and their bytes, control included, of every link and stream.
	FramesOut, FramesIn, BytesOut, BytesIn metrics.Counter
	// RowsOut and RowsIn count rows as they travel: selected ones.
	RowsOut, RowsIn metrics.Counter
	// CreditWaitNanos is for how long senders had no credit, added up over channels.
	CreditWaitNanos metrics.Counter
	// Dials counts connections that were tried, Breaks streams that ended with an
	// error, Refused channels that this process refused.
	Dials, Breaks, Refused metrics.Counter
}
