// Package align is what a gate knows of the order between its channels: when a
// barrier has come on every channel, and what event time all channels together
// have reached. Both are pure: no goroutine, no clock, no memory of rows.
//
// A barrier that waits too long may overtake. When that is, the caller decides; here
// stands what belongs to its checkpoint then: on each channel what had been taken
// before, which is in the state, and what is recorded from there to the barrier.
//
// The caller numbers its channels from 0, tells what came on which, in the order
// in which it took it, and acts on the answer. It owes two things: it takes
// nothing from a channel while Aligner.Blocked says so, and it reports an end of
// a channel once to each.
package align
