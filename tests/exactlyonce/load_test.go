package exactlyonce

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"millrace/internal/testutil/realkafka"
)

// load is input without end, each record a function of its number alone: bids in the order of time, dealt out to the
// partitions in turn.
type load struct {
	partitions int64
	perPart    int64 // records of a partition
}

const (
	loadBegin  = 1_700_000_000_000 // a whole window
	loadStep   = 2                 // milliseconds from one bid to the next
	loadKeys   = 300
	loadPrices = 10_000
)

// at returns what counts of a bid.
func (l load) at(partition, offset int64) bid {
	i := offset*l.partitions + partition
	x := uint64(i) * 0x9E3779B97F4A7C15 // spreads neighbours
	return bid{auction: 1000 + int64(x>>32%loadKeys), price: int64(x >> 40 % loadPrices), millis: loadBegin + i*loadStep}
}

// record returns the whole bid as flat JSON.
func (l load) record(partition, offset int64) []byte {
	b := l.at(partition, offset)
	return fmt.Appendf(nil,
		`{"auction":%d,"bidder":%d,"price":%d,"channel":"channel-%d","url":"https://www.nexmark.com/%d/item.htm?query=1","dateTime":%q,"extra":"a\\b\u00e9 %d"}`,
		b.auction, 2000+offset%97, b.price, offset%13, b.auction, time.UnixMilli(b.millis).UTC().Format("2006-01-02 15:04:05.000"), offset)
}

func (l load) model() model {
	m := model{}
	for p := range l.partitions {
		for o := range l.perPart {
			m.add(l.at(p, o))
		}
	}
	return m
}

func (l load) ends() []int64 {
	var ends []int64
	for range l.partitions {
		ends = append(ends, l.perPart)
	}
	return ends
}

// tap lets a writer write up to a limit that the test raises.
type tap struct {
	mu struct {
		sync.Mutex
		limit  int64
		raised chan struct{} // closed when the limit is raised
	}
}

func newTap() *tap {
	t := &tap{}
	t.mu.raised = make(chan struct{})
	return t
}

// raise lets each partition have so many records.
func (t *tap) raise(limit int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit > t.mu.limit {
		t.mu.limit = limit
		close(t.mu.raised)
		t.mu.raised = make(chan struct{})
	}
}

// drip raises the limit step by step up to a bound until the context ends, so that the input comes while the job runs.
// Behind the bound it goes on at a tenth of the pace: a job that waits for a checkpoint with output gets one.
func (t *tap) drip(ctx context.Context, perSecond, bound int64) {
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
			t.raise(min(limit+step, bound))
		} else {
			t.raise(limit + max(1, step/10))
		}
	}
}

func (t *tap) state() (limit int64, raised <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.limit, t.mu.raised
}

// through passes n values on as the limit allows.
func (t *tap) through(ctx context.Context, n int64, value func(offset int64) []byte) iter.Seq[[]byte] {
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

// writing are the writers of a topic, one a partition.
type writing struct {
	group sync.WaitGroup
	mu    struct {
		sync.Mutex
		err error
	}
}

// write starts a writer for each partition; wait waits for them.
func write(ctx context.Context, b *realkafka.Broker, topic string, t *tap, ends []int64, value func(partition, offset int64) []byte) *writing {
	w := &writing{}
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

func (w *writing) wait() error {
	w.group.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.err
}
