// Package jobmanager is the shell around the cluster's decisions. It campaigns
// for the leadership, and as a leader takes task managers in, serves clients,
// and gives each job a driver: one goroutine that feeds the job's pure cores
// (lifecycle, checkpoint.Coordinator, scheduler) with events and carries their
// effects out through the coordination store, the blob store and the task
// managers' streams.
//
// # Goroutines
//
// Run campaigns and, while leading, waits for the drivers. A driver owns its
// cores; work that blocks (store transactions, manifests) runs on goroutines
// that the driver starts and whose completion comes back as an event. Each task
// manager's stream has gRPC's own, which waits, and calls back when the stream
// broke; one that receives, one that sends, and one that waits for these two. The
// collector and the scrubber have one goroutine each a term.
//
// # What is durable
//
// Every write to the coordination store is fenced by the term (coord). A job
// exists when its record is written, a checkpoint when the pointer to its
// manifest is, and a job has ended when its last phase is; clients and task
// managers are told afterwards.
//
// A job that has ended stays visible, under any leader, as far as its record
// goes (ended.go), until so many have ended after it that the collector forgets
// it (collect.go). The collector also deletes objects that nobody needs; package
// garbage says which, and why that is safe. The scrubber reads what is needed and
// says what of it is damaged (scrub.go).
package jobmanager
