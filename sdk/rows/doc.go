// Package rows is how Go values stand in columns: a struct is a row, its exported
// fields are the columns.
//
// A type is looked at once, by reflection, when a job is described (Of, StateOf). What
// comes of that is a list of typed loops, a column each, which move a tile of rows
// between vectors and an array of the type, by the offsets of its fields: there is no
// reflection, no interface and no look-up a row. Maps are the exception.
//
// # Ownership
//
// What a Reader writes into rows is the rows' own: strings and bytes of a tile alias
// one copy, made for the tile, so a row may be kept, and keeps the strings of its tile
// alive. A Writer copies.
//
// A Mapping is immutable and safe for concurrent use; a Reader is for one goroutine.
package rows
