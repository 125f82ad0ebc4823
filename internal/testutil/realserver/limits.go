package realserver

import "time"

const (
	// buildLimit bounds the first build on a fresh machine, downloads and the wait for another test's build included.
	buildLimit = 15 * time.Minute
	// readyLimit bounds a start; a second is usual, but a machine of two cores may be busy.
	readyLimit = 90 * time.Second
	// readyPause lies between two questions to a server that is not there yet.
	readyPause = 50 * time.Millisecond
	// askLimit bounds one such question.
	askLimit = 2 * time.Second
	// stopLimit bounds a polite stop before it turns into a kill.
	stopLimit = 20 * time.Second
	// logTailBytes is how much of a server's log an error quotes.
	logTailBytes = 4 << 10
)
