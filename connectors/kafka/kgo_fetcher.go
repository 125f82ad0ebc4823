package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/failure"
)

// fetcher is a Fetcher that sends its own fetch requests, one at a time to
// each broker, and walks the record batches of the answers itself: the client's
// consumer makes an object of every record, which costs more than all the rest
// of reading. What it leaves to the client is connections, versions, brokers.
//
// One goroutine finds leaders; one for each broker that leads a partition
// fetches. A partition is busy from the moment it is put into a request until
// its chunk is in the queue, so that a move of its leader can't turn chunks round.
type fetcher struct {
	cluster *cluster
	spec    FetchSpec
	ctx     context.Context //nolint:containedctx // the life of the fetcher's goroutines
	cancel  context.CancelFunc
	wait    sync.WaitGroup

	ready   chan *Chunk // bounds what is fetched ahead
	current *Chunk      // in the hands of the caller of Next
	unled   chan struct{}

	mu struct {
		sync.Mutex
		partitions map[Partition]*fetching
		loops      map[int32]chan struct{} // a signal for each broker's goroutine
		addresses  map[int32]string        // of brokers, for people
		free       []*Chunk
	}
	memory unpacked
}

// fetching is a partition that is being read.
type fetching struct {
	Partition
	id     TopicID
	next   int64 // the offset to ask for
	leader int32 // noLeader: not known
	epoch  int32 // of the leader
	busy   bool  // in a request, or its chunk on the way to the queue
	// trouble is what is tried again, from the first failure to the next answer.
	trouble string
}

const noLeader = -1

// Fetch implements Cluster.
func (c *cluster) Fetch(s FetchSpec) (Fetcher, error) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &fetcher{
		cluster: c, spec: s, ctx: ctx, cancel: cancel,
		ready: make(chan *Chunk, fetchQueueMax), unled: make(chan struct{}, 1),
	}
	f.mu.partitions = make(map[Partition]*fetching)
	f.mu.loops = make(map[int32]chan struct{})
	f.mu.addresses = make(map[int32]string)
	f.wait.Go(f.findLeaders)
	return f, nil
}

// Add implements Fetcher.
func (f *fetcher) Add(starts []FetchStart) error {
	f.mu.Lock()
	for _, s := range starts {
		f.mu.partitions[s.Partition] = &fetching{Partition: s.Partition, id: s.ID, next: s.Offset, leader: noLeader}
	}
	f.mu.Unlock()
	ring(f.unled)
	return nil
}

// Remove implements Fetcher.
func (f *fetcher) Remove(p Partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(p)
}

// Next implements Fetcher.
func (f *fetcher) Next() (*Chunk, bool) {
	select {
	case c := <-f.ready:
		f.recycle(f.current)
		f.current = c
		return c, true
	default:
		return nil, false
	}
}

// Close implements Fetcher.
func (f *fetcher) Close() {
	f.cancel()
	f.wait.Wait()
}

func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// loop wakes the goroutine of a broker, and starts it at first. f.mu is held.
func (f *fetcher) loop(broker int32) {
	signal := f.mu.loops[broker]
	if signal == nil {
		signal = make(chan struct{}, 1)
		f.mu.loops[broker] = signal
		f.wait.Go(func() { f.fetchFrom(broker, signal) })
	}
	ring(signal)
}

// fetchFrom reads from one broker what it leads.
func (f *fetcher) fetchFrom(broker int32, signal <-chan struct{}) {
	w := walker{decompress: f.memory.decompressor(), committed: f.spec.Committed}
	pause := doubtPauseMin
	for turn := 0; f.ctx.Err() == nil; turn++ {
		wanted := f.claim(broker, turn)
		if len(wanted) == 0 {
			select {
			case <-signal:
			case <-f.ctx.Done():
			}
			continue
		}
		answer, err := f.ask(broker, wanted)
		if err == nil {
			err = kerr.ErrorForCode(answer.ErrorCode)
		}
		if err != nil {
			if pause == doubtPauseMin && f.ctx.Err() == nil {
				f.spec.Warn("fetching is interrupted", err)
			}
			f.unlead(broker, wanted, err)
			if !sleep(f.ctx, pause) {
				return
			}
			pause = min(2*pause, doubtPauseMax)
			continue
		}
		pause = doubtPauseMin
		f.deliver(&w, wanted, answer)
	}
}

