// Package collect is the sink for the rows of a query that nobody inserts anywhere:
// they wait in the cluster's blob store for whoever asked, who fetches them from the
// job manager. Rows of any schema and kind are taken.
//
// A writer encodes batches into parts of some MiB, which it uploads while rows come,
// and lists them at a barrier; what it prepares is that list. The committer makes the
// lists of a checkpoint results. How all this lies in the store, and what a crash
// leaves, is package blobstore/results; a part is an object of package
// exchange/inflight with one channel. So rows are given out once, and as late as the
// checkpoint is complete that they belong to.
//
// A committer that is restored behind results of a later checkpoint refuses
// (connectors.ErrAhead), fetched or not.
//
// Each writer has a goroutine, which ends with Close.
package collect
