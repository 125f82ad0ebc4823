// Package streamtest makes batches for tests and turns them back into text.
//
// A table is a line a row: an optional row kind, then a value a column in SQL's
// spelling, separated by blanks.
//
//	+I 1 'a' 2024-01-01 00:00:00.000
//	-D 2 NULL 2024-01-01 00:00:01.000
//
// A TIMESTAMP, TIME or DATE may also be written as the integer that stands in
// its vector. Lines that are empty or begin with # are skipped. Parse and
// Format are inverse: what Format prints is the one spelling of a row, so
// that rows are compared as text.
//
// Random makes batches over a schema, and Reencode gives the rows of a batch
// another physical form (dictionaries, constants, rows that a selection leaves
// out): code that reads vectors must not see the difference.
//
// The package is for tests only and cares for no speed.
package streamtest

// TB is what the package needs of a test: testing.T, testing.B and rapid.T have it.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}
