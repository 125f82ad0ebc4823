// Package join joins two inputs.
//
// # The regular join
//
// Join keeps the rows of both inputs for ever, or for a time to live, and lets each row that comes meet those of the other
// input: what Flink's StreamingJoinOperator and StreamingSemiAntiJoinOperator do. A row that is taken back takes its
// pairs back. Outer, semi and anti joins keep beside each row the number of its matches, so that the row padded with
// NULLs is taken back with the first match and comes again when the last one goes.
//
// # Tables
//
// What is known of an input's rows decides how its table finds one again (side.go), after Flink's JoinRecordStateView:
// without retractions never (a Multimap); by the join's key alone where that has a unique key; by the unique key below the
// join's key; else by a hash of the row and comparison (an OrderedMap). Equal rows stand side by side, each with its matches.
//
// # Columns, not rows
//
// A batch enters its own table first. Then the other table is asked for candidates, a tile of pairs at a time, each a
// row of the batch and a slot of the table: no row is copied to be looked at. The condition runs over the tile's pairs
// with just the columns that it reads (condition.go). What is left becomes output, as references again, of which a batch is
// gathered column by column when it leaves (rows.go). A row that meets a million others is a cursor over them.
//
// # NULL
//
// A row whose key has NULL where NULL meets nothing can have no match. It enters no table: an outer side pads
// it at once, others drop it.
package join
