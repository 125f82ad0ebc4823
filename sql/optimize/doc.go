// Package optimize turns plans into equal ones that cost less. A rule is a small function over one node with a name; rules run in
// stages, each until nothing changes, bounded by PassesMax. What looks at a whole plan (which columns anybody reads, which
// parts are equal) is a pass of its own behind them.
//
// The package knows that two plans are equal, and nothing of operators: no changelogs, partitions or state. Constants are
// evaluated by whoever calls, so that the package sees no values of columns.
package optimize
