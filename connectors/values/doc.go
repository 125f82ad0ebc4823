// Package values is a source whose rows stand in the job graph: those of VALUES, and the one row of a SELECT without FROM.
// They are the notation of jobgraph.ValuesSpec, which a planner writes.
//
// There is one split, whose position is the number of the next row, so that one task gives all rows, in their order, and
// the others of a vertex give none.
package values
