package taskmanager

import (
	"sync/atomic"

	"millrace/internal/metrics"
)

// tierTrouble says what keeps state from leaving memory, "" when nothing does.
func (m *TaskManager) tierTrouble() string {
	if m.Tier == nil {
		return ""
	}
	return m.Tier.Trouble()
}

// Figures returns what the task manager counts beside its tasks.
func (m *TaskManager) Figures() []metrics.Figure {
	if m.Tier == nil {
		return nil
	}
	c := &m.tierCounts
	figure := func(name, help string, counter bool, of *atomic.Int64) metrics.Figure {
		return metrics.Figure{Name: "stateTier_" + name, Help: help, Counter: counter, Read: of.Load}
	}
	return []metrics.Figure{
		figure("rowsAway", "Rows of state that are on disk and not in memory.", false, &c.Away),
		figure("numRowsEvicted", "Rows of state that left memory.", true, &c.Evicted),
		figure("numRowsReadBack", "Rows of state that came back into memory.", true, &c.Back),
		figure("numMisses", "Keys that were looked for on disk. Some are not there: a directory in memory knows 32 bits of each.", true, &c.Misses),
	}
}
