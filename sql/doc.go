// Package sql turns text of Flink's dialect into job graphs. Its rooms are the steps of the way: parser makes trees (ast),
// analyze binds names and types (plan), optimize rewrites plans, physical makes graphs of operators.
//
// All of it is pure: what a text means depends on the text, a catalog's snapshot, the descriptions of connectors and functions,
// and the session's options alone. Names that a snapshot lacks are reported, and whoever called reloads and calls again.
package sql
