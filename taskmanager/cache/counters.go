package cache

import "millrace/internal/metrics"

// Counters count what a cache did. They only grow, a file at a time.
type Counters struct {
	// Hits were read here, Misses were not; Damaged are those of the misses whose file
	// could not be used.
	Hits, Misses, Damaged metrics.Counter
	// Written were kept, Dropped could not be, Evicted made room.
	Written, Dropped, Evicted metrics.Counter
	BytesRead, BytesWritten   metrics.Counter
}

// Counters returns what the cache counts.
func (c *Cache) Counters() *Counters { return &c.counters }

// Figures returns the cache's figures for a registry.
func (c *Cache) Figures() []metrics.Figure {
	k := &c.counters
	count := func(name, help string, of *metrics.Counter) metrics.Figure {
		return metrics.Figure{Name: "localRecovery_" + name, Help: help, Counter: true, Read: of.Load}
	}
	return []metrics.Figure{
		count("numHits", "State files that a restore or a merge read from local disk.", &k.Hits),
		count("numMisses", "State files that had to be read from the checkpoint store.", &k.Misses),
		count("numDamaged", "Misses because of a local file that could not be read or was not what was written.", &k.Damaged),
		count("numFilesWritten", "State files kept on local disk.", &k.Written),
		count("numFilesDropped", "State files that could not be kept on local disk.", &k.Dropped),
		count("numFilesEvicted", "State files deleted from local disk to make room.", &k.Evicted),
		count("numBytesRead", "Bytes of state read from local disk.", &k.BytesRead),
		count("numBytesWritten", "Bytes of state written to local disk.", &k.BytesWritten),
		{Name: "localRecovery_bytesUsed", Help: "Bytes of state on local disk.", Read: c.Bytes},
	}
}
