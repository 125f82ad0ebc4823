// Package lifecycle decides what becomes of a job: when it waits, deploys, runs, restarts and ends. A Machine is a pure
// step function over events; its states and the moves between them are a table (edges.go), from which the diagram in
// testdata is drawn.
//
// A Machine lives as long as a leader works for a job, over any number of attempts. The shell feeds it events and carries
// its effects out, in order. One goroutine owns a Machine; nothing here reads a clock, blocks or does I/O.
//
// # What the shell owes
//
//   - Events about an attempt carry its number; those of another attempt than the current one change nothing.
//   - AllotAttempt and StoreTerminal are fenced transactions, answered when their outcome is certain. If the term is over,
//     the shell drops the machine instead.
//   - RequestResources stands until it is answered by ResourcesAvailable or the attempt is cancelled: ResourcesMissing may be
//     repeated while the shell waits for slots.
//   - CancelAttempt is always answered by AttemptGone, also for an attempt of which nothing was deployed.
//   - A user's wish to cancel is made durable (JOB_PHASE_CANCELLING) before CancelRequested is fed.
//   - The checkpoint coordinator of an attempt is closed, and its Closed awaited, before AttemptGone: what the next attempt
//     restores from is then settled.
//
// # What it is not
//
// It does not place tasks (package scheduler), take checkpoints (package checkpoint) or restart parts of a job: an attempt
// is cancelled as a whole.
package lifecycle
