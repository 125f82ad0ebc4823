package sdk_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/watermark"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/sdk"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/taskmanager/task"
	"millrace/types"
)

// loop runs one task, a source with an async function behind it, as production does: in a goroutine, woken by its mailbox. It is in a bubble
// of virtual time, and is its own source, outlet, uploader and reporter.
type loop struct {
	*testing.T
	pool     stream.Pool
	c        *jobgraph.OperatorSpec
	schema   *types.Schema
	funcs    operators.Functions
	rows     int
	next     int // of the source
	box      *task.Mailbox
	done     chan error
	cancel   context.CancelFunc
	out      []int64 // what has left
	at       stream.Watermark
	acked    chan snapshotOf
	frozen   snapshotOf
	ended    chan struct{}
	complete snapshotOf
}

// snapshotOf is a checkpoint: the task's state, and what had left.
type snapshotOf struct {
	state *checkpointv1.TaskState
	files []statebackend.File
	left  int // before its barrier
}

const loopBatch = 7

func (l *loop) Assign(s []connectors.SplitState) error {
	if l.next = 0; len(s[0].State) > 0 {
		l.next = int(binary.LittleEndian.Uint64(s[0].State))
	}
	return nil
}
func (*loop) Close() error                          { return nil }
func (*loop) NoMoreSplits()                         {}
func (*loop) Finished() []int32                     { return nil }
func (*loop) CheckpointComplete(types.CheckpointID) {}

func (l *loop) Positions(to []connectors.SplitState) []connectors.SplitState {
	return append(to, connectors.SplitState{ID: "s", State: binary.LittleEndian.AppendUint64(nil, uint64(l.next)), Watermark: stream.NoWatermark})
}

func (l *loop) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if l.next == l.rows {
		return nil, connectors.Done, nil
	}
	var text bytes.Buffer
	for range min(loopBatch, l.rows-l.next) {
		fmt.Fprintf(&text, "'u' %d 1970-01-01 00:00:%02d.%03d\n", l.next, l.next/1000, l.next%1000)
		l.next++
	}
	b := streamtest.Batch(l, &l.pool, l.schema, text.String())
	b.Split = 0
	return b, connectors.More, nil
}

// outlet takes what leaves the task, and finds rows behind their watermark.
type outlet struct {
	exchange.Outlet
	*loop
}

func (outlet) Ready() bool { return true }
func (outlet) Flush()      {}
func (outlet) Close()      {}
func (o outlet) Control(e stream.Element) {
	if e.Kind == stream.WatermarkElement {
		o.at = e.Watermark
	}
}

func (o outlet) Rows(b *stream.Batch) error {
	for i := range b.Rows() {
		n := stream.Value[int64](&b.Columns[0], b.Row(i))
		if stream.Watermark(n) <= o.at {
			o.Errorf("row %d has left behind the watermark %d", n, o.at)
		}
		o.out = append(o.out, n)
	}
	b.Release()
	return nil
}

func (l *loop) Submit(id types.CheckpointID, s statebackend.Snapshot) {
	var buf bytes.Buffer
	if _, err := s.Write(&buf); err != nil {
		l.Error(err)
	}
	s.Release()
	l.frozen = snapshotOf{files: []statebackend.File{&snapshotFile{buf.Bytes()}}, left: len(l.out)} // until the upload is reported more may leave, which is not of it
	if err := l.box.Post(task.Uploaded{ID: id}); err != nil {
		l.Error(err)
	}
}

func (l *loop) Ended()                                   { close(l.ended) }
func (*loop) Passed(types.CheckpointID)                  {}
func (l *loop) Declined(_ types.CheckpointID, err error) { l.Error(err) }

func (l *loop) Snapshotted(_ types.CheckpointID, state *checkpointv1.TaskState, _ *controlv1.SnapshotFigures) {
	l.frozen.state = state
	l.acked <- l.frozen
}

