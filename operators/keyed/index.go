package keyed

import "millrace/statebackend"

// index finds the group of a slot among those of a batch.
type index struct {
	entries []uint64 // slot + 1 in the upper half, the group in the lower
}

func (x *index) reset() {
	if x.entries == nil {
		x.entries = make([]uint64, 1<<indexBits)
		return
	}
	clear(x.entries)
}

// of returns the group of a slot: next, which becomes it, where it has none.
func (x *index) of(s statebackend.Slot, next int32) int32 {
	tag := uint64(s+1) << 32
	for at := uint64(s+1) * 0x9e3779b97f4a7c15 >> (64 - indexBits); ; at = (at + 1) & (1<<indexBits - 1) {
		switch e := x.entries[at]; {
		case e == 0:
			x.entries[at] = tag | uint64(next)
			return next
		case e>>32<<32 == tag:
			return int32(uint32(e))
		}
	}
}
