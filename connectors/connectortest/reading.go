package connectortest

import (
	"slices"
	"testing"

	"millrace/connectors"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// sourceSnapshot is what a checkpoint holds of a source.
type sourceSnapshot struct {
	enumerator []byte
	splits     []connectors.SplitState
	rows       map[connectors.SplitID]int // read before it
}

// reading is a source that is being read: an enumerator and its readers.
type reading struct {
	t          *testing.T
	c          *SourceCase
	pool       stream.Pool
	waker      waker
	enumerator connectors.Enumerator
	state      []byte
	readers    []*sourceReader
	turn       int

	batches int
	rows    map[connectors.SplitID][]string
}

type sourceReader struct {
	connectors.Reader
	splits   []connectors.SplitID // by ordinal
	finished map[int32]bool
	noMore   bool
	done     bool
}

// noDeadLetters fails a test that has none to expect.
type noDeadLetters struct{ t *testing.T }

func (n noDeadLetters) Put(d connectors.DeadLetter) {
	n.t.Errorf("dead letter at %s: %s", d.Position, d.Reason)
}

func (c *SourceCase) start(t *testing.T, parallelism, rowsMax int, at *sourceSnapshot) *reading {
	t.Helper()
	r := &reading{t: t, c: c, waker: newWaker(), rows: map[connectors.SplitID][]string{}}
	id := connectors.Identity{Cluster: "test", Job: "job", Attempt: 1, Operator: "source", Parallelism: int32(parallelism)}
	source := c.Open(t)
	for i := range parallelism {
		id.Subtask = int32(i)
		reader, err := source.Reader(connectors.ReaderContext{
			Identity: id, Schema: c.Schema, Pool: &r.pool, Clock: clock.System(), Waker: r.waker,
			Dead: noDeadLetters{t}, RowsMax: rowsMax, Metrics: new(metrics.Task),
		})
		if err != nil {
			t.Fatalf("make reader: %v", err)
		}
		r.readers = append(r.readers, &sourceReader{Reader: reader, finished: map[int32]bool{}})
	}
	id.Subtask = 0
	r.enumerate(source, id, at)
	return r
}

// enumerate assigns the splits, in the order that the engine keeps: the state is
// taken before the assignments are carried out.
func (r *reading) enumerate(source connectors.Source, id connectors.Identity, at *sourceSnapshot) {
	r.t.Helper()
	ctx := connectors.EnumeratorContext{Identity: id, Clock: clock.System()}
	if at != nil {
		ctx.Restored, ctx.Splits = at.enumerator, at.splits
	}
	e, err := source.Enumerator(ctx)
	if err != nil {
		r.t.Fatalf("make enumerator: %v", err)
	}
	r.enumerator = e
	assignments, err := e.Start(r.t.Context())
	if err != nil {
		r.t.Fatalf("find splits: %v", err)
	}
	if r.state, err = e.Snapshot(); err != nil {
		r.t.Fatalf("snapshot of enumerator: %v", err)
	}
	for _, a := range assignments {
		r.assign(a)
	}
	for i, reader := range r.readers {
		if !reader.noMore {
			r.t.Fatalf("reader %d of a bounded source was not told that its splits are complete", i)
		}
	}
}

func (r *reading) assign(a connectors.Assignment) {
	r.t.Helper()
	reader := r.readers[a.Subtask]
	if reader.noMore {
		r.t.Fatalf("reader %d is given splits after the last", a.Subtask)
	}
	for _, s := range a.Splits {
		for i, other := range r.readers {
			if slices.Contains(other.splits, s.ID) {
				r.t.Fatalf("split %s is assigned to readers %d and %d", s.ID, i, a.Subtask)
			}
		}
		reader.splits = append(reader.splits, s.ID)
	}
	if len(a.Splits) > 0 {
		if err := reader.Assign(a.Splits); err != nil {
			r.t.Fatalf("assign splits: %v", err)
		}
	}
	if a.NoMore {
		reader.noMore = true
		reader.NoMoreSplits()
	}
}

// readAll reads to the end.
func (r *reading) readAll() {
	r.t.Helper()
	for r.read(1) {
	}
	for i, reader := range r.readers {
		if len(reader.finished) != len(reader.splits) {
			r.t.Errorf("reader %d is done with %d of %d splits finished", i, len(reader.finished), len(reader.splits))
		}
	}
}

// read reads so many batches and tells whether they were there.
func (r *reading) read(batches int) bool {
	r.t.Helper()
	for range batches {
		if !r.next() {
			return false
		}
	}
	return true
}

// next reads one batch, of the readers in turn.
func (r *reading) next() bool {
	r.t.Helper()
	for dry := 0; ; {
		reader := r.readers[r.turn]
		r.turn = (r.turn + 1) % len(r.readers)
		switch b, status := r.readOne(reader); {
		case b != nil:
			r.take(reader, b)
			return true
		case status == connectors.More:
			dry = 0
		default:
			dry++
		}
		if dry < len(r.readers) {
			continue
		}
		if !slices.ContainsFunc(r.readers, func(s *sourceReader) bool { return !s.done }) {
			return false
		}
		r.waker.wait(r.t, "rows")
		dry = 0
	}
}

func (r *reading) readOne(reader *sourceReader) (*stream.Batch, connectors.ReadStatus) {
	r.t.Helper()
	b, status, err := reader.Read()
	if err != nil {
		r.t.Fatalf("read: %v", err)
	}
	if reader.done && (b != nil || status != connectors.Done) {
		r.t.Fatalf("a reader that was done comes back with status %d", status)
	}
	for _, o := range reader.Finished() {
		if reader.finished[o] || int(o) >= len(reader.splits) {
			r.t.Fatalf("split %d of %d is said to be finished: twice, or not there", o, len(reader.splits))
		}
		reader.finished[o] = true
	}
	reader.done = b == nil && status == connectors.Done
	return b, status
}

// take checks a batch and notes its rows.
func (r *reading) take(reader *sourceReader, b *stream.Batch) {
	r.t.Helper()
	defer b.Release()
	r.batches++
	if !b.Schema.Equal(r.c.Schema) || len(b.Columns) != r.c.Schema.Len() {
		r.t.Fatalf("batch of %s, want %s", b.Schema, r.c.Schema)
	}
	for i := range b.Columns {
		if b.Columns[i].Len() != b.Len() {
			r.t.Fatalf("column %d has %d rows, the batch %d", i, b.Columns[i].Len(), b.Len())
		}
	}
	if b.Rows() == 0 || int(b.Split) < 0 || int(b.Split) >= len(reader.splits) {
		r.t.Fatalf("batch of %d rows of split %d", b.Rows(), b.Split)
	}
	id := reader.splits[b.Split]
	r.rows[id] = append(r.rows[id], streamtest.Rows(b)...)
}

// snapshot takes the positions, as a barrier would.
func (r *reading) snapshot() *sourceSnapshot {
	r.t.Helper()
	at := &sourceSnapshot{enumerator: r.state, rows: map[connectors.SplitID]int{}}
	for i, reader := range r.readers {
		for _, s := range reader.Positions(nil) {
			if !slices.Contains(reader.splits, s.ID) {
				r.t.Fatalf("reader %d has a position in split %s, which is not its own", i, s.ID)
			}
			s.State = slices.Clone(s.State)
			at.splits = append(at.splits, s)
		}
		reader.CheckpointComplete(types.CheckpointID(1))
	}
	for id, rows := range r.rows {
		at.rows[id] = len(rows)
	}
	return at
}

// upTo returns the rows that were read before a snapshot.
func (r *reading) upTo(at *sourceSnapshot) map[connectors.SplitID][]string {
	out := map[connectors.SplitID][]string{}
	for id, n := range at.rows {
		out[id] = r.rows[id][:n]
	}
	return out
}

// close closes everything and looks for what was not given back.
func (r *reading) close() {
	r.t.Helper()
	for i, reader := range r.readers {
		if err := reader.Close(); err != nil {
			r.t.Errorf("close reader %d: %v", i, err)
		}
	}
	if err := r.enumerator.Close(); err != nil {
		r.t.Errorf("close enumerator: %v", err)
	}
	if n := r.pool.Live(); n != 0 {
		r.t.Errorf("%d buffers and batches were not released", n)
	}
}
