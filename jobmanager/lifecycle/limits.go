package lifecycle

import "time"

// What a RestartSpec means where it says nothing.
const (
	DefaultDelay          = time.Second
	DefaultMaxDelay       = time.Minute
	DefaultResetThreshold = time.Hour
	DefaultFixedAttempts  = 1
	DefaultPoison         = 3

	// DefaultCollect is how long a leader waits for task managers that another one had. It is what they may be silent for.
	DefaultCollect = 6 * time.Second

	// rescalePatience is how long a rescale waits for a checkpoint.
	rescalePatience = time.Minute

	// backoffMultiplier and jitterFraction shape the exponential delay.
	backoffMultiplier = 1.5
	jitterFraction    = 0.1

	// positionsMax is how many positions of sources with failures are remembered; the oldest is forgotten first.
	positionsMax = 256
	// reasonBytesMax cuts texts that travel into the coordination store.
	reasonBytesMax = 16 << 10
)
