package kafka

import (
	"context"

	"millrace/connectors"
)

// TopicID is Kafka's id of a topic; a topic that is deleted and created again
// has another. It is zero with brokers that have none.
type TopicID [16]byte

// Partition names a partition.
type Partition struct {
	Topic string
	Index int32
}

// Topic is what metadata says about a topic.
type Topic struct {
	ID         TopicID
	Partitions []int32 // ascending
}

// Cluster is a Kafka cluster as this package uses it: the port behind which a
// client stands, or a model of Kafka. Methods block until ctx ends and are safe
// for concurrent use. Errors that waiting helps against are external/backoff.
type Cluster interface {
	// Topics returns metadata of those of the named topics that exist.
	Topics(ctx context.Context, names []string) (map[string]Topic, error)
	// Offsets resolves words and times to offsets of every partition of a topic.
	Offsets(ctx context.Context, topic string, at OffsetSpec) (map[int32]int64, error)
	// GroupOffsets returns what a group has committed for a topic.
	GroupOffsets(ctx context.Context, group, topic string) (map[int32]int64, error)
	// CommitGroup publishes offsets under a group's name.
	CommitGroup(ctx context.Context, group string, offsets map[Partition]int64) error

	// Fetch begins to read.
	Fetch(FetchSpec) (Fetcher, error)
	// Producer opens a producer; a transactional one has its id by then: every
	// transaction of that transactional id that was open is aborted.
	Producer(ctx context.Context, s ProducerSpec) (Producer, error)

	// Mark puts a marker into the transaction, over one that is there. It is
	// repeated until ctx ends while the answer is in doubt.
	Mark(ctx context.Context, t Transaction, m Marker) error
	// EndTxn commits the transaction, once: it returns Kafka's code, or an error
	// when there was no answer.
	EndTxn(ctx context.Context, t Transaction) (code int16, err error)
	// ReadMarker reads the newest committed marker in a group; code is Kafka's.
	// With stable, a marker that may be about to change has the code
	// UNSTABLE_OFFSET_COMMIT.
	ReadMarker(ctx context.Context, group, topic string, stable bool) (m Marker, code int16, err error)
	// Describe returns what the transaction coordinator says of a transactional id.
	Describe(ctx context.Context, transactionalID string) (Description, error)
	// WriteMarkers writes the commit markers of a transaction that its coordinator holds for complete to those of the topic's
	// partitions, and to that of the group's offsets, where it is open all the same. It returns how many there were. The epoch is the
	// coordinator's.
	WriteMarkers(ctx context.Context, t Transaction, epoch int16, group, topic string) (partitions int, err error)
	// InitProducerID aborts whatever is open under the id and fences its writer,
	// once: the code CONCURRENT_TRANSACTIONS asks to repeat it.
	InitProducerID(ctx context.Context, transactionalID string, timeoutMillis int32) (code int16, err error)

	Close()
}

// Description is what the transaction coordinator says of a transactional id.
type Description struct {
	State      string // in Kafka's words: Ongoing, PrepareCommit, CompleteCommit, ...
	ProducerID int64
	Epoch      int16
}

// OffsetSpec names an offset by a word or a time.
type OffsetSpec struct {
	Kind OffsetKind
	// TimestampMillis is for AtTimestamp: the first record from then on, or the
	// end where there is none.
	TimestampMillis int64
	// Committed makes AtLatest the last stable offset.
	Committed bool
}

// OffsetKind is a word for an offset.
type OffsetKind uint8

// The kinds.
const (
	AtEarliest OffsetKind = iota
	AtLatest
	AtTimestamp
)

// FetchSpec says how to read.
type FetchSpec struct {
	Committed bool // leave out open and aborted transactions
	// Wake is called, from any goroutine, when Next may have something.
	Wake func()
	// Warn takes, from any goroutine, what is tried again by itself, once.
	Warn func(what string, cause error)
	// Trouble takes, from any goroutine, what is tried again at the moment, with
	// topics, partitions and brokers; "" when all is well. Nil takes nothing.
	Trouble connectors.Trouble
}

