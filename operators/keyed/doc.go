// Package keyed knows how whole rows, NULL included, stand in a value table, at most one a key, and what a batch's changes of
// them give as a changelog. Operators that keep one row of each key decide which; the rest is here.
//
// # A batch
//
// Lookup finds the rows of a batch's keys at once and says which rows of the batch have one key: a Group. The operator sets each
// group's Winner: a row of the batch, none, or Keep. Apply then writes the winners with one typed loop a column and says
// what has changed, a change a key: first row out, last row in. What is given is gathered column by column from a pool of old and
// new rows (Writer, which operators with tables of another shape use too).
//
// # The table
//
// A row is: whether there is one, the time of its last write, a bit for each column that is NULL, the columns. Time is
// written where a row is written anyway, and to nothing coarser than the engine's milliseconds: a row that does not change is not
// touched. A row whose time to live has passed counts as absent at once; a sweep of some rows a batch deletes it.
package keyed
