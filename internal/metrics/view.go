package metrics

import "sync"

// viewMillis is the least time over which a rate is taken. Two readers share a view, hence each may see a rate that is
// this much old.
const viewMillis = 1000

// rate is a figure a second, derived from a counter.
type rate struct {
	name string
	help string
	read func(*Task) int64
	// per is how many of the counter make one of the rate: nanoseconds are shown as milliseconds.
	per int64
}

var rates = []rate{
	{NumRecordsInPerSecond, "Rows received a second.", func(t *Task) int64 { return t.RecordsIn.Load() }, 1},
	{NumRecordsOutPerSecond, "Rows emitted a second.", func(t *Task) int64 { return t.RecordsOut.Load() }, 1},
	{NumBytesInPerSecond, "Bytes received a second.", func(t *Task) int64 { return t.BytesIn.Load() }, 1},
	{NumBytesOutPerSecond, "Bytes emitted a second.", func(t *Task) int64 { return t.BytesOut.Load() }, 1},
	{BusyTimeMsPerSecond, "Milliseconds a second spent working.", func(t *Task) int64 { return t.BusyNanos.Load() }, 1_000_000},
	{IdleTimeMsPerSecond, "Milliseconds a second spent without input.", func(t *Task) int64 { return t.IdleNanos.Load() }, 1_000_000},
	{BackPressuredTimeMsPerSecond, "Milliseconds a second spent without credit.", func(t *Task) int64 { return t.BackPressuredNanos.Load() }, 1_000_000},
}

// view holds a task's rates since it was last looked at.
type view struct {
	mu struct {
		sync.Mutex
		at     int64 // processing time of counts
		counts [7]int64
		rates  [7]int64
	}
}

// rates returns the rates up to now, or up to at most viewMillis ago.
func (t *Task) rates(now int64) [7]int64 {
	v := &t.view
	v.mu.Lock()
	defer v.mu.Unlock()
	elapsed := now - v.mu.at
	if elapsed < viewMillis {
		return v.mu.rates
	}
	for i, r := range rates {
		count := r.read(t)
		v.mu.rates[i] = (count - v.mu.counts[i]) * 1000 / r.per / elapsed
		v.mu.counts[i] = count
	}
	v.mu.at = now
	return v.mu.rates
}
