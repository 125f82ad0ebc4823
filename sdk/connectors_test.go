package sdk_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/failure"
	"millrace/formats"
	"millrace/options"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// counter is a source of a program: the numbers from 0 to its option until, in one split whose position is the next of them. At its option pause it
// waits for the gate.
type counter struct {
	until, pause int64
	gate         *gate
}

// gate is what the test knows of the counters of a process.
type gate struct {
	sync.Mutex
	reached chan struct{} // closed when a reader has come to its pause
	open    chan struct{} // closed: nobody pauses
	begins  []int64       // the positions at which readers began
}

func newGate() *gate { return &gate{reached: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) came() {
	g.Lock()
	defer g.Unlock()
	select {
	case <-g.reached:
	default:
		close(g.reached)
	}
}

var counterSpec = options.Spec{Name: "counter", Options: []options.Option{
	{Key: "until", Type: options.Int, Required: true, Min: "1", Doc: "The number behind the last."},
	{Key: "pause", Type: options.Int, Default: "-1", Doc: "The number in front of which it waits."},
}}

func (g *gate) source() connectors.SourceFactory {
	return connectors.SourceFactory{
		Options: func(map[string]string) (options.Spec, error) { return counterSpec, nil },
		Open: func(given map[string]string, s *types.Schema) (connectors.Source, error) {
			v, err := options.Parse(counterSpec, given)
			if err != nil {
				return nil, err
			}
			if s.Len() != 1 || s.Fields[0].Type.Kind != types.BigInt {
				return nil, failure.Userf("it gives one column BIGINT, and not %s", s)
			}
			return &counter{v.Int("until"), v.Int("pause"), g}, nil
		},
		Traits: func(options.Values) connectors.SourceTraits { return connectors.SourceTraits{Bounded: true} },
	}
}

func (c *counter) Reader(ctx connectors.ReaderContext) (connectors.Reader, error) {
	return &counting{counter: c, ctx: ctx, rows: formats.NewRows(ctx.Pool, ctx.Schema, 16), closed: make(chan struct{})}, nil
}

func (c *counter) Enumerator(ctx connectors.EnumeratorContext) (connectors.Enumerator, error) {
	return enumeration{ctx}, nil
}

type enumeration struct{ ctx connectors.EnumeratorContext }

func (e enumeration) Start(context.Context) ([]connectors.Assignment, error) {
	return connectors.AssignOnce(e.ctx, func(yield func(connectors.SplitState) bool) { yield(position(0)) }), nil
}
func (enumeration) Discover(context.Context) ([]connectors.Assignment, error) { return nil, nil }
func (enumeration) DiscoveryInterval() int64                                  { return 0 }
func (enumeration) Snapshot() ([]byte, error)                                 { return []byte{1}, nil }
func (enumeration) Close() error                                              { return nil }

func position(next int64) connectors.SplitState {
	return connectors.SplitState{ID: "numbers", State: binary.AppendUvarint([]byte{1}, uint64(next)), Watermark: stream.NoWatermark}
}

// counting reads the split, if it has it.
type counting struct {
	*counter
	ctx      connectors.ReaderContext
	rows     *formats.Rows
	assigned bool
	next     int64
	noMore   bool
	said     bool
	waiting  sync.WaitGroup // for the gate
	waits    bool
	closed   chan struct{}
}

func (c *counting) Assign(splits []connectors.SplitState) error {
	for _, s := range splits {
		r := connectors.NewStateReader(s.State, 1)
		c.assigned, c.next = true, r.Uvarint(1<<40)
		if err := r.Close("split"); err != nil {
			return err
		}
		c.gate.Lock()
		c.gate.begins = append(c.gate.begins, c.next)
		c.gate.Unlock()
	}
	return nil
}

func (c *counting) NoMoreSplits() { c.noMore = true }

func (c *counting) Read() (*stream.Batch, connectors.ReadStatus, error) {
	switch {
	case c.assigned && c.next == c.pause && c.paused():
		return nil, connectors.Dry, nil
	case c.assigned && c.next < c.until:
	case c.noMore:
		return nil, connectors.Done, nil
	default:
		return nil, connectors.Dry, nil
	}
	for n := 0; n < min(c.ctx.RowsMax, 10) && c.next < c.until && (n == 0 || c.next != c.pause); n++ {
		c.rows.Columns[0].AppendInt64(c.next)
		c.next++
	}
	b := c.rows.Finish()
	b.Split = 0
	return b, connectors.More, nil
}

// paused tells whether the gate is closed, and has somebody wake the task when it is opened.
func (c *counting) paused() bool {
	select {
	case <-c.gate.open:
		return false
	default:
	}
	c.gate.came()
	if !c.waits {
		c.waits = true
		c.waiting.Go(func() {
			select {
			case <-c.gate.open:
				c.ctx.Waker.Wake()
			case <-c.closed:
			}
		})
	}
	return true
}

func (c *counting) Finished() []int32 {
	if !c.assigned || c.said || c.next < c.until {
		return nil
	}
	c.said = true
	return []int32{0}
}

func (c *counting) Positions(dst []connectors.SplitState) []connectors.SplitState {
	if c.assigned {
		dst = append(dst, position(c.next))
	}
	return dst
}

func (*counting) CheckpointComplete(types.CheckpointID) {}

func (c *counting) Close() error {
	close(c.closed)
	c.waiting.Wait()
	c.rows.Close()
	return nil
}

// ledger is a sink of a program: rows are in it once they are committed, each epoch of a task once.
type ledger struct {
	sync.Mutex
	committed map[string]bool // committables: who wrote them, and the rows
}

func (l *ledger) sink() connectors.SinkFactory {
	spec := options.Spec{Name: "ledger"}
	return connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return spec, nil },
		Open: func(given map[string]string, s *types.Schema) (connectors.Sink, error) {
			if _, err := options.Parse(spec, given); err != nil {
				return nil, err
			}
			if s.Len() > 4 {
				panic("it has four columns")
			}
			return l, nil
		},
	}
}

