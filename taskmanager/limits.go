package taskmanager

import "time"

const (
	// outboxMax bounds what the job manager has not acknowledged. Reaching it ends
	// the session and every task: a job manager that takes nothing is none.
	outboxMax = 1 << 16
	// OrphanTimeout is how long tasks run on without a job manager.
	OrphanTimeout = 30 * time.Second
	// redialMin and redialMax bound the wait between attempts to connect.
	redialMin = 50 * time.Millisecond
	redialMax = time.Second
	// sayAfter and sayEvery are when and how often it is said that no job manager is
	// found: one that starts beside this process takes a moment.
	sayAfter = 2 * time.Second
	sayEvery = 10 * time.Second
	// coordinatorRetryMin and coordinatorRetryMax bound the wait between tries
	// of a coordinator task's external calls.
	coordinatorRetryMin = 200 * time.Millisecond
	coordinatorRetryMax = 10 * time.Second
	// addressesMax is how many addresses of peers are remembered.
	addressesMax = 1 << 14
	// copiesMax is how many tasks' state is written into savepoints at once.
	copiesMax = 2
	// troubleBytesMax cuts what a connector says of its trouble.
	troubleBytesMax = 2048
)
