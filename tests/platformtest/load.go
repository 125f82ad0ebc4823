package platformtest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"millrace/internal/testutil/realkafka"
)

// Load is input without end, each record a function of its number alone: bids in the order of time, dealt out to the
// partitions in turn.
type Load struct {
	Partitions int64
	PerPart    int64 // records of a partition
	// Numbered makes the price of a bid its number in the whole input: a total that is wrong by one bid tells which.
	Numbered bool
}

const (
	loadBegin  = 1_700_000_000_000 // a whole window
	loadStep   = 2                 // milliseconds from one bid to the next
	loadKeys   = 300
	loadPrices = 10_000
)

// At returns what counts of a bid.
func (l Load) At(partition, offset int64) Bid {
	i := offset*l.Partitions + partition
	x := uint64(i) * 0x9E3779B97F4A7C15 // spreads neighbours
	b := Bid{Auction: 1000 + int64(x>>32%loadKeys), Price: int64(x >> 40 % loadPrices), Millis: loadBegin + i*loadStep}
	if l.Numbered {
		b.Price = i
	}
	return b
}

// Record returns the whole bid as flat JSON.
func (l Load) Record(partition, offset int64) []byte {
	b := l.At(partition, offset)
	return fmt.Appendf(nil,
		`{"auction":%d,"bidder":%d,"price":%d,"channel":"channel-%d","url":"https://www.nexmark.com/%d/item.htm?query=1","dateTime":%q,"extra":"a\\b\u00e9 %d"}`,
		b.Auction, 2000+offset%97, b.Price, offset%13, b.Auction, time.UnixMilli(b.Millis).UTC().Format("2006-01-02 15:04:05.000"), offset)
}

// Model is what the output of all records must be.
func (l Load) Model() Model {
	m := Model{}
	for p := range l.Partitions {
		for o := range l.PerPart {
			m.Add(l.At(p, o))
		}
	}
	return m
}

// Ends are the records of each partition.
func (l Load) Ends() []int64 {
	var ends []int64
	for range l.Partitions {
		ends = append(ends, l.PerPart)
	}
	return ends
}

// Tap lets a writer write up to a limit that the test raises.
type Tap struct {
	mu struct {
		sync.Mutex
		limit  int64
		raised chan struct{} // closed when the limit is raised
	}
}

// NewTap returns a tap that lets nothing through.
func NewTap() *Tap {
	t := &Tap{}
	t.mu.raised = make(chan struct{})
	return t
}

// Raise lets each partition have so many records.
func (t *Tap) Raise(limit int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit > t.mu.limit {
		t.mu.limit = limit
		close(t.mu.raised)
		t.mu.raised = make(chan struct{})
	}
}

// Drip raises the limit step by step up to a bound until the context ends, so that the input comes while the job runs.
// Behind the bound it goes on at a tenth of the pace: a job that waits for a checkpoint with output gets one.
func (t *Tap) Drip(ctx context.Context, perSecond, bound int64) {
	const every = 20 * time.Millisecond
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	step := max(1, perSecond*every.Milliseconds()/time.Second.Milliseconds())
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		limit, _ := t.state()
		if limit < bound {
			t.Raise(min(limit+step, bound))
		} else {
			t.Raise(limit + max(1, step/10))
		}
	}
}

func (t *Tap) state() (limit int64, raised <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.limit, t.mu.raised
}

// through passes n values on as the limit allows.
func (t *Tap) through(ctx context.Context, n int64, value func(offset int64) []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for at := int64(0); at < n; {
			limit, raised := t.state()
			for ; at < min(limit, n); at++ {
				if !yield(value(at)) {
					return
				}
			}
			if at == n {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-raised:
			}
		}
	}
}

// Writing are the writers of a topic, one a partition.
type Writing struct {
	group sync.WaitGroup
	mu    struct {
		sync.Mutex
		err error
	}
}

// Write starts a writer for each partition; wait waits for them.
func Write(ctx context.Context, b *realkafka.Broker, topic string, t *Tap, ends []int64, value func(partition, offset int64) []byte) *Writing {
	w := &Writing{}
	for p, end := range ends {
		w.group.Go(func() {
			values := t.through(ctx, end, func(o int64) []byte { return value(int64(p), o) })
			if err := b.Produce(ctx, topic, p, values); err != nil {
				w.mu.Lock()
				w.mu.err = err
				w.mu.Unlock()
			}
		})
	}
	return w
}

// Wait returns when all writers have ended, and what is wrong with the first.
func (w *Writing) Wait() error {
	w.group.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err
}
