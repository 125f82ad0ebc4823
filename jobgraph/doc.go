// Package jobgraph is the job as data: vertices that are chains of operators
// with a source at the head or a sink at the tail, edges with their
// partitioning, and the options of the job. A graph is what a client submits,
// what the job manager stores and schedules, and from which task managers build
// tasks; restarts use the stored graph, never a new plan.
//
// The package is pure and knows no implementation: which sources, sinks,
// formats, operators and functions exist is asked of the registries that
// Validate is given. Package codec converts to and from protobuf.
package jobgraph
