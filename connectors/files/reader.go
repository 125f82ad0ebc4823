package files

import (
	"bytes"
	"errors"
	"fmt"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// reader decodes what its fetcher has read.
type reader struct {
	source  *source
	ctx     connectors.ReaderContext
	decoder formats.Decoder
	out     *formats.Rows
	fetcher *fetcher
	rowsMax int

	splits   []file
	noMore   bool
	left     int     // splits that are not at their end
	finished []int32 // not yet told

	began int64 // where the last batch stands in its file
	read  bool  // there was one
	chunk chunk
	rest  []byte // of the chunk, not decoded
	lines [][]byte
	ends  []int // where each line ends in rest
}

func newReader(s *source, ctx connectors.ReaderContext) (*reader, error) {
	if s.onError == onErrorDead && ctx.Dead == nil {
		return nil, failure.Userf("%s is %s, and nothing takes dead letters", keyOnError, onErrorDead)
	}
	d, rows, err := s.decoder()
	if err != nil {
		return nil, err
	}
	rowsMax := min(max(ctx.RowsMax, 1), stream.RowsMax)
	return &reader{
		source: s, ctx: ctx, decoder: d, rowsMax: rowsMax,
		out: formats.NewRows(ctx.Pool, rows, rowsMax), fetcher: newFetcher(s, ctx.Waker),
	}, nil
}

// Assign implements connectors.Reader.
func (r *reader) Assign(splits []connectors.SplitState) error {
	for _, s := range splits {
		f, err := fileOf(s)
		if err != nil {
			return err
		}
		if err := r.source.checkKeys(r.ctx.Pool, f.name); err != nil {
			return err
		}
		ordinal := int32(len(r.splits))
		r.splits = append(r.splits, f)
		if f.next >= f.end {
			r.finished = append(r.finished, ordinal)
			continue
		}
		r.left++
		r.fetcher.add(f, ordinal)
	}
	return nil
}

// NoMoreSplits implements connectors.Reader.
func (r *reader) NoMoreSplits() { r.noMore = true }

// Read implements connectors.Reader.
func (r *reader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if len(r.rest) == 0 {
		c, ok := r.fetcher.take()
		switch {
		case ok && c.err != nil:
			return nil, connectors.Dry, c.err
		case ok:
			r.chunk, r.rest = c, c.data
		case r.left == 0 && r.noMore:
			return nil, connectors.Done, nil
		default:
			return nil, connectors.Dry, nil
		}
	}
	r.began, r.read = r.split().next, true
	if err := r.decode(); err != nil {
		r.out.Truncate(0)
		return nil, connectors.Dry, err
	}
	if r.out.Len() == 0 {
		return nil, connectors.More, nil
	}
	b, err := r.source.withKeys(r.ctx.Pool, r.out.Finish(), r.split().name)
	if err != nil {
		return nil, connectors.Dry, err
	}
	b.Split = r.chunk.ordinal
	return b, connectors.More, nil
}

// decode makes rows of as many lines as a batch has room for, and moves the
// split's position behind them.
func (r *reader) decode() error {
	r.cutLines()
	done := 0
	for done < len(r.lines) && r.out.Len() < r.rowsMax {
		n, err := r.decoder.Decode(r.lines[done:], r.out, r.rowsMax)
		done += n
		var bad *formats.RecordError
		switch {
		case errors.As(err, &bad):
			if err := r.refuse(done, bad); err != nil {
				return err
			}
			done++
		case err != nil:
			return fmt.Errorf("decode %s: %w", r.split().name, err)
		case n == 0:
			return failure.Internalf("decoder does not move at %s", position(r.split().name, r.split().next))
		}
	}
	r.advance(done)
	return nil
}

// Began implements connectors.Locator.
func (r *reader) Began() string {
	if !r.read {
		return ""
	}
	return position(r.split().name, r.began)
}

func (r *reader) split() *file { return &r.splits[r.chunk.ordinal] }

// cutLines finds the lines of the next batch, without what ends them.
func (r *reader) cutLines() {
	r.lines, r.ends = r.lines[:0], r.ends[:0]
	for at := 0; at < len(r.rest) && len(r.lines) < r.rowsMax; {
		line := r.rest[at:]
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			at += n + 1
			line = line[:n]
		} else {
			at = len(r.rest)
		}
		r.lines = append(r.lines, bytes.TrimSuffix(line, []byte{'\r'}))
		r.ends = append(r.ends, at)
	}
}

// refuse deals with line i, which can't be decoded.
func (r *reader) refuse(i int, bad *formats.RecordError) error {
	start := int64(0)
	if i > 0 {
		start = int64(r.ends[i-1])
	}
	where := position(r.split().name, r.split().next+start)
	switch r.source.onError {
	case onErrorSkip:
		r.ctx.Metrics.Skipped.Add(1)
	case onErrorDead:
		r.ctx.Dead.Put(connectors.DeadLetter{Split: connectors.SplitID(r.split().name), Position: where, Raw: r.lines[i], Reason: bad.Error()})
	default:
		return &connectors.PositionError{Position: where, Err: failure.User(bad)}
	}
	return nil
}

// advance moves the split behind so many lines.
func (r *reader) advance(lines int) {
	if lines == 0 {
		return
	}
	n := r.ends[lines-1]
	r.rest = r.rest[n:]
	s := r.split()
	s.next += int64(n)
	if len(r.rest) > 0 {
		return
	}
	r.fetcher.reuse(r.chunk.data)
	if s.next >= s.end {
		r.left--
		r.finished = append(r.finished, r.chunk.ordinal)
	}
}

// Finished implements connectors.Reader.
func (r *reader) Finished() []int32 {
	f := r.finished
	r.finished = nil
	return f
}

// Positions implements connectors.Reader. Files at their end keep their entry:
// without it they would be read again.
func (r *reader) Positions(dst []connectors.SplitState) []connectors.SplitState {
	for _, f := range r.splits {
		dst = append(dst, f.state())
	}
	return dst
}

// CheckpointComplete implements connectors.Reader.
func (*reader) CheckpointComplete(types.CheckpointID) {}

// Close implements connectors.Reader.
func (r *reader) Close() error {
	r.fetcher.close()
	r.out.Close()
	return nil
}
