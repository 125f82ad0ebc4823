// Package options is where the options of connectors, formats and processes are declared, once.
//
// A Spec is data: keys, types, defaults, documentation. From it come validation (Parse reports every problem of a set
// of options at once, and names the nearest known key for one it does not know), the typed Values, the reference pages
// (Markdown) and the masking of secrets. Keys and notations are Flink's: "10 s", "64 mb", "a;b".
//
// Obligations: a Spec is fixed at start-up and its owner has a test that calls Validate; getters of Values are called
// with declared keys and their declared types only, anything else is a bug of the caller. Values and Spec are immutable
// after they are made and safe for concurrent use.
//
// The package is not a configuration loader (files, environment and flags belong to cmd) and checks no rule that spans
// several options: that is the reader's, with failure.Problems.
package options