// claim takes the partitions that a broker leads, beginning with another one
// each time: a broker fills its answer in the order of the request.
func (f *fetcher) claim(broker int32, turn int) []fetching {
	f.mu.Lock()
	defer f.mu.Unlock()
	var wanted []fetching
	for _, p := range f.mu.partitions {
		if p.leader == broker && !p.busy {
			p.busy = true
			wanted = append(wanted, *p)
		}
	}
	return rotated(wanted, turn)
}

// unlead gives claimed partitions back and has their leaders looked up.
func (f *fetcher) unlead(broker int32, wanted []fetching, cause error) {
	f.mu.Lock()
	trouble := fmt.Sprintf("to fetch from broker %d at %s is tried again: %v", broker, f.mu.addresses[broker], cause)
	for i := range wanted {
		if p := f.mu.partitions[wanted[i].Partition]; p != nil {
			p.busy, p.leader, p.trouble = false, noLeader, trouble
		}
	}
	f.tell()
	f.mu.Unlock()
	ring(f.unled)
}

func (f *fetcher) ask(broker int32, wanted []fetching) (*kmsg.FetchResponse, error) {
	r := kmsg.NewPtrFetchRequest()
	r.ReplicaID, r.MaxWaitMillis, r.MinBytes, r.MaxBytes = -1, fetchWaitMillis, 1, fetchBytesMax
	r.SessionEpoch = -1 // every request is whole
	if f.spec.Committed {
		r.IsolationLevel = 1
	}
	topics := make(map[string]int)
	for i := range wanted {
		p := &wanted[i]
		at, ok := topics[p.Topic]
		if !ok {
			at = len(r.Topics)
			topics[p.Topic] = at
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = p.Topic, p.id
			r.Topics = append(r.Topics, t)
		}
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.CurrentLeaderEpoch, part.FetchOffset = p.Index, p.epoch, p.next
		part.PartitionMaxBytes = fetchPartitionBytesMax
		r.Topics[at].Partitions = append(r.Topics[at].Partitions, part)
	}
	ctx, cancel := context.WithTimeout(f.ctx, fetchTimeout)
	defer cancel()
	answer, err := f.cluster.main.Broker(int(broker)).Request(ctx, r)
	if err != nil {
		return nil, err
	}
	return answer.(*kmsg.FetchResponse), nil
}

// deliver makes chunks of an answer and releases the partitions.
func (f *fetcher) deliver(w *walker, wanted []fetching, answer *kmsg.FetchResponse) {
	for i := range wanted {
		p := &wanted[i]
		got := partitionOf(answer, p)
		if got == nil {
			f.release(p, p.next, nil)
			continue
		}
		c, retry := f.chunkOf(w, p, got)
		if c == nil {
			f.release(p, p.next, retry)
			continue
		}
		next := c.Next
		failed := c.Err != nil
		if !f.hand(c) {
			return
		}
		if failed {
			f.Remove(p.Partition)
			continue
		}
		f.release(p, next, nil)
	}
}

func partitionOf(answer *kmsg.FetchResponse, p *fetching) *kmsg.FetchResponseTopicPartition {
	for t := range answer.Topics {
		topic := &answer.Topics[t]
		if topic.Topic != p.Topic && (TopicID(topic.TopicID) != p.id || p.id == (TopicID{})) {
			continue
		}
		for i := range topic.Partitions {
			if topic.Partitions[i].Partition == p.Index {
				return &topic.Partitions[i]
			}
		}
	}
	return nil
}

