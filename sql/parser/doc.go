// Package parser makes trees (package ast) of SQL texts in the dialect of Flink 2.3: recursive descent for statements,
// queries and types, precedence climbing for expressions. It decides by the current token and one more, and never goes back.
//
// What it knows is grammar alone: whether a name exists, a type fits or a clause is supported is asked later. A few things
// that Flink has and Millrace does not are refused here, with their place, because there is no tree for them.
//
// # How it fails
//
// A statement has one error, its first: *Error, with a place, the line with a caret under it, and a hint where one is
// likely to be right. From then on every token is the end of the text, so productions need no checks of their own and all
// loops end; what they return is thrown away. ParseScript goes on with the next statement.
//
// No input makes the parser panic, recurse without bound or take memory out of proportion: see limits.go. FuzzParse tries.
//
// The package is pure: it has no goroutines, files, clocks or state between calls.
package parser
