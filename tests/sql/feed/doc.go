// Package feed is a source connector for tests: rows that a test gives, when it gives them.
//
// A test puts rows into a Log, which it finds by the option log of a table, and closes it at the end. Rows are dealt out to splits in turn, those of
// an ordered log to one. A split's position is a number of rows: what was read and is lost is read again. The test learns when everything that it
// gave has been read.
package feed