// Fetcher reads partitions. It is owned by one goroutine and does not block.
type Fetcher interface {
	// Add begins to read partitions, each at an offset.
	Add(starts []FetchStart) error
	// Remove ends it; a chunk of it may still come.
	Remove(p Partition)
	// Next returns the next chunk. It is valid until the following call.
	Next() (*Chunk, bool)
	// Close waits until nothing of the fetcher runs.
	Close()
}

// FetchStart says where to begin in a partition.
type FetchStart struct {
	Partition
	// Topic may be recreated meanwhile: with another id, the partition fails.
	ID     TopicID
	Offset int64
}

// Chunk is a run of records of one partition.
type Chunk struct {
	Partition Partition
	// Values and Offsets are the records' values and offsets, ascending; the
	// bytes are borrowed. A nil value is a tombstone.
	Values  [][]byte
	Offsets []int64
	// Next is the offset behind everything the chunk stands for.
	Next int64
	// Err ends the reading of the partition.
	Err error

	memory [][]byte // in which Values stand, where it is used again
}

// ProducerSpec says what to produce with.
type ProducerSpec struct {
	Topic         string
	ClientID      string
	Compression   string
	Partitioner   string
	Subtask       int32 // for the fixed partitioner
	LingerMillis  int64
	BatchBytesMax int32
	// TransactionalID makes the producer transactional.
	TransactionalID string
	TimeoutMillis   int32
}

// Producer writes records of one topic, and at most one transaction.
type Producer interface {
	// Transaction says which transaction everything produced belongs to.
	Transaction() Transaction
	// Produce takes records over until done is called, once, from any goroutine:
	// with the first error, or nil when all of them are acknowledged. It blocks
	// while too much is under way.
	Produce(ctx context.Context, rs []Record, done func(error))
	// Written says where the records are that were acknowledged so far. It is
	// called when everything produced is done.
	Written() []WrittenRange
	// Flush returns when everything produced is acknowledged or has failed.
	Flush(ctx context.Context) error
	// Unchanged fails if the client has begun another transaction than the one
	// that Transaction names.
	Unchanged(ctx context.Context) error
	// Close waits until nothing of the producer runs; it neither commits nor
	// aborts.
	Close()
}

// WrittenRange is where records of a producer are in a partition: between two
// offsets, both included, among those of others.
type WrittenRange struct {
	Partition   int32
	First, Last int64
}

// Record is a record to produce. Its bytes are borrowed until it is done.
type Record struct {
	Key, Value []byte
}

// Transaction names a transaction for ever and everywhere.
type Transaction struct {
	TransactionalID string
	ProducerID      int64
	Epoch           int16
	// Version is the transaction version under which it was opened; every
	// request on it goes by that one.
	Version int16
}

// Marker is the proof of a commit that is written within the transaction.
type Marker struct {
	Group    string
	Topic    string
	Offset   int64 // the checkpoint's id; -1 is no marker
	Metadata string
}

// Kafka's codes that decide something here.
const (
	codeNone                  int16 = 0
	codeUnknownServerError    int16 = -1
	codeTopicForbidden        int16 = 29
	codeGroupForbidden        int16 = 30
	codeClusterForbidden      int16 = 31
	codeInvalidProducerEpoch  int16 = 47
	codeInvalidTxnState       int16 = 48
	codeInvalidProducerIDMap  int16 = 49
	codeConcurrent            int16 = 51
	codeIDForbidden           int16 = 53
	codeUnknownProducerID     int16 = 59
	codeGroupIDNotFound       int16 = 69
	codeUnstableOffset        int16 = 88
	codeProducerFenced        int16 = 90
	codeTransactionalIDAbsent int16 = 105
	codeTransactionAbortable  int16 = 120
)
