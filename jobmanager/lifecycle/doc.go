// Package lifecycle decides what becomes of a job: when it waits, deploys, runs, restarts and ends. A Machine is a pure
// step function over events; its states and the moves between them are a table (edges.go), from which the diagram in
// testdata is drawn.
//
// A Machine lives as long as a leader works for a job, over any number of attempts. The shell feeds it events and carries
// its effects out, in order. One goroutine owns a Machine; nothing here reads a clock, blocks or does I/O.
//
// # Regions
//
// What no edge connects fails apart: while the job runs, a failure restarts its region alone, and the job is Recovering until
// all tasks run again. A failure that ends the job, or one while it starts, finishes or stops, concerns the whole job, and
// so does one of all regions at a time.
//
// # What the shell owes
//
//   - Events about an attempt carry its number: TaskChanged and CoordinatorFailed that of their vertex's region, all others
//     that of the first region of those that were allotted together. Those of another attempt than the current one change
//     nothing.
//   - AllotAttempt and StoreTerminal are fenced transactions, answered when their outcome is certain. If the term is over,
//     the shell drops the machine instead. There is one AllotAttempt at a time: what is wanted meanwhile is asked for behind
//     the answer, so that the numbers that were stored last are those of what runs.
//   - RequestResources stands until it is answered by ResourcesAvailable or the attempt is cancelled: ResourcesMissing may be
//     repeated while the shell waits for slots.
//   - CancelAttempt is always answered by AttemptGone, also for an attempt of which nothing was deployed.
//   - CancelRegions is answered by RegionsGone, also where nothing runs of them, unless the job is cancelled as a whole first.
//     The checkpoint coordinator is told of it, and what it persists is awaited: what the regions restore from is then settled.
//   - A user's wish to cancel is made durable (JOB_PHASE_CANCELLING) before CancelRequested is fed.
//   - The checkpoint coordinator of an attempt is closed, and its Closed awaited, before AttemptGone: what the next attempt
//     restores from is then settled.
//
// # What it is not
//
// It does not place tasks (package scheduler) or take checkpoints (package checkpoint).
package lifecycle
