// Package analyze binds what a text says to what there is: trees (ast) with a catalog's snapshot, the traits of connectors and the
// signatures of functions become plans, or changes of the catalog.
//
// What it knows is names, types and scopes. Views and computed columns are expanded, * is spelled out, implicit casts stand in the
// expressions; windows, OVER calls and subqueries are nodes, and columns that are times carry their mark. How anything is
// computed is no business of it.
//
// # A SELECT
//
// Expressions are bound once, against the columns of FROM, before anybody knows what becomes of the rows. What a later step
// computes (an aggregate, an OVER call, the value of a subquery) stands in them as a slot: a column with a negative number. The steps
// follow in SQL's order, each a stage with a node and the columns at which earlier expressions and slots are found in it, and
// settle rewrites an expression for the stage at hand. A column that a stage no longer has is an error with the place where it
// was written.
//
// # Errors
//
// A statement has one error, its first, a *parser.Error with a place in the text. A name that the snapshot lacks is an
// *Unresolved with the path, so that whoever has a store can look whether the snapshot is old and call again. Everything that can be
// wrong with a text is found here, since plans have no places; what Millrace does not have yet says so.
//
// The package is pure: no goroutines, files, clocks or state between calls. No tree makes it panic or recurse without bound
// (limits.go).
package analyze
