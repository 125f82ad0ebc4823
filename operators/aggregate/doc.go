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
// result but a sum of floating-point numbers.
//
// The table is somebody else's: a part of a state table, or a Table, which a
// first phase in front of an exchange folds into.
package aggregate
