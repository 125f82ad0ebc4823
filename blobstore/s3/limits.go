package s3

import "time"

const (
	// keyBytesMax is the most bytes of a key that S3 takes, our prefix included.
	keyBytesMax = 1024
	// prefixBytesMax leaves room for every key that the engine makes.
	prefixBytesMax = 256
	urlBytesMax    = 4096
	// conflictAttemptsMax is how often a create is sent that others race with. Each round of a race has a winner, whom
	// the next meets as 412; so it takes more than two only if winners are deleted as fast as they come.
	conflictAttemptsMax = 5
	// conflictPause is waited between them, growing with their number.
	conflictPause = 50 * time.Millisecond
	// bytesPerSecondMin is the slowest transfer that is not given up. It is below the one of blobstore.WithRetry, so that
	// its deadline, which it knows how to go on from, comes first.
	bytesPerSecondMin = 1 << 20
	// spareBytesMin is the size from which on a create looks first whether the key is taken: a round trip of nothing for
	// one of the body.
	spareBytesMin = 64 << 10
	// abortTimeout bounds the removal of the parts of an upload that failed, beyond the end of the call's own context.
	abortTimeout = 5 * time.Second
	// connectionsIdleMax is how many connections wait for their next use.
	connectionsIdleMax = 64
	connectionIdle     = 60 * time.Second
	dialTimeout        = 5 * time.Second
)
