// Package formattest is the conformance suite of package formats: what every
// format must do whatever its bytes look like. A format's test calls Run with
// its constructors and the schemas it can express.
//
// The package also makes random batches (RandomBatch) and prints rows (Print),
// for the tests of one format. It is for tests only and not a model of any
// format: what bytes mean is tested beside the format itself.
package formattest
