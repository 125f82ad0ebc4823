package realkafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce appends values to a partition in their order and returns once the broker has acknowledged all of them. It sends
// while values may still be on their way, so a sequence that takes its time makes a slow writer; it rides out a broker
// that is killed and restarted, and no value is written twice. A value must not change after it was given. An end of ctx
// ends the wait, not the sequence: a sequence that blocks heeds ctx itself.
func (b *Broker) Produce(ctx context.Context, topic string, partition int, values iter.Seq[[]byte]) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableClientMetrics())
	if err != nil {
		return err
	}
	defer client.Close()
	var first firstError
	for value := range values {
		record := &kgo.Record{Topic: topic, Partition: int32(partition), Value: value}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) { first.set(err) })
		if first.get() != nil {
			break
		}
	}
	first.set(client.Flush(ctx))
	if err := first.get(); err != nil {
		return fmt.Errorf("produce to %s, partition %d: %w", topic, partition, err)
	}
	return nil
}

// firstError keeps the first error that several goroutines report.
type firstError struct {
	mu struct {
		sync.Mutex
		err error
	}
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.err == nil {
		f.mu.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.err
}

// Tail follows what is committed in a topic. It is not safe for concurrent use; the caller closes it.
type Tail struct {
	client *kgo.Client
	topic  string
	next   map[int32]int64 // the offset behind the last one read
	count  int64
}

// Tail begins at the beginning of the topic.
func (b *Broker) Tail(topic string) (*Tail, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableClientMetrics())
	if err != nil {
		return nil, err
	}
	return &Tail{client: client, topic: topic, next: make(map[int32]int64)}, nil
}

// Count reads everything that is committed by now and returns how many records that is from the beginning.
func (t *Tail) Count(ctx context.Context) (int64, error) {
	stable, err := t.stable(ctx)
	if err != nil {
		return 0, fmt.Errorf("committed end of topic %s: %w", t.topic, err)
	}
	for t.behind(stable) {
		fetches := t.client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return 0, fmt.Errorf("read topic %s: %w", t.topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			t.next[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				t.count++
			}
		})
	}
	return t.count, nil
}

func (t *Tail) behind(stable map[int32]int64) bool {
	for p, end := range stable {
		if t.next[p] < end {
			return true
		}
	}
	return false
}

// stable asks for the last stable offset of each partition: what is before it is committed or aborted.
func (t *Tail) stable(ctx context.Context) (map[int32]int64, error) {
	partitions, err := t.partitions(ctx)
	if err != nil {
		return nil, err
	}
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID, request.IsolationLevel = -1, 1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = t.topic
	for p := range partitions {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p, -1
		topic.Partitions = append(topic.Partitions, partition)
	}
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, t.client)
	if err != nil {
		return nil, err
	}
	out := make(map[int32]int64)
	for _, topic := range answer.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			out[p.Partition] = p.Offset
		}
	}
	return out, nil
}

func (t *Tail) partitions(ctx context.Context) (map[int32]bool, error) {
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = new(t.topic)
	request.Topics = append(request.Topics, topic)
	answer, err := request.RequestWith(ctx, t.client)
	if err != nil {
		return nil, err
	}
	if len(answer.Topics) != 1 {
		return nil, errors.New("no answer for the topic")
	}
	if err := kerr.ErrorForCode(answer.Topics[0].ErrorCode); err != nil {
		return nil, err
	}
	out := make(map[int32]bool)
	for _, p := range answer.Topics[0].Partitions {
		out[p.Partition] = true
	}
	return out, nil
}

// Close ends the client.
func (t *Tail) Close() { t.client.Close() }
