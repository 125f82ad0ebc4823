package types

import "fmt"

// KeyGroup is the unit in which keyed state moves: a key belongs to one of
// max-parallelism groups for ever.
type KeyGroup uint16

// DefaultMaxParallelism and MaxMaxParallelism bound the number of key groups.
const (
	DefaultMaxParallelism = 128
	MaxMaxParallelism     = 32768
)

// KeyGroupOf returns the group of a key's hash: the lower 32 bits scaled to
// max-parallelism. Hash tables use the upper bits, so that the keys of one
// group still spread over a whole table.
func KeyGroupOf(hash uint64, maxParallelism int) KeyGroup {
	return KeyGroup(uint64(uint32(hash)) * uint64(maxParallelism) >> 32)
}

// KeyGroupRange is an inclusive range of groups. The zero value is group 0 alone.
type KeyGroupRange struct {
	First, Last KeyGroup
}

// KeyGroupRangeOf returns the groups that subtask owns at a parallelism.
// Requires 0 <= subtask < parallelism <= maxParallelism. The formula is Flink's
// (KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex).
func KeyGroupRangeOf(subtask, parallelism, maxParallelism int) KeyGroupRange {
	first := (subtask*maxParallelism + parallelism - 1) / parallelism
	last := ((subtask+1)*maxParallelism - 1) / parallelism
	return KeyGroupRange{KeyGroup(first), KeyGroup(last)}
}

// SubtaskOf returns the subtask that owns a group at a parallelism.
func SubtaskOf(g KeyGroup, parallelism, maxParallelism int) int {
	return int(g) * parallelism / maxParallelism
}

// AllKeyGroups returns the range of every group.
func AllKeyGroups(maxParallelism int) KeyGroupRange {
	return KeyGroupRange{0, KeyGroup(maxParallelism - 1)}
}

// Contains tells whether the group lies in the range.
func (r KeyGroupRange) Contains(g KeyGroup) bool { return r.First <= g && g <= r.Last }

// Overlaps tells whether the ranges share a group.
func (r KeyGroupRange) Overlaps(o KeyGroupRange) bool { return r.First <= o.Last && o.First <= r.Last }

// Len returns the number of groups.
func (r KeyGroupRange) Len() int { return int(r.Last) - int(r.First) + 1 }

// String prints the range as [first,last].
func (r KeyGroupRange) String() string { return fmt.Sprintf("[%d,%d]", r.First, r.Last) }
