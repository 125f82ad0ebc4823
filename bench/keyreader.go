package main

import (
	"context"
	"strconv"
	"sync"

	"millrace/connectors"
	"millrace/connectors/nexmark"
	"millrace/failure"
	"millrace/operators"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// keySource gives the passes: each subtask a stretch of the keys, and the next
// pass only when a barrier has come behind the last one. So it is known, and not
// left to the machine's speed, what changes between two checkpoints.
//
// A batch is one prepared batch of bids of full width with columns of its own
// for auction, price and time, in pooled memory: a million keys take no more
// room here than eight thousand.
type keySource struct {
	passes
	log *changeLog
}

// factory makes the one source that there is.
func (s keySource) factory() connectors.SourceFactory {
	return connectors.SourceFactory{
		Options: func(map[string]string) (options.Spec, error) { return options.Spec{Name: gatedConnector}, nil },
		Open:    func(map[string]string, *types.Schema) (connectors.Source, error) { return s, nil },
	}
}

// Enumerator implements connectors.Source.
func (keySource) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	if ctx.Restored != nil {
		return nil, failure.Internalf("a run of keys does not restore")
	}
	return keyEnumerator{ctx.Parallelism}, nil
}

// Reader implements connectors.Source.
func (s keySource) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	pattern, err := patternBatch(ctx)
	if err != nil {
		return nil, err
	}
	part := func(of int32) int64 { return s.keys * int64(of) / int64(ctx.Parallelism) }
	r := &keyReader{keySource: s, pattern: pattern, first: part(ctx.Subtask), end: part(ctx.Subtask + 1)}
	r.next = r.from(0, r.first)
	return r, nil
}

// patternBatch returns a batch of the generator's bids.
func patternBatch(ctx connectors.ReaderContext) (*stream.Batch, error) {
	given := map[string]string{"event-type": "bid", "splits": "1", "events.num": strconv.Itoa(2 * stream.RowsMax)}
	source, err := nexmark.Open(given, ctx.Schema)
	if err != nil {
		return nil, err
	}
	reader, err := openReaderIn(context.Background(), source, ctx.Schema, ctx.Pool)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	b, _, err := reader.Read()
	if err == nil && b == nil {
		err = failure.Internalf("the generator gives no bids")
	}
	return b, err
}

// keyEnumerator gives every subtask its one split.
type keyEnumerator struct{ parallelism int32 }

// Start implements connectors.Enumerator.
func (e keyEnumerator) Start(context.Context) ([]connectors.Assignment, error) {
	out := make([]connectors.Assignment, e.parallelism)
	for i := range out {
		id := connectors.SplitID("keys-" + strconv.Itoa(i))
		out[i] = connectors.Assignment{Subtask: int32(i), NoMore: true, Splits: []connectors.SplitState{{ID: id, Watermark: stream.NoWatermark}}}
	}
	return out, nil
}

// Discover implements connectors.Enumerator.
func (keyEnumerator) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }

// DiscoveryInterval implements connectors.Enumerator: never.
func (keyEnumerator) DiscoveryInterval() int64 { return 0 }

// Snapshot implements connectors.Enumerator.
func (keyEnumerator) Snapshot() ([]byte, error) { return nil, nil }

// Close implements connectors.Enumerator.
func (keyEnumerator) Close() error { return nil }

// keyReader gives the keys in [first, end) of every pass.
type keyReader struct {
	keySource
	pattern    *stream.Batch
	first, end int64
	splits     []connectors.SplitState

	pass     int
	next     int64 // key of the pass
	given    int64 // rows since the last barrier
	barriers int
	told     bool // of the end
}

// Assign implements connectors.Reader.
func (r *keyReader) Assign(splits []connectors.SplitState) error {
	r.splits = append(r.splits, splits...)
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (*keyReader) NoMoreSplits() {}

// Read implements connectors.Reader.
func (r *keyReader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	r.log.reach(r.phase(r.pass))
	switch {
	case r.pass == passesAll:
		return nil, connectors.Done, nil
	case r.next >= r.end:
		return nil, connectors.Dry, nil // a barrier comes first
	}
	_, step := r.step(r.pass)
	n := min(int((r.end-r.next+step-1)/step), r.pattern.Len())
	b := r.batch(n, step)
	r.next += int64(n) * step
	r.given += int64(n)
	return b, connectors.More, nil
}

// batch makes the next n rows of the pass.
func (r *keyReader) batch(n int, step int64) *stream.Batch {
	b := operators.Slice(r.pattern, 0, n)
	b.Split = 0
	auctions, prices, times := r.fresh(b, auctionColumn), r.fresh(b, priceColumn), r.fresh(b, timeColumn)
	at := r.millis(r.pass)
	for i := range n {
		key := r.next + int64(i)*step
		auctions[i], prices[i], times[i] = key, r.price(r.pass, key), at
	}
	return b
}

// fresh gives a batch a column of its own, to be filled as far as it is selected.
func (r *keyReader) fresh(b *stream.Batch, column int) []int64 {
	c := &b.Columns[column]
	v := stream.NewFixed(b.Pool(), c.Type, c.Len())
	c.Release()
	*c = v
	return stream.Values[int64](c)
}

// Finished implements connectors.Reader.
func (r *keyReader) Finished() []int32 {
	if r.pass < passesAll || r.told {
		return nil
	}
	r.told = true
	return []int32{0}
}

// Positions implements connectors.Reader. It is called at each barrier, and so
// is where one pass ends and the next may begin.
func (r *keyReader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	r.log.barrier(r.barriers, r.phase(r.pass), r.given)
	r.barriers++
	r.given = 0
	if r.pass < passesAll && r.next >= r.end {
		r.pass++
		r.next = r.from(r.pass, r.first)
	}
	return append(dst, r.splits...)
}

// CheckpointComplete implements connectors.Reader.
func (*keyReader) CheckpointComplete(types.CheckpointID) {}

// Close implements connectors.Reader.
func (r *keyReader) Close() error {
	r.pattern.Release()
	return nil
}

// changeLog notes what changed before which barrier, and what the process had
// used when each phase began. It is safe for concurrent use.
type changeLog struct {
	mu     sync.Mutex
	before []change
	marks  []mark // by phase, endPhase included
}

// change is what changed between two barriers. A key is given at most once in
// between, so that rows are keys.
type change struct {
	phase phase
	keys  int64
}

// mark is the state of the process at the start of a phase.
type mark struct {
	usage
	resident int64
}

func (l *changeLog) barrier(ordinal int, p phase, keys int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.before) <= ordinal {
		l.before = append(l.before, change{})
	}
	c := &l.before[ordinal]
	c.keys += keys
	c.phase = max(c.phase, p)
}

// reach notes that a reader has come to a phase.
func (l *changeLog) reach(p phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.marks) <= int(p) {
		now, _ := resident()
		l.marks = append(l.marks, mark{usageNow(), now})
	}
}
