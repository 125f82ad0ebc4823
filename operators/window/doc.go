// Package window aggregates rows by key and tumbling event-time window.
//
// # The two operators
//
// Aggregate keeps one row of accumulators a key in each window's part of a
// Value table, and fires the windows that a watermark closes. Local stands in
// front of the exchange: it folds rows by key and window in a small table and
// gives partial rows, which the Aggregate behind it merges. It has no state:
// what it holds leaves at Flush, hence before every barrier, and before a
// watermark that closes a window it holds. Where keys hardly repeat it lets
// rows pass as partial rows of one.
//
// What is kept of rows, and how, is package aggregate's: both work a tile of rows
// at a time over the words of accumulators.
//
// # Time
//
// A row belongs to the window that its time column names. It is late if the
// window's last millisecond is at or behind the operator's watermark: then it
// is counted and dropped, or sent to port 1. A NULL time is an error.
package window
