// Package window aggregates rows by key and window, and gives rows the windows that
// they are in.
//
// # Panes
//
// Aggregate keeps one row of accumulators a key in each pane's part of a Value
// table, and fires the windows that a watermark, or the clock, closes. A tumbling
// window is one pane. A hopping or cumulating window has several, the slices of
// Flink: a row is folded once, and panes are merged when a window fires (panes.go).
// Where values have to be counted, for DISTINCT, or sums are of many digits, panes can't be merged: there a row
// is folded into each of its windows. What is kept of rows, and how, is package
// aggregate's.
//
// Sessions are another operator, Sessions: an OrderedMap by key, in which what
// touches is made one, as Flink merges windows; timers say when each ends.
//
// The first phase in front of the exchange is aggregate.Local, by pane. Assign only
// adds the columns of a row's windows.
//
// # Time
//
// A row belongs to the window that its time column names. It is late if the last
// millisecond of its last window is at or behind the operator's watermark: then it
// is counted and dropped, or sent to port 1. A NULL time is an error. Windows over a
// TIMESTAMP_LTZ lie in the time of a zone's clocks; the operator's watermark is that
// time, too. In processing time the clock says into which window a row falls.
package window
