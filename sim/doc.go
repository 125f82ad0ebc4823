// Package sim is a deterministic simulator of the whole engine: three job managers, four task managers, and models of etcd,
// of the blob store, of Kafka and of the network, moved by one loop from one seed. Run plays a schedule: a job reads bids,
// faults strike for forty seconds, then everything is healed, the user stops the job, and the oracle compares what a
// consumer of committed records sees with a plain model of the input. The same seed has the same trace, line by line.
//
// What decides is production code, and so is the job manager around it: jobmanager.Stepped with drivers, registry,
// takeovers and the collection of garbage; delivery.Session, gates, outlets and aligners, task.Task, operators,
// statebackend/columnar, and of connectors/kafka reader, enumerator and committer behind its port. What carries out is the
// simulator's own where the production shell lives by goroutines: the task manager, uploads and the sink's writer.
// docs/design/0006-simulator.md says what that leaves unproved.
//
// A schedule starts no goroutine whose order could matter: code that blocks is a coroutine of the loop. Seeds and Mutants
// play several schedules at a time, each on a goroutine of its own, and wait for them.
package sim
