package kafka

import (
	"errors"
	"fmt"
	"sort"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
)

// reader implements connectors.Reader. The task's goroutine owns it; fetching
// runs behind it.
type reader struct {
	ctx     connectors.ReaderContext
	opts    *sourceOptions
	cluster Cluster
	fetcher Fetcher
	decoder formats.Decoder
	rows    *formats.Rows

	splits      []splitState // by ordinal
	ordinals    map[Partition]int32
	open        int // splits that are not at their end
	noMore      bool
	finished    []int32 // since the last Finished
	chunk       *Chunk  // being decoded; values before from are done
	from        int
	ordinal     int32 // of the chunk's split
	began       int64 // the offset of the last batch
	publisher   *publisher
	publishable map[Partition]int64
}

// Reader implements connectors.Source.
func (s *source) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	if s.opts.onError == onErrorDead && ctx.Dead == nil {
		return nil, failure.Userf("%s is %s, and nothing takes dead letters", keyOnError, onErrorDead)
	}
	decoder, err := s.decoder(ctx.Schema)
	if err != nil {
		return nil, err
	}
	cluster, err := s.connector.connect(s.opts.spec())
	if err != nil {
		return nil, err
	}
	log := s.connector.log().With("job", ctx.Job, "operator", ctx.Operator, "subtask", ctx.Subtask)
	fetcher, err := cluster.Fetch(FetchSpec{
		Committed: s.opts.committed, Wake: ctx.Waker.Wake,
		Warn: func(what string, cause error) { log.Warn(what, "cause", cause) }, Trouble: ctx.Trouble,
	})
	if err != nil {
		cluster.Close()
		return nil, err
	}
	r := &reader{
		ctx: ctx, opts: s.opts, cluster: cluster, fetcher: fetcher, decoder: decoder,
		rows: formats.NewRows(ctx.Pool, ctx.Schema, ctx.RowsMax), ordinals: make(map[Partition]int32),
	}
	if s.opts.group != "" {
		r.publisher = newPublisher(cluster, s.opts.group, s.connector.log())
	}
	return r, nil
}

// Assign implements connectors.Reader.
func (r *reader) Assign(splits []connectors.SplitState) error {
	starts := make([]FetchStart, 0, len(splits))
	for _, given := range splits {
		s, err := decodeSplit(given)
		if err != nil {
			return err
		}
		p := Partition{s.Topic, s.Partition}
		if _, twice := r.ordinals[p]; twice {
			return failure.Internalf("split %s is assigned twice", given.ID)
		}
		ordinal := int32(len(r.splits))
		r.ordinals[p] = ordinal
		r.splits = append(r.splits, s)
		if s.ended() {
			r.finished = append(r.finished, ordinal)
			continue
		}
		r.open++
		id, err := parseTopicID(s.TopicID)
		if err != nil {
			return failure.Internal(err)
		}
		starts = append(starts, FetchStart{p, id, s.Offset})
	}
	if err := r.fetcher.Add(starts); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (r *reader) NoMoreSplits() { r.noMore = true }

// Read implements connectors.Reader.
func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if r.chunk == nil {
		if r.open == 0 {
			if r.noMore {
				return nil, connectors.Done, nil
			}
			return nil, connectors.Dry, nil
		}
		next, ok := r.fetcher.Next()
		if !ok {
			return nil, connectors.Dry, nil
		}
		if taken, err := r.take(next); err != nil || !taken {
			return nil, connectors.More, err
		}
	}
	if r.rows.Len() == 0 && r.from < len(r.chunk.Offsets) {
		r.began = r.chunk.Offsets[r.from]
	}
	if err := r.decode(); err != nil {
		return nil, connectors.More, err
	}
	if r.rows.Len() == 0 {
		return nil, connectors.More, nil
	}
	b := r.rows.Finish()
	b.Split = r.ordinal
	return b, connectors.More, nil
}

