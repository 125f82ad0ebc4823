// Package inflight is the object that an unaligned checkpoint stores for a task: what
// the barrier overtook in the task's input channels. Its layout stands in
// docs/design/0009-unaligned-checkpoints.md; elements lie in it as the frames in which
// they travel (package frame), by channel and sequence.
//
// Write makes the object, Open takes it apart again. Bytes are never trusted: Open
// checks the checksum and every length before it takes memory, and what a frame says is
// checked when its channel is read. What is not what was written is ErrCorrupt.
//
// The package does not know where objects lie, and it deals nothing out: which rows are
// for which task is exchange.Reroute's affair.
package inflight
