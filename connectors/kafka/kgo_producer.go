package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/failure"
)

// producer is a Producer: a client of its own.
type producer struct {
	client      *kgo.Client
	transaction Transaction
	// written is by partition. The client calls promises one after the other; who
	// reads it was told by done that they are over.
	written []WrittenRange
}

// Producer implements Cluster.
func (c *cluster) Producer(ctx context.Context, s ProducerSpec) (Producer, error) {
	opts, err := producerOptions(s)
	if err != nil {
		return nil, err
	}
	client, err := c.client(opts...)
	if err != nil {
		return nil, err
	}
	p := &producer{client: client}
	if s.TransactionalID == "" {
		return p, nil
	}
	if err := p.begin(ctx, s.TransactionalID); err != nil {
		client.Close()
		return nil, err
	}
	return p, nil
}

func producerOptions(s ProducerSpec) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.DefaultProduceTopic(s.Topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(time.Duration(s.LingerMillis) * time.Millisecond),
		kgo.MaxBufferedRecords(bufferedRecordsMax), kgo.RecordPartitioner(partitioner(s)),
		kgo.AllowAutoTopicCreation(), // it is for the brokers to decide
	}
	if s.BatchBytesMax > 0 {
		opts = append(opts, kgo.ProducerBatchMaxBytes(s.BatchBytesMax))
	}
	codec, ok := codecs[s.Compression]
	if !ok {
		return nil, failure.Userf("no compression is named %q", s.Compression)
	}
	opts = append(opts, kgo.ProducerBatchCompression(codec()))
	if s.TransactionalID != "" {
		opts = append(opts, kgo.TransactionalID(s.TransactionalID),
			kgo.TransactionTimeout(time.Duration(s.TimeoutMillis)*time.Millisecond))
	}
	return opts, nil
}

var codecs = map[string]func() kgo.CompressionCodec{
	"":       kgo.NoCompression,
	"none":   kgo.NoCompression,
	"gzip":   kgo.GzipCompression,
	"snappy": kgo.SnappyCompression,
	"lz4":    kgo.Lz4Compression,
	"zstd":   kgo.ZstdCompression,
}

func partitioner(s ProducerSpec) kgo.Partitioner {
	switch s.Partitioner {
	case partitionFixed:
		return kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
			return func(_ *kgo.Record, n int) int { return int(s.Subtask) % n }
		})
	case partitionRoundRobin:
		return kgo.RoundRobinPartitioner()
	}
	return kgo.StickyKeyPartitioner(nil) // Kafka's: the key's hash, or a batch here and the next there
}

// begin initialises the id and begins the only transaction that this client has.
func (p *producer) begin(ctx context.Context, id string) error {
	version, err := transactionVersion(ctx, p.client)
	if err != nil {
		return err
	}
	pid, epoch, err := p.client.ProducerID(ctx)
	if err != nil {
		return external("initialise transactional id "+id, err)
	}
	p.transaction = Transaction{TransactionalID: id, ProducerID: pid, Epoch: epoch, Version: version}
	if err := p.client.BeginTransaction(); err != nil {
		return external("begin a transaction of "+id, err)
	}
	return nil
}

// Transaction implements Producer.
func (p *producer) Transaction() Transaction { return p.transaction }

// Produce implements Producer.
func (p *producer) Produce(ctx context.Context, rs []Record, done func(error)) {
	if len(rs) == 0 {
		done(nil)
		return
	}
	b := &produced{producer: p, records: make([]kgo.Record, len(rs)), done: done}
	b.left.Store(int64(len(rs)))
	promise := b.acknowledged
	for i := range rs {
		b.records[i].Key, b.records[i].Value = rs[i].Key, rs[i].Value
		p.client.Produce(ctx, &b.records[i], promise)
	}
}

// produced are the records of one call of Produce.
type produced struct {
	producer *producer
	records  []kgo.Record
	left     atomic.Int64
	once     sync.Once
	err      error
	done     func(error)
}

func (b *produced) acknowledged(r *kgo.Record, err error) {
	if err != nil {
		b.once.Do(func() { b.err = err })
	} else {
		b.producer.note(r.Partition, r.Offset)
	}
	if b.left.Add(-1) == 0 {
		b.done(b.err)
	}
}

// note widens what is written in a partition by a record.
func (p *producer) note(partition int32, offset int64) {
	if offset < 0 {
		return // the broker did not say
	}
	for int(partition) >= len(p.written) {
		p.written = append(p.written, WrittenRange{Partition: int32(len(p.written)), First: -1})
	}
	w := &p.written[partition]
	if w.First < 0 {
		w.First, w.Last = offset, offset
	}
	w.First, w.Last = min(w.First, offset), max(w.Last, offset)
}

// Written implements Producer.
func (p *producer) Written() []WrittenRange {
	return slices.DeleteFunc(slices.Clone(p.written), func(w WrittenRange) bool { return w.First < 0 })
}

// Flush implements Producer.
func (p *producer) Flush(ctx context.Context) error {
	if err := p.client.Flush(ctx); err != nil {
		return external("flush", err)
	}
	return nil
}

// Unchanged implements Producer.
func (p *producer) Unchanged(ctx context.Context) error {
	pid, epoch, err := p.client.ProducerID(ctx)
	if err != nil {
		return external("producer id", err)
	}
	if pid != p.transaction.ProducerID || epoch != p.transaction.Epoch {
		return failure.External(fmt.Errorf("%w: producer %d epoch %d of %s became producer %d epoch %d", errTransactionGone,
			p.transaction.ProducerID, p.transaction.Epoch, p.transaction.TransactionalID, pid, epoch), failure.Restart)
	}
	return nil
}

var errTransactionGone = errors.New("the transaction was given up by the client")

// Close implements Producer.
func (p *producer) Close() { p.client.Close() }
