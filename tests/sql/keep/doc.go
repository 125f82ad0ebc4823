// Package keep is a sink connector for tests: what a table has been told is kept in memory, for the test to look at.
//
// A table takes inserts alone, upserts by its primary key, or all changes, and says so of itself. Rows become visible with the commit of their
// checkpoint, each once, whatever failed meanwhile: a committable has its rows and a number that no other has. A change that the table can't take
// (a -U among upserts, a row taken back that isn't there) stays with the table as its fault.
package keep
