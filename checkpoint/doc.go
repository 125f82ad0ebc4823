// Package checkpoint decides when a job's checkpoints are taken, when one is complete, what sinks may commit, and what of
// the past is kept. It also knows what a manifest must be to be believed, and how to deal its content out to the tasks of
// another parallelism.
//
// # The coordinator
//
// A Coordinator lives from when a job is deployed as a whole, or adopted, to when that ends, under one leader; regions of the job may
// restart in between. It is a pure step function: the shell feeds it events and carries its effects out, in the order given,
// and reports completion as further events. Nothing here reads a clock, starts a goroutine or does I/O; one goroutine owns a
// Coordinator.
//
// A checkpoint goes through: Trigger to the sources → Acknowledged by every task → Persist (manifest, then the fenced
// transaction that is the commit point) → Persisted. Before Persisted nothing happened; after it, committing is
// mandatory. So Commit comes from the step that takes Persisted and, for a checkpoint that another leader completed, from
// the one that takes Adopted, and it carries a CommitPermit, which nobody outside this package can make. One checkpoint is pending at a time. What a sink's committer has not confirmed
// does not block the next checkpoint: tasks carry their unconfirmed committables over into every acknowledgement, so a
// later Commit repeats them.
//
// # What the shell owes
//
//   - Persist is answered once, by Persisted or PersistFailed, and the answer is definitive: a transaction with an unknown
//     outcome is read back first. A late PersistFailed for a transaction that did happen would lose committed output.
//   - Ids are allotted durably before use: see AllotIDs. That of a leader's first checkpoint is larger than all that were
//     allotted before: what tasks still say of another leader's is not taken for it.
//   - RegionsStopped is sent when regions are being cancelled, RegionsRestored when their tasks are deployed again, and
//     TasksRunning when those run. The checkpoint that they restore from is looked up only after Quiet.
//   - Close is sent when the job's attempt ends, and the next attempt's checkpoint is looked up only after Closed.
//   - Commit effects of one vertex reach its committer in the order of the effects.
//
// # What it is not
//
// It does not decide whether a job restarts (package jobmanager/lifecycle does, told by FailJob), reads no object, and
// never looks into the bytes of committables, splits or enumerators. Bytes of manifests are made and read in
// checkpoint/codec.
package checkpoint
