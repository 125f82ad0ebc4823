package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/failure"
)

// fetcher is a Fetcher: a client that is polled by one goroutine.
type fetcher struct {
	cluster *cluster
	spec    FetchSpec
	client  *kgo.Client // nil before the first Add
	ctx     context.Context
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	polled  chan kgo.Fetches

	ids   map[string]TopicID
	queue []polledPartition
	chunk Chunk
}

type polledPartition struct {
	topic string
	id    TopicID
	part  kgo.FetchPartition
}

// Fetch implements Cluster.
func (c *cluster) Fetch(s FetchSpec) (Fetcher, error) {
	ctx, cancel := context.WithCancel(context.Background())
	return &fetcher{
		cluster: c, spec: s, ctx: ctx, cancel: cancel,
		polled: make(chan kgo.Fetches, fetchQueueMax), ids: make(map[string]TopicID),
	}, nil
}

// Add implements Fetcher.
func (f *fetcher) Add(starts []FetchStart) error {
	partitions := make(map[string]map[int32]kgo.Offset)
	for _, s := range starts {
		if partitions[s.Topic] == nil {
			partitions[s.Topic] = make(map[int32]kgo.Offset)
		}
		partitions[s.Topic][s.Index] = kgo.NewOffset().At(s.Offset)
		f.ids[s.Topic] = s.ID
	}
	if len(starts) == 0 {
		return nil
	}
	if f.client != nil {
		f.client.AddConsumePartitions(partitions)
		return nil
	}
	isolation := kgo.ReadUncommitted()
	if f.spec.Committed {
		isolation = kgo.ReadCommitted()
	}
	client, err := f.cluster.client(
		kgo.ConsumePartitions(partitions), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchIsolationLevel(isolation),
		kgo.FetchMaxBytes(fetchBytesMax), kgo.FetchMaxPartitionBytes(fetchPartitionBytesMax), kgo.KeepControlRecords(),
	)
	if err != nil {
		return err
	}
	f.client = client
	f.wait.Go(f.poll)
	return nil
}

func (f *fetcher) poll() {
	for f.ctx.Err() == nil {
		fetches := f.client.PollFetches(f.ctx)
		select {
		case f.polled <- fetches:
			f.spec.Wake()
		case <-f.ctx.Done():
		}
	}
}

// Remove implements Fetcher.
func (f *fetcher) Remove(p Partition) {
	f.client.RemoveConsumePartitions(map[string][]int32{p.Topic: {p.Index}})
}

// Next implements Fetcher.
func (f *fetcher) Next() (*Chunk, bool) {
	if len(f.queue) == 0 && !f.take() {
		return nil, false
	}
	next := &f.queue[0]
	f.fill(next)
	*next = polledPartition{}
	f.queue = f.queue[1:]
	return &f.chunk, true
}

func (f *fetcher) take() bool {
	select {
	case fetches := <-f.polled:
		f.queue = f.queue[:0]
		fetches.EachTopic(func(t kgo.FetchTopic) {
			for _, p := range t.Partitions {
				if t.Topic != "" && !errors.Is(p.Err, context.Canceled) {
					f.queue = append(f.queue, polledPartition{t.Topic, t.TopicID, p})
				}
			}
		})
		return len(f.queue) > 0
	default:
		return false
	}
}

// fill makes a chunk of what was polled. Markers of transactions are no values,
// but the position moves behind them.
func (f *fetcher) fill(p *polledPartition) {
	c := &f.chunk
	c.Partition = Partition{p.topic, p.part.Partition}
	c.Values, c.Offsets, c.Next, c.Err = c.Values[:0], c.Offsets[:0], -1, nil
	if want := f.ids[p.topic]; want != p.id && want != (TopicID{}) && p.id != (TopicID{}) {
		c.Err = failure.External(errRecreated, failure.Never)
		return
	}
	for _, r := range p.part.Records {
		c.Next = r.Offset + 1
		if r.Attrs.IsControl() {
			continue
		}
		c.Values, c.Offsets = append(c.Values, r.Value), append(c.Offsets, r.Offset)
	}
	if p.part.Err != nil {
		c.Err = fetchError(p.part.Err)
	}
}

var errRecreated = errors.New("the topic was deleted and created again: what was to be read is gone")

// fetchError tells what is lost from what a restart may find again.
func fetchError(err error) error {
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return failure.External(fmt.Errorf("the broker has no such offset any more: %w", err), failure.Never)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return failure.External(fmt.Errorf("%w: %w", errRecreated, err), failure.Never)
	}
	return failure.External(fmt.Errorf("fetch: %w", err), failure.Restart)
}

// Close implements Fetcher.
func (f *fetcher) Close() {
	f.cancel()
	if f.client != nil {
		f.client.Close()
	}
	f.wait.Wait()
}
