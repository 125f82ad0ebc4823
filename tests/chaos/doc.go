// Package chaos is a long run in which everything goes wrong, one thing after the other: the main job on a platform of real
// processes, with faults of every kind in a schedule that a seed decides, and millions of records of input of which each is
// known by its number.
//
// A fault waits for its effect, is healed, and is over when the job runs again and has completed another checkpoint. Then the
// platform is calm for a while, and what each process takes of memory, goroutines and descriptors is noted. At the end the
// output must be the model's, record by record, where the model folds what is in the input topic; the history of commit points
// in etcd must be in order; and no process may have grown.
//
// `make chaos` is the whole, for CHAOS_TIME. `make test` has a minute of it, with three faults.
package chaos
