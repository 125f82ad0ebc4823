package kafka

import (
	"millrace/connectors"
	"millrace/types"
)

// This file is what a model of Kafka needs beside the port: a simulator that runs everything on one goroutine writes by a
// Writer of its own, and keeps to the protocol of this package's by it.

// PoolSize is how many transactional ids a subtask of the sink has.
const PoolSize = poolSize

// IDs are the transactional ids of one writer.
type IDs struct {
	Prefix string // the option sink.transactional-id-prefix
	connectors.Identity
}

// Prepared is a transaction that is flushed, marked and left to a committer.
type Prepared struct {
	Transaction       Transaction
	K                 int // which of the writer's ids
	Checkpoint        types.CheckpointID
	Topic             string
	FirstRecordMillis int64
	TimeoutMillis     int32
	Rows              int64
}

func (i IDs) names() names { return names{i.Prefix, i.Job, i.Operator} }

// Transactional returns the k-th id, from 0 to PoolSize-1.
func (i IDs) Transactional(k int) string { return i.names().id(i.Subtask, k, i.Attempt) }

// Marker returns the marker that goes into the transaction (step 4 of docs/design/0002-kafka-transactions.md).
func (i IDs) Marker(p Prepared) Marker {
	return Marker{Group: i.names().group(i.Subtask, p.K), Topic: p.Topic, Offset: int64(p.Checkpoint)}
}

// Committable returns what the committer needs.
func (i IDs) Committable(p Prepared) ([]byte, error) {
	c := &committable{
		TransactionalID: p.Transaction.TransactionalID, MarkerGroup: i.names().group(i.Subtask, p.K), ProducerID: p.Transaction.ProducerID,
		Epoch: p.Transaction.Epoch, TransactionVersion: p.Transaction.Version, Checkpoint: p.Checkpoint, Topic: p.Topic,
		FirstRecordMillis: p.FirstRecordMillis, TimeoutMillis: p.TimeoutMillis, Rows: p.Rows, Attempt: i.Attempt,
	}
	return c.encode()
}
