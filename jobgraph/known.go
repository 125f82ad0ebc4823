package jobgraph

import (
	"millrace/expr"
	"millrace/types"
)

// Known is what a cluster can run, as Validate asks it. Names come sorted. It
// may be called by any number of goroutines and reaches out to nothing.
type Known interface {
	// Sources and Sinks return the names of the connectors there are.
	Sources() []string
	Sinks() []string
	// Lookups returns the names of the connectors whose tables rows are looked up in.
	Lookups() []string
	// Operators returns the kinds of operators there are.
	Operators() []OperatorKind
	// CheckSource reports what is wrong with the options of a source whose
	// connector is known and whose schema stands. A *failure.Problems or
	// failure.Message in it keeps its fields.
	CheckSource(*SourceSpec) error
	// CheckSink does so for a sink over the schema of its input.
	CheckSink(*SinkSpec, *types.Schema) error
	// CheckLookup does so for a table of a lookup join.
	CheckLookup(*LookupTable) error
	// Functions returns the scalar functions there are.
	Functions() *expr.Registry
}

// OnErrorOption is the option of a source that says what becomes of records
// that can't be decoded, and OnErrorDeadLetter its value for sending them out
// by DeadLetterPort.
const (
	OnErrorOption     = "on-error"
	OnErrorDeadLetter = "dead-letter"
)
