package kafka

import "time"

const (
	// poolSize is how many transactional ids a subtask of the sink has: one being
	// written, one initialised ahead, the rest for transactions that wait for
	// their commit. Changing it leaves transactions of ids beyond the new size
	// open until they time out, when a job is restored that was stopped with the
	// old one.
	poolSize = 8
	// poolSlack are the ids of a pool that are not for failed checkpoints: one
	// being written, and one that awaits the commit of the last checkpoint.
	poolSlack = 2

	// generations is after how many attempts transactional ids are used again: a
	// bound of how many the brokers must remember. A process must be paused for as
	// many restarts to come upon another attempt's transactions.
	generations = 256
	// attemptsUnsettled is how many attempts before its own the committer settles
	// where no note says which are settled.
	attemptsUnsettled = 16

	// fetchQueueMax is how many fetched answers wait for the task, and with
	// fetchBytesMax the bound of the source's memory.
	fetchQueueMax = 2
	// fetchBytesMax bounds an answer of a broker.
	fetchBytesMax = 16 << 20
	// fetchPartitionBytesMax bounds a partition's share of an answer. A larger
	// record batch comes alone.
	fetchPartitionBytesMax = 4 << 20
	// fetchWaitMillis is how long a broker waits for the first byte of an answer,
	// and fetchTimeout bounds the whole of it.
	fetchWaitMillis = 500
	fetchTimeout    = 30 * time.Second
	// decodeStep is how many payloads are decoded before the size of the rows is
	// looked at.
	decodeStep = 1024

	// bufferedBytesMax is how much a writer holds that Kafka has not
	// acknowledged; beyond it the writer is not ready.
	bufferedBytesMax = 32 << 20

	// bufferedRecordsMax is how many records a client holds before Produce blocks.
	bufferedRecordsMax = 100_000

	// metadataAgeMin is how often a client asks for metadata at most, which is
	// how soon it sees that a leader has moved.
	metadataAgeMin = 250 * time.Millisecond
	// requestTimeout bounds one request of a coordinator task or of a marker.
	requestTimeout = 5 * time.Second
	// commitPatience is how long one call of the committer tries before it says
	// that it does not get through; its caller calls again.
	commitPatience = 30 * time.Second
	// commitsMax is how many transactions are committed or initialised at a time.
	commitsMax = 16

	// concurrentPauseMin and Max bound the wait for an end of the same
	// transactional id that is in progress.
	concurrentPauseMin = 5 * time.Millisecond
	concurrentPauseMax = 200 * time.Millisecond
	// waitsToAsk is after how many of the longest waits the coordinator is asked again: once a second.
	waitsToAsk = 5
	// doubtPauseMin and Max bound the wait after an answer that says nothing.
	doubtPauseMin = 20 * time.Millisecond
	doubtPauseMax = time.Second
	// troublePauseMin is the wait from which on people are told what is tried again.
	troublePauseMin = 80 * time.Millisecond

	// stallAfter is how long nothing may be acknowledged of what is written before
	// the writer says so.
	stallAfter = time.Second
	// troublesMax is how many troubles of one kind are listed.
	troublesMax = 5

	// markerRetention is how long a marker and a transactional id are kept by a
	// broker with the usual configuration: from then on, absence proves nothing.
	markerRetention = 7 * 24 * time.Hour
	// metadataBytesMax is the largest metadata of an offset commit.
	metadataBytesMax = 4096

	// topicsMax, and partitionsMax over all of them, bound a source.
	topicsMax     = 1000
	partitionsMax = 100_000
	// rangesMax is of how many partitions a committable says where its rows are.
	rangesMax = 256
	// stateBytesMax bounds the state of one split and a committable.
	stateBytesMax = 1 << 20
	// enumeratorBytesMax bounds the enumerator's state.
	enumeratorBytesMax = 64 << 20
)
