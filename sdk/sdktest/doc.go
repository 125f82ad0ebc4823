// Package sdktest runs a job of the SDK in a test: no cluster, no Kafka, no sleeping.
//
//	func TestCounts(t *testing.T) {
//		p := sdktest.Start(t, job, sdktest.Options{Parallelism: 2})
//		sdktest.Push(p, "clicks", Click{User: "ann", At: at(1)}, Click{User: "bob", At: at(2)})
//		p.Checkpoint()
//		p.Crash()
//		p.End()
//		got := sdktest.Rows[Count](p, "counts-out")
//	}
//
// What runs is the engine's: its tasks, chains, exchange, key groups, state and checkpoints. What
// does not is what a test must hold in its hand: sources and sinks are replaced by the
// pipeline's own, whatever their connectors are (values and datagen too), and time is the
// test's.
//
// Sources and sinks are found by their uids. Those that SQL makes of tables are found by the uid of
// the statement (Query, Insert; sql-1 and so on of a script), where it has one of them.
//
// # Time
//
// Every call returns when nothing moves any more: no row is under way, no timer is due. Rows
// move event time as in production: the latest rowtime of a split, less the delay of
// its source. The watermark that the rows of one call make comes behind the last of them, and the next call finds it everywhere; Watermark moves event time
// without a row. Processing time stands still but for Advance. It begins
// at Options.Now.
//
// # Failures
//
// A function that fails, a job that can't be described, a call that makes no sense: each fails
// the test. A test that wants a job to fail says so: Pipeline.Failure, Refused.
//
// # Crashes
//
// Crash loses what a crash of all machines would: tasks are made anew from the last
// checkpoint, sources go on from the positions that it has, output that was not committed is gone. The calls that
// came behind the checkpoint (rows, watermarks, ends) are then made again, one after the
// other, so a job that keeps what it must keep in state gives the same again. Processing time is not turned back: a crash does not stop clocks.
//
// # Concurrency
//
// A Pipeline is for one goroutine, and starts none. Two runs with the same calls and the same
// Options do the same in the same order.
//
// It is not for measuring, and it knows nothing of what a connector makes of rows: formats, topics and
// transactions are the connector's.
package sdktest
