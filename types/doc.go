// Package types is the vocabulary of Millrace: Flink's logical types and
// schemas, key groups and their ranges, and the identifiers that every other
// room passes around. It uses the standard library only and has no behaviour
// beyond naming, comparing and printing.
//
// It is not a place for values: columns of them live in package stream.
package types