// chunkOf makes a chunk of a partition's part of an answer: none if there is
// nothing new. retry asks, and says why, for another look at who leads it.
func (f *fetcher) chunkOf(w *walker, p *fetching, got *kmsg.FetchResponseTopicPartition) (c *Chunk, retry error) {
	err := kerr.ErrorForCode(got.ErrorCode)
	if err != nil && (kerr.IsRetriable(err) || errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID)) {
		return nil, err // a topic that was recreated shows when its leader is looked up
	}
	if err == nil && len(got.RecordBatches) == 0 {
		return nil, nil
	}
	c = f.chunk()
	c.Partition = p.Partition
	if err != nil {
		c.Next, c.Err = p.next, fetchError(err)
		return c, nil
	}
	ending := make([]aborted, len(got.AbortedTransactions))
	for i, a := range got.AbortedTransactions {
		ending[i] = aborted{a.ProducerID, a.FirstOffset}
	}
	if err := w.walk(got.RecordBatches, p.next, ending, c); err != nil {
		c.Err = failure.External(fmt.Errorf("fetch: %w", err), failure.Restart)
	}
	if c.Next == p.next && c.Err == nil {
		f.recycle(c)
		return nil, nil
	}
	return c, nil
}

// release lets a partition be fetched from an offset on, by whoever leads it:
// another one perhaps, when the one that was asked refused.
func (f *fetcher) release(claimed *fetching, next int64, refused error) {
	f.mu.Lock()
	p := f.mu.partitions[claimed.Partition]
	if p == nil {
		f.mu.Unlock()
		return
	}
	p.busy, p.next = false, next
	if refused == nil && p.trouble != "" {
		p.trouble = ""
		f.tell()
	}
	if refused != nil {
		p.trouble = fmt.Sprintf("to fetch from broker %d at %s is tried again: %v", claimed.leader, f.mu.addresses[claimed.leader], refused)
		p.leader = noLeader
		f.tell()
	} else if p.leader != claimed.leader && p.leader != noLeader {
		f.loop(p.leader) // it moved meanwhile
	}
	f.mu.Unlock()
	if refused != nil {
		ring(f.unled)
	}
}

// hand puts a chunk into the queue; false if the fetcher is closed.
func (f *fetcher) hand(c *Chunk) bool {
	select {
	case f.ready <- c:
		f.spec.Wake()
		return true
	case <-f.ctx.Done():
		return false
	}
}

func (f *fetcher) chunk() *Chunk {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last := len(f.mu.free) - 1; last >= 0 {
		c := f.mu.free[last]
		f.mu.free = f.mu.free[:last]
		return c
	}
	return &Chunk{}
}

// recycle forgets a chunk's records and keeps its memory.
func (f *fetcher) recycle(c *Chunk) {
	if c == nil {
		return
	}
	f.memory.put(c.memory)
	clear(c.Values)
	clear(c.memory)
	*c = Chunk{Values: c.Values[:0], Offsets: c.Offsets[:0], memory: c.memory[:0]}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mu.free) <= fetchQueueMax {
		f.mu.free = append(f.mu.free, c)
	}
}

var errRecreated = errors.New("the topic was deleted and created again: what was to be read is gone")

// fetchError tells what is lost from what a restart may find again.
func fetchError(err error) error {
	if errors.Is(err, kerr.OffsetOutOfRange) {
		return failure.External(fmt.Errorf("the broker has no such offset any more: %w", err), failure.Never)
	}
	if isForbidden(err) {
		return forbid("fetch", err)
	}
	return failure.External(fmt.Errorf("fetch: %w", err), failure.Restart)
}

// rotated turns a list round, after its order was made one that is always the same.
func rotated(wanted []fetching, turn int) []fetching {
	if len(wanted) < 2 {
		return wanted
	}
	slices.SortFunc(wanted, func(a, b fetching) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
	})
	n := turn % len(wanted)
	return append(wanted[n:len(wanted):len(wanted)], wanted[:n]...)
}
