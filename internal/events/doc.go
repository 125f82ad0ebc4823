// Package events is how a shell tells what happened, once, to everybody who listens: the log, the metrics, the stream
// that a client watches, a golden test.
//
// A Listener is a struct of functions, one a kind of event. A function that is nil does not listen; EnsureDefaults
// fills the nil ones, so that a teller calls without asking. Tee joins listeners. Every kind has an Info type: plain data,
// complete without context, whose String is one line that reads aloud.
//
//	l := events.Tee(events.Log(logger), recorder).EnsureDefaults()
//	l.CheckpointCompleted(events.CheckpointCompletedInfo{Job: id, Checkpoint: 7, Duration: d, Bytes: n})
//
// To add a kind: an Info type with String and Attrs in the file of its room, a field in Listener, and one line in each
// of EnsureDefaults, Tee and Log; the test in this package fails until all three know the field.
//
// Listeners are called on the goroutine of the teller, in the order of the events, and must be quick: no I/O that may
// wait, no call back into the teller. They are safe for concurrent use if their functions are.
//
// Events are for state that changed, never for a batch. Pure cores call no listener: their effects say what happened and the
// shell tells.
package events