// take begins with a chunk, cut at the end of its split.
func (r *reader) take(c *Chunk) (bool, error) {
	ordinal, ok := r.ordinals[c.Partition]
	if !ok {
		return false, r.failed(c.Partition, -1, c.Err)
	}
	s := &r.splits[ordinal]
	if s.ended() {
		return false, nil
	}
	if len(c.Values) == 0 && c.Err != nil {
		return false, r.failed(c.Partition, s.Offset, c.Err)
	}
	if s.End != noEnd {
		n := sort.Search(len(c.Offsets), func(i int) bool { return c.Offsets[i] >= s.End })
		c.Values, c.Offsets = c.Values[:n], c.Offsets[:n]
	}
	r.chunk, r.from, r.ordinal = c, 0, ordinal
	return true, nil
}

// failed names what can't be read on.
func (r *reader) failed(p Partition, offset int64, err error) error {
	if err == nil {
		return nil
	}
	class := failure.ClassOf(err)
	if offset < 0 {
		return failure.With(fmt.Errorf("topic %s, partition %d: %w", p.Topic, p.Index, err), class)
	}
	return failure.With(fmt.Errorf("%s: %w", position(p.Topic, p.Index, offset), err), class)
}

// decode decodes the chunk until a batch is full or the chunk is done.
func (r *reader) decode() error {
	c := r.chunk
	for r.from < len(c.Values) && r.rows.Len() < r.ctx.RowsMax && r.rows.SizeBytes() < stream.BatchBytesTarget {
		upTo := min(r.from+decodeStep, len(c.Values))
		n, err := r.decoder.Decode(c.Values[r.from:upTo], r.rows, r.ctx.RowsMax)
		r.from += n
		if err != nil {
			if err := r.undecodable(err); err != nil {
				return err
			}
			r.from++
		}
	}
	s := &r.splits[r.ordinal]
	if r.from < len(c.Values) {
		s.Offset = c.Offsets[r.from]
		return nil
	}
	s.Offset = max(s.Offset, c.Next)
	r.chunk = nil
	if s.ended() {
		r.finish(s)
		return nil
	}
	if c.Err != nil {
		// What came before the error is decoded; the split fails when it is all there is.
		return r.failed(c.Partition, s.Offset, c.Err)
	}
	return nil
}

func (r *reader) finish(s *splitState) {
	s.Offset = s.End
	r.open--
	r.finished = append(r.finished, r.ordinal)
	r.fetcher.Remove(Partition{s.Topic, s.Partition})
}

// undecodable does what the options say with the record at r.from.
func (r *reader) undecodable(err error) error {
	var reason *formats.RecordError
	if !errors.As(err, &reason) {
		return err
	}
	s := &r.splits[r.ordinal]
	at := position(s.Topic, s.Partition, r.chunk.Offsets[r.from])
	switch r.opts.onError {
	case onErrorSkip:
		r.ctx.Metrics.Skipped.Add(1)
	case onErrorDead:
		r.ctx.Dead.Put(connectors.DeadLetter{
			Split: splitID(s.Topic, s.Partition), Position: at, Raw: r.chunk.Values[r.from], Reason: reason.Error(),
		})
	default:
		return failure.User(&connectors.PositionError{Position: at, Err: fmt.Errorf("decode record: %w", err)})
	}
	return nil
}

// Began implements connectors.Locator.
func (r *reader) Began() string {
	if int(r.ordinal) >= len(r.splits) {
		return ""
	}
	s := &r.splits[r.ordinal]
	return position(s.Topic, s.Partition, r.began)
}

// Finished implements connectors.Reader.
func (r *reader) Finished() []int32 {
	f := r.finished
	r.finished = nil
	return f
}

// Positions implements connectors.Reader. Splits at their end are among them,
// since a bounded source would read them again.
func (r *reader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	if r.publisher != nil {
		r.publishable = make(map[Partition]int64, len(r.splits))
	}
	for _, s := range r.splits {
		data, err := s.encode()
		if err != nil {
			panic(err) // a struct of numbers and texts is always JSON
		}
		dst = append(dst, connectors.SplitState{ID: splitID(s.Topic, s.Partition), State: data})
		if r.publisher != nil {
			r.publishable[Partition{s.Topic, s.Partition}] = s.Offset
		}
	}
	return dst
}