// entries are the rows in the ledger, sorted.
func (l *ledger) entries() (out []string) {
	l.Lock()
	defer l.Unlock()
	for c := range l.committed {
		_, rows, _ := strings.Cut(c, "\n")
		out = append(out, strings.Split(rows, "\n")...)
	}
	slices.Sort(out)
	return out
}

func (l *ledger) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	return &entering{ctx: ctx, prepared: make(map[types.CheckpointID][][]byte)}, nil
}

func (l *ledger) Committer(ctx connectors.CommitterContext) (connectors.Committer, error) {
	return bookkeeping{l, ctx}, nil
}

// entering keeps what is not committed.
type entering struct {
	ctx      connectors.WriterContext
	rows     []string
	prepared map[types.CheckpointID][][]byte
}

func (*entering) Ready() bool { return true }

func (w *entering) Write(b *stream.Batch) error {
	w.rows = append(w.rows, streamtest.Rows(b)...)
	return nil
}

func (w *entering) Prepare(id types.CheckpointID) error {
	var out [][]byte
	if len(w.rows) > 0 {
		out = [][]byte{fmt.Appendf(nil, epochHead+"\n%s", w.ctx.Job, id, w.ctx.Attempt, w.ctx.Subtask, strings.Join(w.rows, "\n"))}
	}
	w.rows, w.prepared[id] = nil, out
	return nil
}

func (w *entering) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	out := w.prepared[id]
	delete(w.prepared, id)
	return out, true, nil
}

func (*entering) CheckpointComplete(types.CheckpointID) {}
func (*entering) CheckpointAborted(types.CheckpointID)  {}
func (*entering) Close() error                          { return nil }

// epochHead is how a committable begins: with the job, the checkpoint, the attempt and the subtask.
const epochHead = "%s %d %d %d"

type bookkeeping struct {
	*ledger
	ctx connectors.CommitterContext
}

func (b bookkeeping) Recover(ctx context.Context, id types.CheckpointID, all [][]byte) error {
	if later := b.latest(); later > id {
		return connectors.Ahead("the ledger", later, id)
	}
	return b.Commit(ctx, id, all)
}

// latest returns the last checkpoint of the job whose rows are in the ledger.
func (b bookkeeping) latest() (latest types.CheckpointID) {
	b.Lock()
	defer b.Unlock()
	for c := range b.committed {
		var job string
		var id types.CheckpointID
		if _, err := fmt.Sscanf(c, "%s %d", &job, &id); err == nil && job == string(b.ctx.Job) {
			latest = max(latest, id)
		}
	}
	return latest
}

func (b bookkeeping) Commit(_ context.Context, _ types.CheckpointID, all [][]byte) error {
	b.Lock()
	defer b.Unlock()
	for _, c := range all {
		b.committed[string(c)] = true
	}
	return nil
}

func (bookkeeping) Close() error { return nil }

func newLedger() *ledger { return &ledger{committed: make(map[string]bool)} }

var oneNumber = types.NewSchema(types.Field{Name: "value", Type: types.Of(types.BigInt).NotNull()})

// TestConnectorsKeepTheContract: those of these tests are connectors as any.
func TestConnectorsKeepTheContract(t *testing.T) {
	g := newGate()
	close(g.open)
	connectortest.RunSource(t, connectortest.SourceCase{
		Open: func(*testing.T) connectors.Source { return &counter{100, 40, g} }, Schema: oneNumber, Ordered: true,
	})
	connectortest.RunSink(t, func(*testing.T) connectortest.SinkCase {
		l := newLedger()
		return connectortest.SinkCase{Sink: l, Schema: oneNumber, Visible: func(*testing.T) []string { return l.entries() }}
	})
}

// brokenSource opens, and panics when splits are looked for.
var brokenSource = connectors.SourceFactory{Open: func(map[string]string, *types.Schema) (connectors.Source, error) { return broken{}, nil }}

type broken struct{}

func (broken) Reader(connectors.ReaderContext) (connectors.Reader, error) {
	return nil, failure.Userf("it has no reader")
}

func (broken) Enumerator(connectors.EnumeratorContext) (connectors.Enumerator, error) {
	panic("there are no numbers")
}
