package jobmanager

import "time"

const (
	// sendQueueMax bounds what a task manager has not acknowledged; one that takes
	// nothing for so long is lost.
	sendQueueMax = 1 << 16
	// inboxMax is how many events may wait for a driver before progress is dropped.
	inboxMax = 1 << 14
	// askedMax is how many wishes of clients may wait until a job is recovered.
	askedMax = 64
	// watchQueueMax bounds what a watching client may be behind; older progress
	// is dropped first.
	watchQueueMax = 1 << 10
	// graphBytesMax bounds a submitted graph.
	graphBytesMax = 4 << 20
	// recentFailuresMax is how many failures a description shows.
	recentFailuresMax = 10
	// checkpointIDsReserved is how many checkpoint ids an attempt reserves at a
	// time; none is used twice, used or not.
	checkpointIDsReserved = 1 << 20
	// savepointsMax is how many savepoints of a job its record names, and a
	// description shows; older ones are where they are, all the same.
	savepointsMax = 32
	// savepointUnique is how many letters of a savepoint's folder are random.
	savepointUnique = 12
	// storeTimeout bounds a call to the coordination store.
	storeTimeout = 10 * time.Second
	// leaderTimeout bounds the question who leads, for those who asked in vain.
	leaderTimeout = 2 * time.Second
	// storeRetryMin and storeRetryMax bound the wait between tries while the
	// coordination or the blob store is away.
	storeRetryMin = 100 * time.Millisecond
	storeRetryMax = 5 * time.Second
	// clockErrorMax is how far the clock of a task manager may be from the leader's
	// when it joins. No promise rests on clocks that agree: leases, transactions and
	// heartbeats are timed by one process each. But a source that gives records the
	// time of its machine, and people who compare logs, have another time on each; and
	// a committer judges by its own clock how old a transaction is.
	clockErrorMax = time.Minute
	// HeartbeatInterval is how often task managers are told to say that they live.
	HeartbeatInterval = time.Second
	// HeartbeatTimeout is how long a task manager may be silent before it is lost.
	HeartbeatTimeout = 6 * time.Second
	// callBackTries and callBackPause are how often a task manager whose connection
	// broke is called back before only its silence counts: 500 ms in all.
	callBackTries = 10
	callBackPause = 50 * time.Millisecond
	// verifyBytesMax is how much of a checkpoint is read before its output is
	// committed; verifyRangeBytes how much at a time, verifyReadsMax how many files.
	verifyBytesMax   = 1 << 30
	verifyRangeBytes = int64(4 << 20)
	verifyReadsMax   = 8
	// verifyErrorsMax is how many damaged files a reason names.
	verifyErrorsMax = 3
	// endedJobsDefault, sweepIntervalDefault and sweepAgeDefault are the defaults of
	// Retention. A job has some five keys, and coord.ListMax bounds those of all.
	endedJobsDefault     = 256
	sweepIntervalDefault = 10 * time.Minute
	sweepAgeDefault      = time.Hour
	// scrubIntervalDefault and scrubBytesPerSecondDefault are the defaults of Scrub.
	scrubIntervalDefault       = time.Hour
	scrubBytesPerSecondDefault = 16 << 20
	// answerBytesMax and answerPartsMax bound the results that an answer has, of more
	// than one part; fetchesMax how many answers are read at a time.
	answerBytesMax = 8 << 20
	answerPartsMax = 256
	fetchesMax     = 8
	// resultPolls and resultPollInterval are how often results are looked for until a
	// client is told that there are none: for a second.
	resultPolls        = 5
	resultPollInterval = 200 * time.Millisecond
	// endedQueueMax is how many jobs may wait to be swept at their end.
	endedQueueMax = 64
	// tickInterval is how often a driver tells its cores the time.
	tickInterval = 50 * time.Millisecond
)
