// Package blobstore is the contract of the store that keeps what must outlive every process: job graphs, checkpoint
// chunks, manifests, savepoints.
//
// # The consistency it needs
//
// Three things, no more. Create is a linearizable create-if-absent: of any number of creators of one key, whatever
// process they run in, at most one is answered with success. An object is durable when its Create returns, and visible
// whole or not at all, before and after a crash. A Read that begins after a Create returned sees that object
// (read-after-write). There is no overwrite, no rename and no append: a key that was created keeps its bytes until it
// is deleted, and keys are built so that none is created twice with different meanings (paths.go). List may lag behind:
// nobody may conclude from a missing entry that an object does not exist.
//
// # What callers must know
//
// The create is the fence. A store that lets two creates of one key through breaks checkpoints without a sound, so
// every process calls Probe before it trusts a store. An error of Create or Delete that is not one of the definite ones
// (ErrExists, ErrBadKey, ErrTooLarge, ErrNotFound) leaves the outcome open: the object may be there. Whoever tries
// again may then meet its own success; CreateOrVerify and WithRetry read back and compare. This is why content that
// claims something names the writer in its bytes or its key.
//
// Stores check no content: a reader knows the checksum from whoever referred it to the object, and verifies it.
//
// # Rooms
//
// paths.go builds and parses every key. memory, localfs and s3 are stores; fault wraps a store and fails by plan; blobtest is
// the conformance suite that each of them passes. WithRetry gives any store deadlines, back-off and a retry budget.
// This package starts no goroutine that outlives a call.
package blobstore
