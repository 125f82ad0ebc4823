// Package connectortest is the conformance suite of connectors: what the engine
// relies on when it promises that every row counts once.
//
// RunSource reads a source at several parallelisms and batch sizes, takes
// positions between batches, throws the readers away and reads on from there, at
// another parallelism too. RunSink writes epochs, commits, aborts, carries over,
// recovers, and looks at what is visible in between. Both count what is left in
// the pool at the end.
//
// A connector's test calls them with a case that says how to open the connector
// and what to expect. The package is for tests only.
package connectortest
