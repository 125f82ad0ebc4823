// Package statebackend is the contract of state: the shapes in which operators
// keep it, and how what changed leaves a task at a barrier and comes back at a
// restore. Implementations are sub-folders (columnar, ...), named by wiring only.
//
// # Shapes
//
// Value (a row of columns a key), Timers, List (operator state that is not
// keyed), Multimap (rows in the order of arrival a key), OrderedMap (rows in the
// order of a sort key a key), Broadcast (the same on every task). A backend that
// lacks one answers ErrShape when the table is declared, before any row flows.
//
// Access is by batch: an operator hands over the keys of a whole batch and gets
// slots, then works on columns by slot in typed loops. Nothing here costs an
// interface call a row.
//
// # Life of a change
//
// A table marks what changed since the last barrier. Freeze copies exactly that
// into reused memory and returns at once; its cost is proportional to what
// changed. Sorting the frozen part by key group and writing it out
// (Snapshot.Write) happens beside processing, on another goroutine. A delta applied to what it
// follows gives the state at its barrier; Merge folds a chain of files into one.
//
// # Columns that change
//
// A restored table has the columns that it was written with, and a declaration names those that it is to have. Where the
// spec does not say Evolves they are the same, or the declaration is refused. Where it does, Origins says which
// becomes which; the table has the declared columns when the declaration returns, with every row. Evolved tells
// of it, so that a job's submit can say so before the job runs.
//
// # Ownership and concurrency
//
// A Store and its tables belong to the task's goroutine. A Snapshot belongs to
// whoever took it and may be used by one other goroutine. Slices that a table
// returns are valid until the next call that may grow or shrink it.
package statebackend
