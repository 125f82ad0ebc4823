package columnar

import (
	"fmt"

	"millrace/failure"
	"millrace/stream"
)

const (
	arenaShift   = 20 // blocks of 1 MiB
	arenaMin     = 4 << 10
	arenaBig     = 256 << 10 // larger values have a block of their own
	lengthBits   = 28
	arenaBlocks  = 1 << (64 - lengthBits - arenaShift)
	compactBytes = 64 << 10 // dead bytes below which nothing is moved
)

// ref addresses bytes in an arena: block, offset in the block, length. The zero
// ref is the empty string.
type ref = uint64

// arena holds byte strings outside the rows. Bytes that are freed stay dead
// until the owner has moved the living ones out of their blocks (evacuate).
type arena struct {
	mem        *memory
	blocks     [][]byte
	free       []int32 // indexes of blocks without memory
	cur        int32   // the block that is being filled, -1: none
	fill       int     // bytes used of it
	next       int     // size of the next block
	live, dead int64
	evacuating []bool // by block; nil: no evacuation is going on
}

func newArena(m *memory) arena { return arena{mem: m, cur: -1, next: arenaMin} }

func length(r ref) int { return int(r & (1<<lengthBits - 1)) }

func blockOf(r ref) int { return int(r >> (lengthBits + arenaShift)) }

// get returns the bytes of a ref; they alias the arena.
func (a *arena) get(r ref) []byte {
	n := length(r)
	if n == 0 {
		return nil
	}
	off := int(r>>lengthBits) & (1<<arenaShift - 1)
	return a.blocks[blockOf(r)][off : off+n : off+n]
}

// put copies p into the arena. With force the memory bound does not count.
func (a *arena) put(p []byte, force bool) (ref, error) {
	n := len(p)
	if n == 0 {
		return 0, nil
	}
	if n > min(valueBytesMax, stream.RowBytesMax) {
		return 0, failure.Userf("a value of %d bytes is too large for state, at most %d", n, stream.RowBytesMax)
	}
	if n > arenaBig {
		i, err := a.block(n, force)
		if err != nil {
			return 0, err
		}
		copy(a.blocks[i], p)
		a.live += int64(n)
		return ref(i)<<(lengthBits+arenaShift) | ref(n), nil
	}
	if a.cur < 0 || a.fill+n > len(a.blocks[a.cur]) {
		for a.next < n {
			a.next *= 2
		}
		i, err := a.block(a.next, force)
		if err != nil {
			return 0, err
		}
		a.cur, a.fill, a.next = i, 0, min(a.next*2, 1<<arenaShift)
	}
	copy(a.blocks[a.cur][a.fill:], p)
	r := ref(a.cur)<<(lengthBits+arenaShift) | ref(a.fill)<<lengthBits | ref(n)
	a.fill += n
	a.live += int64(n)
	return r, nil
}

// block adds a block of n bytes.
func (a *arena) block(n int, force bool) (int32, error) {
	if len(a.free) == 0 && len(a.blocks) >= arenaBlocks {
		return 0, failure.External(fmt.Errorf("byte values of a namespace need more than %d blocks", arenaBlocks), failure.Never)
	}
	b, err := a.mem.getBytes(n, force)
	if err != nil {
		return 0, err
	}
	if last := len(a.free) - 1; last >= 0 {
		i := a.free[last]
		a.free = a.free[:last]
		a.blocks[i] = b
		return i, nil
	}
	a.blocks = append(a.blocks, b)
	return int32(len(a.blocks) - 1), nil
}

// drop counts the bytes of a ref as dead.
func (a *arena) drop(r ref) {
	n := int64(length(r))
	a.live -= n
	a.dead += n
}

// set replaces the bytes of *r, in place where they fit.
func (a *arena) set(r *ref, p []byte) error {
	if n := len(p); n > 0 && n <= length(*r) {
		freed := int64(length(*r) - n)
		a.live -= freed
		a.dead += freed
		*r = *r&^(1<<lengthBits-1) | ref(n)
		copy(a.get(*r), p)
		return nil
	}
	fresh, err := a.put(p, false)
	if err != nil {
		return err
	}
	a.drop(*r)
	*r = fresh
	return nil
}

// wasteful tells that moving the living bytes would pay.
func (a *arena) wasteful() bool { return a.dead > a.live && a.dead > compactBytes }

// evacuate marks every block there is to be freed. The owner then moves each
// of its refs and ends with evacuated; both may go on at once with changes.
func (a *arena) evacuate() {
	a.evacuating = make([]bool, len(a.blocks))
	for i, b := range a.blocks {
		a.evacuating[i] = b != nil
	}
	a.cur, a.next, a.dead = -1, 1<<arenaShift, 0
}

// move copies bytes that stand in a block to be freed. What it leaves behind
// is not counted as dead: it goes with its block.
func (a *arena) move(r *ref) {
	if i := blockOf(*r); length(*r) == 0 || i >= len(a.evacuating) || !a.evacuating[i] {
		return
	}
	old := *r
	fresh, err := a.put(a.get(old), true)
	if err != nil {
		a.evacuating[blockOf(old)] = false // no block number is left: the old one stays
		return
	}
	a.live -= int64(length(old))
	*r = fresh
}

// evacuated frees the blocks marked by evacuate.
func (a *arena) evacuated() {
	for i, gone := range a.evacuating {
		if gone {
			a.mem.putBytes(a.blocks[i])
			a.blocks[i] = nil
			a.free = append(a.free, int32(i))
		}
	}
	a.evacuating = nil
}

// release gives all memory back; the arena is empty.
func (a *arena) release() {
	for _, b := range a.blocks {
		a.mem.putBytes(b)
	}
	*a = newArena(a.mem)
}
