package supervise

import "time"

const (
	// startTimeout bounds how long a child may take until it says where it serves.
	startTimeout = 90 * time.Second
	// restartMin and restartMax bound the wait before a role is started again; each wait is twice the one before.
	restartMin = 200 * time.Millisecond
	restartMax = 10 * time.Second
	// restartsMax is how often a role may die in a row. One that has run for steadyAfter begins a new row.
	restartsMax = 10
	steadyAfter = time.Minute
	// lastLinesMax and lastBytesMax cut what is shown of a child's log.
	lastLinesMax = 8
	lastBytesMax = 4 << 10
	// lineBytesMax bounds a line of output that is looked at.
	lineBytesMax = 64 << 10
)
