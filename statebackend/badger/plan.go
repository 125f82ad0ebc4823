package badger

// plan is the sizes of a database. They follow from the memtable's.
type plan struct{ memtable int64 }

func planOf(managed int64) plan {
	const step = 1 << 20
	return plan{memtable: min(max(managed/memtableShare/step*step, memtableMin), memtableMax)}
}

func (p plan) table() int64      { return p.memtable / 2 }
func (p plan) indexCache() int64 { return p.memtable }

// flush is about how much a write batch holds.
func (p plan) flush() int64 { return p.memtable / 4 }

// bytes adds up: memtables, one more that is being flushed, the index cache, a
// table under construction and its bytes for each compactor, a flush and its copy, and
// the tables that wait to be written.
func (p plan) bytes() int64 {
	return (memtables+1)*p.memtable + p.indexCache() + compactors*2*p.table() + 2*p.flush() + builders*p.memtable
}

// ManagedMin is the least memory for state that has room for a database.
const ManagedMin = ((memtables+1)*memtableMin + memtableMin + compactors*memtableMin + memtableMin/2 + builders*memtableMin) * 10 / planTenths

// PlanMemory returns what a database takes of so many bytes of memory for state, which
// must be kept for it: a seventeenth, 58 to 232 MiB. It is 0 where the
// memory is too little for a tier to be of use.
func PlanMemory(managed int64) int64 {
	if p := planOf(managed).bytes(); p <= managed/10*planTenths {
		return p
	}
	return 0
}
