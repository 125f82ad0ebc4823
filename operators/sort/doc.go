// Package sort puts rows in order, and counts them.
//
// # Sort
//
// All rows stand in an ordered map under one key, whose order is the ORDER BY in bytes (operators/ordering) and behind it the number of
// their arrival, so that equal rows stay as they came. They leave from the front, and the table as they leave: a drain may stop
// anywhere, and after a restore the rest comes.
//
// Of bounded input all rows leave when it ends (Flink's ORDER BY in batch mode). Of a stream, sorted by event time first, those leave that
// a watermark has reached, in front of it (Flink's temporal sort). A row with a time at or before the watermark is late, and dropped; Flink
// drops it only where it is not behind the last row given.
//
// # Its limit
//
// An ordered map stays in memory: the rows that are being sorted must fit, with about 64 bytes for each beside their values, into the
// state budget of the slot (a share of taskmanager.memory.managed.size). Beyond it the job stops with an error that says how
// much is missing and which option to raise: the same rows would not fit after a restart. A sort has one task, so more
// parallelism does not help. An ORDER BY with LIMIT needs no more than the rows of the limit: it is a rank without keys.
//
// # Limit
//
// LIMIT n OFFSET m over input that takes nothing back counts rows. Over other input, and behind ORDER BY, the planner puts a rank
// without keys, from m + 1 to m + n, without the rank number: Retract where rows are taken back, AppendFast where not; without
// ORDER BY its order is empty, and rows count as they arrived. Where the input is bounded, FinalOnly gives its rows in order.
package sort
