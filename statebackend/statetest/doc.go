// Package statetest is the conformance suite of state backends. Run drives a
// backend through random sequences of everything that a job does to its
// state (change, freeze, complete or abort, crash, restore at another
// parallelism, merge) and compares it with plain Go maps; further cases
// check files, bounds and declarations one by one.
//
// The suite knows only the contract. A faulty twin of a backend runs it too,
// with a plan that never fires.
package statetest
