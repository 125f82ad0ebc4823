// Package check wraps an operator in a watcher of the contract: batches that
// fit their schema, bounds on rows, event time that goes forward, the order of
// calls, no output without input, legal row kinds, and no window told again
// behind a watermark that has closed it. Invariant builds wrap every operator
// of a task; tests always do.
//
// It watches both sides: a task that calls Process before it drained is found
// like an operator that emits twice. What it finds is a bug and goes through
// package invariant. It looks at every row, so it is not for production.
package check
