package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/failure"
)

// kafka is the demo's own way to the brokers, apart from the engine's.
type kafka struct {
	brokers []string
	client  *kgo.Client
	admin   *kadm.Client
}

// silence is how long the brokers may give nothing where there is something to read.
const silence = 30 * time.Second

func dial(brokers string) (*kafka, error) {
	k := &kafka{brokers: strings.Split(brokers, ",")}
	var err error
	if k.client, err = kgo.NewClient(kgo.SeedBrokers(k.brokers...)); err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	k.admin = kadm.NewClient(k.client)
	return k, nil
}

func (k *kafka) close() { k.client.Close() }

// create makes topics that must not be there yet.
func (k *kafka) create(ctx context.Context, partitions int32, topics ...string) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	created, err := k.admin.CreateTopics(ctx, partitions, -1, nil, topics...)
	if err == nil {
		err = created.Error()
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return failure.Userf("one of the topics %s is there already: %w", strings.Join(topics, ", "), err)
	}
	if err != nil {
		return failure.External(fmt.Errorf("create topics %s: %w", strings.Join(topics, ", "), err), failure.Never)
	}
	return nil
}

// read gives every committed record of a topic to each, a partition after the other in the order of offsets. It fails if
// there are records in transactions that nobody has ended.
func (k *kafka) read(ctx context.Context, topic string, each func(value []byte) error) error {
	starts, err := k.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	ends, err := k.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	stable, err := k.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	for p, end := range ends[topic] {
		if s := stable[topic][p]; s.Offset < end.Offset {
			return failure.Internalf("topic %s, partition %d: records from offset %d on are in a transaction that nobody has ended", topic, p, s.Offset)
		}
		start := starts[topic][p].Offset
		if err := k.readPartition(ctx, topic, p, start, end.Offset, each); err != nil {
			return fmt.Errorf("read topic %s, partition %d: %w", topic, p, err)
		}
	}
	return nil
}

// readPartition reads offsets from start to before end. Control records are among what comes, since the last offset is
// often one of theirs.
func (k *kafka) readPartition(ctx context.Context, topic string, p int32, start, end int64, each func([]byte) error) error {
	if start >= end {
		return nil
	}
	reader, err := kgo.NewClient(
		kgo.SeedBrokers(k.brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().At(start)}}),
	)
	if err != nil {
		return err
	}
	defer reader.Close()
	for at := start; at < end; {
		if at, err = poll(ctx, reader, at, end, each); err != nil {
			return err
		}
	}
	return nil
}

// poll takes what is there, up to end, and returns the offset behind it.
func poll(ctx context.Context, reader *kgo.Client, at, end int64, each func([]byte) error) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	fetches := reader.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return at, failure.External(err, failure.Never)
	}
	var failed error
	fetches.EachRecord(func(r *kgo.Record) {
		if failed != nil || r.Offset >= end {
			return
		}
		at = r.Offset + 1
		if !r.Attrs.IsControl() {
			failed = each(r.Value)
		}
	})
	return at, failed
}
