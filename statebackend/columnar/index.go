package columnar

const (
	indexBitsMin = 6
	// indexSpare is the room behind the last home: runs of entries end there
	// instead of wrapping around, so that a migration goes in one direction.
	indexSpare = 64
	// migrateEntries is how many old entries move for each key that is asked for.
	migrateEntries = 8
	// sparseBits is up to how many home bits an index is kept half as full: it stands
	// in the caches anyway, and more keys are found at their home.
	sparseBits = 13
	// tombstone is an entry whose key was removed. Its slot is never in use.
	tombstone = 1<<32 - 1
)

// index finds the slot of a hash: a flat array of entries (high 32 bits of the
// hash, slot + 1), probed linearly. The home of a hash is its top bits, hence
// growing reads and writes in order and needs no keys. Growth is incremental:
// while it lasts, a hash whose old home is at or behind the cursor lives in the
// old array, any other in the new one. The cursor rests on empty entries only,
// so no run of entries ever spans it.
//
// Invariant: the last entry of an array is empty; every probe ends there at
// the latest. Entries never move but by migration.
type index struct {
	mem      *memory
	entries  []uint64
	shift    uint
	used     int // entries of both arrays that are not empty; tombstones of the old one don't count
	limit    int // of used
	old      []uint64
	oldShift uint
	cursor   int
}

// limitOf returns how many entries an index of so many home bits may have.
func limitOf(bits uint) int {
	if bits <= sparseBits {
		return 3 << bits / 8
	}
	return 3 << bits / 4
}

// array returns where the run of a hash begins.
func (x *index) array(h uint64) ([]uint64, int) {
	if x.old != nil {
		if p := int(h >> x.oldShift); p >= x.cursor {
			return x.old, p
		}
	}
	return x.entries, int(h >> x.shift)
}

// first reads the first entry of each hash's run. The loads are independent, so
// that the cache misses overlap.
func (x *index) first(hashes, out []uint64) {
	out = out[:len(hashes)]
	if x.old != nil {
		for i, h := range hashes {
			a, p := x.array(h)
			out[i] = a[p]
		}
		return
	}
	entries, shift := x.entries, x.shift
	for i, h := range hashes {
		out[i] = entries[h>>shift]
	}
}

// reserve makes an empty index ready for n keys.
func (x *index) reserve(n int) error {
	bits := uint(indexBitsMin)
	for limitOf(bits) < n {
		bits++
	}
	if x.entries != nil && 64-x.shift >= bits {
		return nil
	}
	if x.used > 0 {
		return nil // it grows on its own
	}
	fresh, err := x.mem.getZeroed(1<<bits + indexSpare)
	if err != nil {
		return err
	}
	if x.entries != nil {
		x.mem.putZeroed(x.entries)
	}
	x.entries, x.shift, x.limit = fresh, 64-bits, limitOf(bits)
	return nil
}

// insert adds a hash that is not there. live is the number of keys there are.
func (x *index) insert(h uint64, s int32, live int) error {
	if x.used >= x.limit {
		if err := x.grow(live); err != nil {
			return err
		}
	}
	a, p := x.array(h)
	x.place(a, p, h&^(1<<32-1)|uint64(uint32(s)+1))
	x.used++
	return nil
}

// place puts an entry at the end of the run that goes through p.
func (x *index) place(a []uint64, p int, entry uint64) {
	for a[p] != 0 {
		p++
	}
	a[p] = entry
	if p == len(a)-1 {
		x.extend(a)
	}
}

// extend restores the empty last entry of an array whose last run filled the
// spare room. With a good hash it never happens.
func (x *index) extend(a []uint64) {
	longer := make([]uint64, len(a)+len(a)/8+indexSpare)
	copy(longer, a)
	x.mem.account(int64(len(longer)-len(a)) * 8)
	if &a[0] == &x.entries[0] {
		x.entries = longer
	} else {
		x.old = longer
	}
}

// grow starts a migration into an array of twice the homes, or of as many where
// tombstones are what filled it.
func (x *index) grow(live int) error {
	x.migrate(len(x.old))
	bits := 64 - x.shift
	if live > x.limit/2 {
		bits++
	}
	fresh, err := x.mem.getZeroed(1<<bits + indexSpare)
	if err != nil {
		return err
	}
	x.old, x.oldShift, x.cursor = x.entries, x.shift, 0
	x.entries, x.shift, x.limit = fresh, 64-bits, limitOf(bits)
	x.used = live
	x.migrate(migrateEntries)
	return nil
}

// migrate moves the next n entries and those behind them up to an empty one,
// and leaves zeros behind.
func (x *index) migrate(n int) {
	if x.old == nil {
		return
	}
	end, p := x.cursor+n, x.cursor
	for p < len(x.old) && (p < end || x.old[p] != 0) {
		if v := x.old[p]; v != 0 {
			if v != tombstone {
				x.place(x.entries, int(v>>x.shift), v)
			}
			x.old[p] = 0
		}
		p++
	}
	x.cursor = p
	if p == len(x.old) {
		x.mem.putZeroed(x.old)
		x.old = nil
	}
}

// remove takes out the entry of a slot under its hash.
func (x *index) remove(h uint64, s int32) {
	a, p := x.array(h)
	for want := h&^(1<<32-1) | uint64(uint32(s)+1); a[p] != want; {
		if a[p] == 0 {
			return
		}
		p++
	}
	inOld := x.old != nil && &a[0] == &x.old[0]
	if a[p+1] == 0 { // nobody probes past it
		a[p] = 0
		x.used--
		return
	}
	a[p] = tombstone
	if inOld {
		x.used--
	}
}

// release gives the memory back; the index is empty.
func (x *index) release() {
	if x.old != nil {
		clear(x.old[x.cursor:])
		x.mem.putZeroed(x.old)
	}
	if x.entries != nil {
		clear(x.entries)
		x.mem.putZeroed(x.entries)
	}
	*x = index{mem: x.mem}
}
