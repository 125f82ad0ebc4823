package jobgraph

import "time"

// Bounds of a graph. Validate refuses what lies beyond.
const (
	// VerticesMax and EdgesMax bound the graph.
	VerticesMax = 1_000
	EdgesMax    = 10_000
	// OperatorsMax is the longest chain of a vertex.
	OperatorsMax = 100
	// ColumnsMax is the widest schema.
	ColumnsMax = 2_000
	// LabelsMax bounds the labels that a job asks of task managers.
	LabelsMax = 20
	// KeysMax and AggregatesMax bound one window aggregate or one hash.
	KeysMax       = 100
	AggregatesMax = 500
	// WindowPartsMax bounds in how many windows a row may be.
	WindowPartsMax = 10_000
	// GroupingSetsMax bounds one expand; FrameRowsMax a frame of rows that an aggregate goes over.
	GroupingSetsMax = 1_000
	FrameRowsMax    = 100_000
	// LagRowsMax bounds how many rows in front of a row LAG looks: their values are kept in one piece, by key.
	LagRowsMax = 10_000
	// NativeInputsMax, NativeSidesMax and NativeTablesMax bound one native operator.
	NativeInputsMax = 16
	NativeSidesMax  = 100
	NativeTablesMax = 100
	// FunctionsMax bounds the functions of a program, ArgsMax its arguments and what it asks its environment for.
	FunctionsMax = 1_000
	ArgsMax      = 1_000
	// NameBytesMax is the longest id, uid or name.
	NameBytesMax = 100
	// IntervalMax is the longest time that a graph may name.
	IntervalMax = 365 * 24 * time.Hour
	// CheckpointIntervalMin is how often checkpoints may be triggered at most.
	CheckpointIntervalMin = 10 * time.Millisecond
	// RetainedMax is the largest number of completed checkpoints to keep.
	RetainedMax = 1_000
)
