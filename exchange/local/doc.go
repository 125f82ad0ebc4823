// Package local has the channels between tasks of one process: rings that hand
// batches over without copying them.
//
// One Network serves every task manager of the process. It matches the two ends
// of a channel by name, whichever opens first; a ring is a mutex around a queue.
// A lock-free ring was measured and is not faster at these sizes
// (docs/design/0001-task-loop-and-state.md). The package starts no goroutine:
// everything happens in the caller's, and wake-ups are calls of the other end's
// Waker, made without holding a lock.
//
// It is not for tasks of different processes, and it knows no checkpoint: what a
// barrier means is the gate's affair.
//
// Lock order: Network before ring.
package local
