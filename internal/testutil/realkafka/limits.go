package realkafka

import "time"

const (
	// fetchLimit bounds the first use on a fresh machine: Java, Maven and 60 MB of jars over a slow line.
	fetchLimit = 8 * time.Minute
	// formatLimit bounds the formatting of a data folder, a JVM of two seconds.
	formatLimit = time.Minute
	// readyLimit bounds a start. Two to four seconds are usual; after a kill the controller waits out the session
	// of the broker that died, and a machine of two cores may be busy.
	readyLimit = 90 * time.Second
	// readyPause lies between two questions to a broker that is not there yet.
	readyPause = 100 * time.Millisecond
	// askLimit bounds one such question.
	askLimit = 2 * time.Second
	// stopLimit bounds a polite stop before it turns into a kill.
	stopLimit = 30 * time.Second
	// launchAttempts is how many pairs of ports Launch tries: another process may take one between probe and use.
	launchAttempts = 3
	// valueBytesMax is the longest line that ConsoleConsumer passes on.
	valueBytesMax = 16 << 20
	// logTailBytes is how much of a broker's log an error quotes.
	logTailBytes = 4 << 10
)
