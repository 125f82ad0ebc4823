// Package stream is what flows: batches of column vectors in pooled buffers,
// watermarks and barriers between them, and the canonical form and hash of
// keys.
//
// # Ownership
//
// Memory is reference counted. Whoever is given a batch owns one reference and
// ends it with Release; whoever borrows one (every operator borrows its input
// for the time of the call) and wants to keep it calls Retain. A vector may
// stand in several batches; each holds a reference to its buffers. Released
// buffers are reused at once; in builds with the tag invariants they are
// overwritten first, so that a use after release shows.
//
// # Concurrency
//
// A batch and its vectors are immutable once they were handed on, and may then
// be read by any number of goroutines. Retain and Release are safe from any
// goroutine. Building is for one goroutine.
//
// The memory layout is Arrow's (flat, dictionary; and a constant encoding of
// our own), so that files and frames carry buffers as they are. arrow-go itself
// appears at the edges only: wrapping a batch costs allocations.
package stream
