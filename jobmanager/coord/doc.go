// Package coord is the contract of the coordination store: who leads, which jobs there are, and which checkpoint of each
// is complete. It is small, and everything in it is decided by one fenced transaction.
//
// # Fencing
//
// A candidate that wins Campaign holds a term, which grows with every leadership. Txn is the only write, and it names
// the term: the store applies it only if that leadership still stands at that moment, in the same atomic step as the
// comparisons and the operations. A leader that was paused, cut off or deposed can therefore do no harm, whatever it
// believes. Done is a courtesy that comes late; the fence does not depend on it.
//
// # What the store must be
//
// Get, List and Txn are linearizable. Terms strictly increase. A version is never used twice for a key, not even after
// a delete. Writes are durable when Txn returns.
//
// # What callers must know
//
// ErrOutcomeUnknown from Txn means what it says: the transaction may have happened, and may happen yet until the caller
// reads again with a fresh Get and finds it did or finds the compared keys changed. The way out is always to read again
// and decide anew; repeating the same Txn is safe exactly if its comparisons fail once it happened. ErrConflict after
// an unknown outcome is likewise a reason to read, since it may be one's own success. Terminal states and abort decisions
// are written with such comparisons, once.
//
// Watch tells that something may have changed, never what: watches lose and reorder events in practice. Its only use
// is to Get or List again.
//
// # Rooms
//
// keys.go builds every key. memory is a model with leases that tests end by hand; etcd is the real one, with
// etcd/embedded to run a server inside the process; fault wraps a store and fails by plan; coordtest is the suite that
// all of them pass. This package starts no goroutine.
package coord
