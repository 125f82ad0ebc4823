package badger

import "millrace/internal/metrics"

// counters are what a tier counts.
type counters struct {
	blocksWritten, blocksRead, blocksDeleted metrics.Counter
	bytesWritten, bytesRead                  metrics.Counter
}

// Figures returns what the tier publishes.
func (t *Tier) Figures() []metrics.Figure {
	count := func(name, help string, of *metrics.Counter) metrics.Figure {
		return metrics.Figure{Name: "stateTier_" + name, Help: help, Counter: true, Read: of.Load}
	}
	return []metrics.Figure{
		count("numBlocksWritten", "Blocks of rows written to the tier.", &t.count.blocksWritten),
		count("numBlocksRead", "Blocks read from the tier.", &t.count.blocksRead),
		count("numBlocksDeleted", "Blocks deleted from the tier.", &t.count.blocksDeleted),
		count("numBytesWritten", "Bytes written to the tier.", &t.count.bytesWritten),
		count("numBytesRead", "Bytes read from the tier.", &t.count.bytesRead),
		{Name: "stateTier_bytesUsed", Help: "About what the tier's files take on disk.", Read: func() int64 { return t.size(0) }},
		{Name: "stateTier_diskPressure", Help: "1 while the tier takes no rows because its disk is too full (DISK_PRESSURE), else 0.", Read: t.pressed},
	}
}

func (t *Tier) pressed() int64 {
	if t.Trouble() == "" {
		return 0
	}
	return 1
}
