// Package aggregate knows what an aggregate function keeps of rows, how rows are
// folded into it, and how it becomes columns.
//
// # Columns, not rows
//
// A Plan is made once from the calls: which words of a table's row are whose
// accumulator, which typed loop feeds it, which emitter shows it. A Folder takes
// a tile of 1,024 rows with the slots of their keys and runs the loops, one an
// accumulator, over the words of those slots; Emitters turn slots into columns.
// Accumulators are such that zero is their neutral element, so that a new row
// needs no special case. The order in which rows come does not matter to any
// result but a sum of floating-point numbers, and the first, the last and a list.
// Sums of exact numbers that 64 bits don't hold have 192, in partial rows too, so
// that how rows are split into panes, sessions and phases does not matter either.
//
// The table is somebody else's: a part of a state table, or a Table, which a
// first phase in front of an exchange folds into.
//
// # Taking back
//
// Sums and counts are taken back by subtraction. DISTINCT, and MIN and MAX of rows
// that may be taken back, need the values: Counted counts them in an OrderedMap a
// column, and tells which appeared and which went; the loops fold just these. When
// the least or the largest value went, the first of those left is looked up. The
// first value, the last and a list need the values in their order: Listed has them
// in a Multimap.
//
// # Functions of a program
//
// What one keeps of a group is columns of the same row; it is called with tiles of arguments, and which of them count is settled before:
// FILTER, NULLs, and the values of DISTINCT, which Counted and Repeats know. Steps is for those who want results between values.
//
// # Groups
//
// Groups is the aggregate by key for ever. A batch goes through it as a whole and
// is one change of a key, as with Flink's mini-batches: groups are shown before
// and after, and what differs leaves. Local is the first phase, of groups and of
// windows: it has no state, and lets rows pass as partial rows of one where keys
// hardly repeat.
package aggregate
