// Package frame is how elements of a channel become bytes: the layout of a frame
// (docs/design/0003-exchange-remote.md), in which batches travel between processes
// and lie in the channel state of an unaligned checkpoint.
//
// A Compactor brings a batch into the shape that fits, Parts lists its buffers, a
// Header describes them, a Decoder makes a batch of the bytes again. The package
// knows no channel and no store: it neither sends nor keeps anything. Bytes are
// never trusted: a Header that Parse has returned fits its frame and the limits, and
// a Decoder checks whatever a kernel relies on without asking.
package frame
