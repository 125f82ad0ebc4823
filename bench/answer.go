package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"millrace/connectors"
	"millrace/connectors/blackhole"
	"millrace/connectors/nexmark"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// answer sums a result up, in whatever order its rows come.
type answer struct {
	rows, bids int64
	sum        uint64 // of the rows' hashes
}

// row is one window of one auction.
type row struct{ auction, start, bids, total, highest int64 }

func (a *answer) add(r row) {
	h := uint64(0)
	for _, v := range [...]int64{r.auction, r.start, r.bids, r.total, r.highest} {
		h = (h ^ uint64(v)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	a.rows++
	a.bids += r.bids
	a.sum += h
}

// compare tells what is wrong with an answer.
func (a *answer) compare(want answer) error {
	if *a == want {
		return nil
	}
	return fmt.Errorf("the answer is wrong: %d rows of %d bids with checksum %x, want %d rows of %d bids with checksum %x",
		a.rows, a.bids, a.sum, want.rows, want.bids, want.sum)
}

// checkedSink sums up what the job's sink is given.
type checkedSink struct {
	mu sync.Mutex
	answer
}

func (s *checkedSink) factory() connectors.SinkFactory {
	return connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return options.Spec{Name: checkedConnector}, nil },
		Open: func(map[string]string, *types.Schema) (connectors.Sink, error) {
			return blackhole.Sink{Watch: s.watch}, nil
		},
	}
}

// watch takes rows of auction, window_start, window_end, bids, total, highest.
func (s *checkedSink) watch(_ int32, b *stream.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := b.Columns
	for i := range b.Rows() {
		at := b.Row(i)
		s.add(row{
			auction: stream.Value[int64](&c[0], at), start: stream.Value[int64](&c[1], at), bids: stream.Value[int64](&c[3], at),
			total: stream.Value[int64](&c[4], at), highest: stream.Value[int64](&c[5], at),
		})
	}
	return nil
}

// bids are the distinct ones, in the order of event time.
type bids struct{ auction, price, millis []int64 }

// distinctBids reads a cycle of the stream, in one piece and without preparing it.
func (r run) distinctBids(ctx context.Context, cycle int64) (*bids, error) {
	given := r.source()
	delete(given, "prepared-batches")
	given["events.num"] = strconv.FormatInt(cycle, 10)
	return readBids(ctx, given)
}

// readBids reads the generator's bids in one piece.
func readBids(ctx context.Context, given map[string]string) (*bids, error) {
	given["splits"] = "1"
	schema := types.NewSchema(bidSchema.Fields[auctionColumn], bidSchema.Fields[priceColumn], bidSchema.Fields[timeColumn])
	source, err := nexmark.Open(given, schema)
	if err != nil {
		return nil, err
	}
	reader, err := openReader(ctx, source, schema)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	out := &bids{}
	for {
		b, status, err := reader.Read()
		if err != nil || (b == nil && status == connectors.Done) {
			return out, err
		}
		if b == nil {
			continue
		}
		out.auction = append(out.auction, stream.Values[int64](&b.Columns[0])...)
		out.price = append(out.price, stream.Values[int64](&b.Columns[1])...)
		out.millis = append(out.millis, stream.Values[int64](&b.Columns[2])...)
		b.Release()
	}
}

// openReader returns a reader of every split.
func openReader(ctx context.Context, source *nexmark.Source, s *types.Schema) (connectors.Reader, error) {
	return openReaderIn(ctx, source, s, &stream.Pool{})
}

// openReaderIn is openReader with batches from a pool.
func openReaderIn(ctx context.Context, source *nexmark.Source, s *types.Schema, p *stream.Pool) (connectors.Reader, error) {
	e, err := source.Enumerator(connectors.EnumeratorContext{Identity: connectors.Identity{Parallelism: 1}, Clock: clock.System()})
	if err != nil {
		return nil, err
	}
	assignments, err := e.Start(ctx)
	if err != nil {
		return nil, err
	}
	reader, err := source.Reader(connectors.ReaderContext{
		Schema: s, Pool: p, Clock: clock.System(), RowsMax: stream.RowsMax, Metrics: new(metrics.Task),
	})
	if err != nil {
		return nil, err
	}
	reader.NoMoreSplits()
	return reader, reader.Assign(assignments[0].Splits)
}

// expected computes the answer directly: bids come in the order of event time, so
// that one window is open at a time.
func (r run) expected(ctx context.Context) (answer, error) {
	cycle, err := r.cycle()
	if err != nil {
		return answer{}, err
	}
	b, err := r.distinctBids(ctx, cycle)
	if err != nil {
		return answer{}, fmt.Errorf("read bids: %w", err)
	}
	w := newWindows(b)
	left := r.events() / epochEvents * epochBids
	for c := int64(0); left > 0; c++ {
		n := min(left, int64(len(b.auction)))
		w.fold(b, int(n), c*cycle*1000/r.rate)
		left -= n
	}
	w.flush()
	return w.answer, nil
}

// windows folds bids, a window at a time, into arrays by auction.
type windows struct {
	answer  answer
	first   int64 // auction of element 0
	open    []row // bids = 0: not in the window
	touched []int64
	start   int64
}

func newWindows(b *bids) *windows {
	w := &windows{first: b.auction[0]}
	last := w.first
	for _, id := range b.auction {
		w.first, last = min(w.first, id), max(last, id)
	}
	w.open = make([]row, last-w.first+1)
	return w
}

func (w *windows) fold(b *bids, n int, later int64) {
	size := windowSize.Milliseconds()
	for i := range n {
		if start := (b.millis[i] + later) / size * size; start != w.start {
			w.flush()
			w.start = start
		}
		r := &w.open[b.auction[i]-w.first]
		if r.bids == 0 {
			w.touched = append(w.touched, b.auction[i])
		}
		r.bids++
		r.total += b.price[i]
		r.highest = max(r.highest, b.price[i])
	}
}

func (w *windows) flush() {
	for _, id := range w.touched {
		r := &w.open[id-w.first]
		r.auction, r.start = id, w.start
		w.answer.add(*r)
		*r = row{}
	}
	w.touched = w.touched[:0]
}
