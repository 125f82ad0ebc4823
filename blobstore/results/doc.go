// Package results is how the results of a query lie in the blob store: rows that a
// job's sink wrote for whoever asked the query, until they have been fetched.
//
//	writer      parts, of some MiB, while rows come      Lot says which of them are of one checkpoint
//	committer   an index for each checkpoint             Log.Commit; with it the rows are results
//	job manager marks of what has been fetched           Log.Acknowledge; with Log.Discard indexes and parts go
//
// # Exactly once
//
// A part belongs to one lot, a lot to the checkpoint for which it was prepared, and
// every checkpoint's lots have an index, whichever later one they were carried over
// into. An index is named by its bytes: committing again makes the same object, or one
// that has fewer of the lots, and Next counts each lot once. Whoever fetches goes from
// checkpoint to checkpoint and names the last that it has, so that an index that comes
// again is behind it.
//
// # What if it crashes here
//
//   - A part is there and no checkpoint has its lot: Sweep deletes it when the next
//     attempt recovers.
//   - A lot is in a complete checkpoint and has no index: whoever recovers commits it.
//   - An index is there: its rows are results, and committing it again changes nothing.
//   - A mark is there, and indexes and parts of what it marks: nobody is given them, and
//     they go with the next Discard. Parts go before their index, which names them.
//   - A mark is older than another: it says less, and goes with the next Discard.
//
// The marks also remember what was fetched when its indexes are gone: Newest knows of a
// later checkpoint even then.
//
// The package knows no rows: a part is bytes. It starts goroutines in Discard, and
// waits for them.
package results
