// Package task runs one parallel instance of a vertex: a source or a gate at
// the head, a chain of operators, a sink or outlets at the end.
//
// A Task is a step function over what it owns: Step does a bounded amount of
// work and says whether to call again at once, or when. It starts no goroutine
// and takes no lock but that of its mailbox, so production calls it from one
// goroutine (Run) and a simulator from a seeded loop.
//
// # Order
//
// Rows, watermarks and barriers pass the chain in the order of arrival. The
// task takes the next element only when everything before it has left. A
// barrier that reaches the end freezes the store and prepares the sink in the
// same step in which it is passed on; uploading happens beside processing, and
// the checkpoint is acknowledged when files and committables are safe.
//
// # Carrying over
//
// Files and committables of a checkpoint that is aborted are not lost: the
// chain of files goes on, and committables stay in every later acknowledgement
// until they are known to be committed.
package task
