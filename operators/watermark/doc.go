// Package watermark makes event time in source tasks: for each split the
// largest time so far, less the delay, less 1 ms; for the task the minimum over
// its active splits. It is a pure core: times and the clock are handed in,
// what to send is asked for.
//
// # Which rows are late
//
// Sent only every 200 ms, a watermark would make lateness a matter of chance:
// whether a row that is out of order by more than the delay is late would
// depend on when the last watermark happened to be sent. So the source task
// cuts a batch in front of every row that lies at or behind the watermark of
// the rows before it, and sends that watermark there (Cut, Take). Rows in order
// cause no cut, and the interval still decides when nothing forces one. In a
// task with one split the rows that are late are then a property of the split's
// data alone, whatever the batches, the timing and the restores; between splits
// it depends, as it must, on who is ahead.
//
// # Idle and finished splits
//
// A split without rows for the idle timeout leaves the minimum until its next
// row; when every split is idle, the task is. A task that waits for its
// first split holds event time back until the timeout, since rows that are
// assigned late must not be late rows. A finished split leaves for good; the
// last one, when no more are announced, ends event time with MaxWatermark.
//
// The task's watermark never falls: a split that comes back behind it gives
// late rows.
package watermark
