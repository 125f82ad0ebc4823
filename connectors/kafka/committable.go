package kafka

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"millrace/failure"
	"millrace/types"
)

// committable is all that is needed to commit a prepared transaction from
// anywhere, and to tell later whether it was.
type committable struct {
	Version            int                `json:"v"`
	TransactionalID    string             `json:"id"`
	MarkerGroup        string             `json:"group,omitempty"`
	ProducerID         int64              `json:"producerId"`
	Epoch              int16              `json:"epoch"`
	TransactionVersion int16              `json:"tv"`
	Checkpoint         types.CheckpointID `json:"checkpoint"`
	Topic              string             `json:"topic"`
	FirstRecordMillis  int64              `json:"firstRecord"` // by the writer's wall clock
	TimeoutMillis      int32              `json:"timeout"`
	Rows               int64              `json:"rows"`
	Attempt            types.Attempt      `json:"attempt"`
	// Offsets say where the rows are, by partition: [partition, first, last].
	// Of a topic of very many partitions some are missing.
	Offsets [][3]int64 `json:"offsets,omitempty"`
}

func (c *committable) transaction() Transaction {
	return Transaction{c.TransactionalID, c.ProducerID, c.Epoch, c.TransactionVersion}
}

// group is where the marker is: those who wrote no group had it named after the
// transactional id.
func (c *committable) group() string { return cmp.Or(c.MarkerGroup, c.TransactionalID) }

// age is how long ago the first record was written.
func (c *committable) age(now time.Time) time.Duration {
	return now.Sub(time.UnixMilli(c.FirstRecordMillis))
}

// offsets says where the rows are, for whoever looks for them.
func (c *committable) offsets() string {
	if len(c.Offsets) == 0 {
		return "at unknown offsets"
	}
	parts := make([]string, len(c.Offsets))
	for i, o := range c.Offsets {
		parts[i] = fmt.Sprintf("partition %d: %d to %d", o[0], o[1], o[2])
	}
	return "within the offsets " + strings.Join(parts, ", ")
}

// covers notes where the rows are.
func (c *committable) covers(written []WrittenRange) {
	for _, w := range written[:min(len(written), rangesMax)] {
		c.Offsets = append(c.Offsets, [3]int64{int64(w.Partition), w.First, w.Last})
	}
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

// names are those of one sink of a job: of transactional ids, and of the groups
// in which the committer finds proofs and leaves notes.
type names struct {
	prefix   string
	job      types.JobID
	operator types.OperatorUID
}

// of names the sink, and the group of the committer's own notes.
func (n names) of() string { return fmt.Sprintf("%s.%s.%s", n.prefix, n.job, n.operator) }

// group names the markers of the k-th id of a subtask, in all attempts: so the
// newest commit is found without knowing which attempts there were.
func (n names) group(subtask int32, k int) string { return fmt.Sprintf("%s.%d.%d", n.of(), subtask, k) }

// id names the k-th transactional id of a subtask in an attempt. No two attempts
// that could meet share one: initialising an id aborts what is prepared under it,
// and nothing keeps an attempt that is over, but whose process does not know it
// yet, from doing so late.
func (n names) id(subtask int32, k int, a types.Attempt) string {
	return fmt.Sprintf("%s.%d", n.group(subtask, k), a%generations)
}