// start runs the task, from the last checkpoint.
func (l *loop) start() {
	l.Helper()
	l.box, l.done, l.ended, l.acked = task.NewMailbox(), make(chan error, 1), make(chan struct{}), make(chan snapshotOf, 1)
	l.out, l.at = l.out[:l.complete.left], stream.NoWatermark
	spec := statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.KeyGroupRangeOf(0, 1, 128), MaxParallelism: 128, Parallelism: 1, Pool: &l.pool,
	}
	if l.complete.files != nil {
		spec.Restore = [][]statebackend.File{l.complete.files}
	}
	store, err := columnar.New().Open(l.Context(), spec)
	l.must(err)
	op, err := l.funcs.Native(l.c)
	l.must(err)
	output, err := jobgraph.OutputSchema(l.c, []*types.Schema{l.schema})
	l.must(err)
	p := task.Parts{
		ID: spec.Task, Time: new(operators.Time), Outlets: [][]exchange.Outlet{{outlet{loop: l}}}, Store: store, Uploads: l, Report: l,
		Metrics: new(metrics.Task), Clock: clock.System(), BufferTimeout: 5 * time.Millisecond, FullSnapshot: true, Watermarks: make(map[types.OperatorUID]stream.Watermark),
	}
	ctx := &operators.Context{
		Task: spec.Task, Operator: l.c.UID, Parallelism: 1, MaxParallelism: 128, KeyGroups: spec.KeyGroups, Inputs: []*types.Schema{l.schema},
		Output: output, Pool: &l.pool, State: store, Watermark: stream.NoWatermark, Time: p.Time, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
		Wake: l.box.Wake,
	}
	for _, w := range l.complete.state.GetWatermarks() {
		p.Watermarks[types.OperatorUID(w.Uid)] = stream.Watermark(w.Watermark)
	}
	if w, ok := p.Watermarks[l.c.UID]; ok {
		ctx.Watermark = w
	}
	p.Time.Pass(p.Clock.NowMillis())
	l.must(op.Open(ctx))
	p.Chain = []task.Link{{UID: l.c.UID, Operator: op, Counts: ctx.Counts}}
	g, err := watermark.New(&jobgraph.WatermarkSpec{Column: 2}, l.schema)
	l.must(err)
	p.Source = task.NewSource(l, g, 2, 1)
	splits := []connectors.SplitState{{ID: "s", Watermark: stream.NoWatermark}}
	if s := l.complete.state.GetSplits(); len(s) > 0 {
		splits[0] = task.SplitFromProto(s[0])
	}
	l.must(l.box.Post(task.Assign{Splits: splits, NoMore: true}))
	run, cancel := context.WithCancel(l.Context())
	l.cancel = cancel
	t := task.New(p, l.box)
	go func() { l.done <- t.Run(run) }()
}

func (l *loop) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// checkpoint takes one.
func (l *loop) checkpoint(id types.CheckpointID) {
	l.must(l.box.Post(task.Trigger{Barrier: stream.Barrier{ID: id}, At: time.Now()}))
	select {
	case l.complete = <-l.acked:
	case err := <-l.done:
		l.Fatal(err)
	}
}

// TestAsyncInATask: the whole loop of a task, with a service that is slow now and then, fails and does not answer at all; killed
// again and again and restored from the last checkpoint. What left is each row once, in order where that was asked for, and never behind its watermark.
func TestAsyncInATask(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		t.Run(fmt.Sprint("unordered=", unordered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runLoop(t, unordered) })
		})
	}
}

func runLoop(t *testing.T, unordered bool) {
	const rows = 500
	env := sdk.NewEnv(nil, nil)
	sdk.Async(clicks(env), "ask", func(ctx context.Context, c click) (int64, error) {
		took := time.Duration(c.Page*c.Page%17) * time.Millisecond
		if c.Page%50 == 13 {
			took = time.Hour
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(took):
		}
		if c.Page%10 == 3 && time.Now().UnixMilli()%2 == 0 {
			return 0, errors.New("not now")
		}
		return c.Page, nil
	}, sdk.Calls[click, int64]{
		Capacity: 10, Unordered: unordered, Timeout: 40 * time.Millisecond, Retries: 2, RetryDelay: 3 * time.Millisecond,
		Otherwise: func(c click, _ error) ([]int64, error) { return []int64{c.Page}, nil },
	}).To("out", nowhere)
	g, funcs, err := env.Describe()
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{T: t, rows: rows, funcs: funcs}
	for i := range g.Vertices {
		for k := range g.Vertices[i].Operators {
			l.c = &g.Vertices[i].Operators[k]
			l.schema = l.c.Body.(*jobgraph.NativeSpec).Inputs[0].Schema
		}
	}
	for id := range types.CheckpointID(6) {
		l.start()
		<-time.After(20 * time.Millisecond)
		l.checkpoint(id + 1)
		<-time.After(15 * time.Millisecond)
		l.cancel()
		if err := <-l.done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	l.start()
	select {
	case <-l.ended:
	case err := <-l.done:
		t.Fatal(err)
	}
	l.must(l.box.Post(task.Finish{}))
	l.must(<-l.done)
	l.cancel()
	seen := make(map[int64]int)
	for i, n := range l.out {
		if seen[n]++; !unordered && n != int64(i) {
			t.Fatalf("row %d has left as the %dth", n, i)
		}
	}
	if len(seen) != rows || len(l.out) != rows {
		t.Errorf("%d rows have left, %d different ones; want %d", len(l.out), len(seen), rows)
	}
	if n := l.pool.Live(); n != 0 {
		t.Errorf("%d buffers and batches leak", n)
	}
}
