package kafka

import (
	"encoding/json"
	"fmt"
	"time"

	"millrace/internal/failure"
	"millrace/types"
)

// committable is all that is needed to commit a prepared transaction from
// anywhere, and to tell later whether it was.
type committable struct {
	Version            int                `json:"v"`
	TransactionalID    string             `json:"id"`
	ProducerID         int64              `json:"producerId"`
	Epoch              int16              `json:"epoch"`
	TransactionVersion int16              `json:"tv"`
	Checkpoint         types.CheckpointID `json:"checkpoint"`
	Topic              string             `json:"topic"`
	FirstRecordMillis  int64              `json:"firstRecord"` // by the writer's wall clock
	TimeoutMillis      int32              `json:"timeout"`
	Rows               int64              `json:"rows"`
	Attempt            types.Attempt      `json:"attempt"`
}

func (c *committable) transaction() Transaction {
	return Transaction{c.TransactionalID, c.ProducerID, c.Epoch, c.TransactionVersion}
}

// age is how long ago the first record was written.
func (c *committable) age(now time.Time) time.Duration {
	return now.Sub(time.UnixMilli(c.FirstRecordMillis))
}

// String names the transaction for whoever has to find out about it.
func (c *committable) String() string {
	return fmt.Sprintf("transaction %s (checkpoint %d, topic %s, %d rows, first at %s, producer %d, epoch %d, attempt %d)",
		c.TransactionalID, c.Checkpoint, c.Topic, c.Rows, time.UnixMilli(c.FirstRecordMillis).UTC().Format(time.RFC3339),
		c.ProducerID, c.Epoch, c.Attempt)
}

func (c *committable) encode() ([]byte, error) {
	c.Version = stateVersion
	return json.Marshal(c)
}

func decodeCommittable(data []byte) (*committable, error) {
	c := &committable{}
	if err := decodeState(data, c, stateBytesMax, func() int { return c.Version }); err != nil {
		return nil, fmt.Errorf("committable: %w", err)
	}
	if c.TransactionalID == "" || c.Topic == "" || c.Checkpoint == 0 || c.ProducerID < 0 || c.Epoch < 0 {
		return nil, failure.Internalf("committable is incomplete: %s", c)
	}
	return c, nil
}

// transactionalID names an id of a subtask's pool.
func transactionalID(prefix string, job types.JobID, operator types.OperatorUID, subtask int32, k int) string {
	return fmt.Sprintf("%s.%s.%s.%d.%d", prefix, job, operator, subtask, k)
}
