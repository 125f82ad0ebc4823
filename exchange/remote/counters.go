package remote

import "millrace/internal/metrics"

// Figures returns what the network counts for a registry, by Flink's names where it
// has one.
func (n *Network) Figures() []metrics.Figure {
	k := &n.counters
	count := func(name, help string, of *metrics.Counter) metrics.Figure {
		return metrics.Figure{Name: name, Help: help, Counter: true, Read: of.Load}
	}
	return []metrics.Figure{
		count("numBytesInRemote", "Bytes of frames received from other task managers.", &k.BytesIn),
		count("numBytesOutRemote", "Bytes of frames sent to other task managers.", &k.BytesOut),
		count("numBuffersInRemote", "Frames received from other task managers.", &k.FramesIn),
		count("numBuffersOutRemote", "Frames sent to other task managers.", &k.FramesOut),
		count("numRecordsInRemote", "Rows received from other task managers.", &k.RowsIn),
		count("numRecordsOutRemote", "Rows sent to other task managers.", &k.RowsOut),
		{
			Name: "creditWaitTimeMs", Help: "Time that channels to other task managers were without credit, added up over them.", Counter: true,
			Read: func() int64 { return k.CreditWaitNanos.Load() / 1_000_000 },
		},
		count("numConnectionAttempts", "Connections to other task managers that were tried, the first one of each link included.", &k.Dials),
		count("numStreamsBroken", "Streams from or to other task managers that ended with an error.", &k.Breaks),
		count("numChannelsBroken", "Channels from or to other task managers that were lost.", &k.Broken),
		count("numChannelsRefused", "Channels of other task managers that were refused.", &k.Refused),
		{Name: "numChannels", Help: "Channels that are open at either end, those within the process included.", Read: func() int64 { return int64(n.Channels()) }},
		{Name: "numStreamsIn", Help: "Streams that other task managers have opened.", Read: n.streamsIn},
		{Name: "numStreamsOut", Help: "Streams to other task managers that there are or that are being tried.", Read: n.streamsOut},
	}
}

func (n *Network) streamsIn() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return int64(n.mu.streams)
}

func (n *Network) streamsOut() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return int64(len(n.mu.links))
}

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
	// error, Broken channels that were lost, Refused channels that this process refused.
	Dials, Breaks, Broken, Refused metrics.Counter
}
