package sdktest

// Bounds of a pipeline.
const (
	// stepsMax is how many steps tasks may take before nothing moves any more: a job that takes more never comes to rest.
	stepsMax = 500_000
	// chainMax is how many files the state of a task may have before it is written as a whole.
	chainMax = 8
	// splitsMax bounds the splits of a source.
	splitsMax = 1024
	// seededRowsMax bounds the batches, and seededCredit the bytes between two tasks, of a pipeline with a seed.
	seededRowsMax = 16
	seededCredit  = 2_000
)
