// Package kafka reads and writes topics of Apache Kafka.
//
// # Source
//
// A split is a partition. The enumerator asks for metadata, turns words and
// times (earliest, latest, a timestamp, a group's offsets) into numbers once,
// and keeps them with the topic's id in its state; no consumer group decides
// anything. A topic that was recreated and an offset that the broker no longer
// has stop the job and name topic and partition: what was to be read is not
// there. A partition's position is the offset to read next, which stands behind
// transaction markers and aborted records too.
//
// # Sink
//
// With exactly-once, each epoch of a subtask is one transaction with an id out
// of a small pool and a client of its own. At the barrier the transaction is
// flushed, a marker (an offset commit of a group named after the transactional
// id) is put into it, the client is closed, and what is needed to commit it from
// anywhere goes into the checkpoint. The committer commits it once the checkpoint
// is complete. An answer that leaves the outcome open is settled by the marker,
// which is there if and only if the transaction is committed. The protocol, and
// what happens if either side dies between any two of its steps, is
// docs/design/0002-kafka-transactions.md.
//
// # Goroutines
//
// Behind a reader run one that fetches for each broker, and one that publishes
// offsets where a group is named; behind a writer one for each transaction that is
// written or prepared (at most poolSize), one that opens the next and one that
// tells people when nothing is acknowledged. Each ends
// with the Close of its owner, which waits for it. Enumerator and committer
// start goroutines for the length of a call only.
//
// # What it is not
//
// The package does not create topics, though brokers that create whatever is
// asked for create those of sinks; and it does not interpret records: formats
// are handed in by wiring. It is the only one that imports the Kafka client; the
// rest of the package knows Kafka as the Cluster of port.go.
package kafka
