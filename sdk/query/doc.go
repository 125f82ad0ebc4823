// Package query plans SQL over the streams of a Go program.
//
// A stream that SQL may read is a view of the Planner, a table of its catalog whose rows come from the program. A query becomes a Fragment: the vertices and edges
// of its plan, with a Tap where it reads a view and an Output where its rows leave. Whoever builds the job's graph takes the vertices and edges as they are, and draws
// an edge for each tap and from the output.
//
// The package knows schemas and graphs, no Go types and no rows. What streams are in Go is the business of package sdk.
package query
