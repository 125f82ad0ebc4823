package task_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/checkpoint"
	"millrace/connectors"
	"millrace/exchange"
	"millrace/exchange/inflight"
	"millrace/exchange/local"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/operators"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
	"millrace/types"
)

// A line of tasks: sources deal rows out by key, tasks behind them check that they have
// their own keys in order, and deal them on to sinks, which take rows when they like. The
// test steps the tasks in any order, takes checkpoints whose barriers overtake at once or
// after a while, kills everything at any time and restores it at another parallelism.
// What sinks commit is each row once.

const (
	groups  = 16
	sources = 2
	credit  = 3000 // a few small batches
)

var rowSchema = types.NewSchema(
	types.Field{Name: "key", Type: types.Of(types.BigInt)},
	types.Field{Name: "n", Type: types.Of(types.BigInt)},
)

// lineGraph is the graph of the line.
var lineGraph = &jobgraph.Graph{
	MaxParallelism: groups,
	Vertices:       []jobgraph.Vertex{{ID: "a", Source: &jobgraph.SourceSpec{}}, {ID: "b"}, {ID: "c"}},
	Edges: []jobgraph.Edge{
		{From: "a", To: "b", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}},
		{From: "b", To: "c", Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance}},
	},
}

type line struct {
	*rapid.T
	pool    stream.Pool
	now     *clock.Manual
	rows    int // of each source
	after   time.Duration
	attempt types.Attempt
	tasks   []*lineTask
	widths  map[types.VertexID]int32

	next      types.CheckpointID
	pending   types.CheckpointID // 0: none
	acked     map[types.TaskID]*checkpointv1.TaskState
	last      *checkpointv1.Manifest
	replayed  int64 // rows that were in flight and came to a task again
	moved     int64 // of them those that came to tasks of another parallelism
	committed map[string][]int64
	written   map[string][]int64 // what each committable stands for
}

type lineTask struct {
	*task.Task
	w         *line
	id        types.TaskID
	box       *task.Mailbox
	submitted []types.CheckpointID
	inFlight  []*exchange.InFlight
	sink      *lineSink
}

func (l *line) vertices() []types.VertexID { return []types.VertexID{"a", "b", "c"} }

// deploy starts an attempt from the last complete checkpoint.
func (l *line) deploy() {
	l.attempt++
	l.pending, l.tasks = 0, nil
	plan, err := checkpoint.Restore(l.last, checkpoint.RestoreSpec{Parallelism: l.widths, MaxParallelism: groups, Hears: checkpoint.Hears(lineGraph)})
	if err != nil {
		l.Fatal(err)
	}
	n := local.NewNetwork()
	for _, v := range l.vertices() {
		for i := range l.widths[v] {
			l.tasks = append(l.tasks, l.task(n, types.TaskID{Vertex: v, Subtask: i}, plan.Vertices[v]))
		}
	}
}

func (l *line) task(n exchange.Network, id types.TaskID, plan *checkpoint.VertexPlan) *lineTask {
	t := &lineTask{w: l, id: id, box: task.NewMailbox()}
	p := task.Parts{
		ID: id, Store: emptyStore{}, Uploads: t, InFlights: t, Report: t, Metrics: &metrics.Task{}, Clock: l.now,
		BufferTimeout: time.Millisecond, Unaligned: task.Unaligned{Enabled: true, After: l.after, PieceRows: 2},
		Ledger: plan.Tasks[id.Subtask].Ledger, Watermarks: map[types.OperatorUID]stream.Watermark{},
	}
	switch id.Vertex {
	case "a":
		r := &lineReader{w: l, split: id.Subtask}
		for _, s := range plan.Splits {
			if s.Id == fmt.Sprint(id.Subtask) {
				r.next = int(binary.LittleEndian.Uint64(s.State))
			}
		}
		p.Source = task.NewSource(r, nil, 0, 0)
		p.Outlets = [][]exchange.Outlet{{l.outlet(n, 0, id, "b", t)}}
	case "b":
		p.Gate = l.gate(n, 0, id, "a", t)
		p.Chain = []task.Link{{UID: "check", Counts: &operators.Counts{}, Operator: &keyCheck{
			w: l, own: types.KeyGroupRangeOf(int(id.Subtask), int(l.widths["b"]), groups), last: make(map[int64]int64),
		}}}
		p.Outlets = [][]exchange.Outlet{{l.outlet(n, 1, id, "c", t)}}
	case "c":
		p.Gate = l.gate(n, 1, id, "b", t)
		t.sink = &lineSink{w: l, name: fmt.Sprintf("%d-%d", l.attempt, id.Subtask), prepared: make(map[types.CheckpointID][][]byte)}
		p.Sink = t.sink
	}
	p.Replay = l.replay(id, plan.Tasks[id.Subtask].InFlight)
	t.Task = task.New(p, t.box)
	return t
}

func (l *line) replay(id types.TaskID, files []checkpoint.InFlight) *exchange.Replay {
	var stored []*controlv1.InFlight
	for _, f := range files {
		stored = append(stored, &controlv1.InFlight{File: f.File, Subtask: f.Subtask, Parallelism: f.Parallelism})
	}
	r := &task.Replays{Graph: lineGraph, Task: id, Parallelism: int(l.widths[id.Vertex]), Pool: &l.pool, Read: func(f *controlv1.InFlight) ([]inflight.Channel, error) {
		return upload.InFlight(l.Context(), nil, nil, f.File)
	}}
	out, err := r.Of(stored)
	if err != nil {
		l.Fatal(err)
	}
	for _, e := range out.Elements {
		if e.Element.Kind == stream.RowsElement {
			l.replayed += int64(e.Element.Batch.Rows())
		}
		if files[0].Parallelism != l.widths[id.Vertex] {
			l.moved++
		}
	}
	return out
}

func (l *line) channel(edge int32, from, to int32) exchange.ChannelID {
	return exchange.ChannelID{Region: types.RegionID{Job: "j"}, Attempt: l.attempt, Edge: edge, From: from, To: to}
}

func (l *line) gate(n exchange.Network, edge int32, id types.TaskID, from types.VertexID, t *lineTask) exchange.Gate {
	var channels []exchange.GateChannel
	for i := range l.widths[from] {
		channels = append(channels, exchange.GateChannel{ID: l.channel(edge, i, id.Subtask), CreditBytes: credit})
	}
	g, err := exchange.OpenGate(n, channels, t.box)
	if err != nil {
		l.Fatal(err)
	}
	return g
}

func (l *line) outlet(n exchange.Network, edge int32, id types.TaskID, to types.VertexID, t *lineTask) exchange.Outlet {
	var senders []exchange.Sender
	for i := range l.widths[to] {
		s, err := n.Sender(l.channel(edge, id.Subtask, i), "", credit, t.box)
		if err != nil {
			l.Fatal(err)
		}
		senders = append(senders, s)
	}
	o, err := exchange.NewOutlet(lineGraph.Edges[edge].Partitioning, rowSchema, senders, &l.pool, groups, exchange.OutletOptions{})
	if err != nil {
		l.Fatal(err)
	}
	return o
}

// Ended implements task.Reporter.
func (t *lineTask) Ended() {}

// Passed implements task.Reporter.
func (t *lineTask) Passed(types.CheckpointID) {}

// Declined implements task.Reporter.
func (t *lineTask) Declined(id types.CheckpointID, err error) {
	if id == t.w.pending {
		t.w.abort()
	}
}

// Snapshotted implements task.Reporter.
func (t *lineTask) Snapshotted(id types.CheckpointID, s *checkpointv1.TaskState, f *controlv1.SnapshotFigures) {
	l := t.w
	if id != l.pending {
		return
	}
	l.acked[t.id] = s
	if len(l.acked) == len(l.tasks) {
		l.complete()
	}
}

// Submit implements task.Uploads.
func (t *lineTask) Submit(id types.CheckpointID, _ statebackend.Snapshot) {
	t.submitted = append(t.submitted, id)
}

// SubmitInFlight implements task.InFlights.
func (t *lineTask) SubmitInFlight(id types.CheckpointID, f *exchange.InFlight) {
	t.inFlight = append(t.inFlight, f)
}

func (t *lineTask) post(c task.Command) {
	if err := t.box.Post(c); err != nil {
		t.w.Fatal(err)
	}
}

// upload lets what was submitted first be safe.
func (t *lineTask) upload() {
	if len(t.submitted) > 0 {
		t.post(task.Uploaded{ID: t.submitted[0]})
		t.submitted = t.submitted[1:]
	}
	if len(t.inFlight) == 0 {
		return
	}
	f := t.inFlight[0]
	t.inFlight = t.inFlight[1:]
	var b bytes.Buffer
	info, err := upload.WriteInFlight(&b, f, &t.w.pool)
	if err != nil {
		t.w.Fatal(err)
	}
	t.post(task.Stored{ID: f.Checkpoint, File: &checkpointv1.StateFile{
		At: &checkpointv1.StateFile_Inline{Inline: b.Bytes()}, Sha256: info.Sum[:], Bytes: info.Bytes, Rows: info.Rows, Kind: upload.InFlightKind,
	}})
	f.Release()
}

func (l *line) trigger() {
	if l.pending != 0 {
		l.abort()
	}
	l.next++
	l.pending, l.acked = l.next, make(map[types.TaskID]*checkpointv1.TaskState)
	for _, t := range l.tasks {
		if t.id.Vertex == "a" {
			t.post(task.Trigger{Barrier: stream.Barrier{ID: l.pending}, At: l.now.Now()})
		}
	}
}

func (l *line) abort() {
	for _, t := range l.tasks {
		t.post(task.Aborted{ID: l.pending})
	}
	l.pending = 0
}

// complete makes the pending checkpoint the one that is restored, and commits it.
func (l *line) complete() {
	m := &checkpointv1.Manifest{
		FormatVersion: checkpoint.FormatVersion, JobId: "j", CheckpointId: uint64(l.pending), Kind: checkpoint.Periodic.Proto(),
	}
	for _, v := range l.vertices() {
		s := &checkpointv1.VertexState{VertexId: string(v), MaxParallelism: groups, LargestParallelism: groups}
		for i := range l.widths[v] {
			state := l.acked[types.TaskID{Vertex: v, Subtask: i}]
			for _, c := range state.Committables {
				l.committed[string(c)] = l.written[string(c)]
			}
			s.Tasks = append(s.Tasks, state)
		}
		m.Vertices = append(m.Vertices, s)
	}
	if err := checkpoint.Validate(m); err != nil {
		l.Fatal(err)
	}
	if wrong := checkpoint.Audit(lineGraph, m); wrong != nil {
		l.Fatalf("checkpoint %d: %v", l.pending, wrong)
	}
	l.last = m
	for _, t := range l.tasks {
		t.post(task.Completed{ID: l.pending})
	}
	l.pending = 0
}

// kill ends every task where it stands.
func (l *line) kill() {
	for _, t := range l.tasks {
		if err := t.Close(); err != nil {
			l.Fatal(err)
		}
		for _, f := range t.inFlight {
			f.Release()
		}
	}
	if n := l.pool.Live(); n != 0 {
		l.Fatalf("%d buffers are out", n)
	}
}

func (l *line) step(t *lineTask) {
	if _, _, err := t.Step(l.now.NowMillis()); err != nil {
		l.Fatal(err)
	}
}

func (l *line) act() {
	t := rapid.SampledFrom(l.tasks).Draw(l.T, "task")
	switch what := rapid.IntRange(0, 99).Draw(l.T, "what"); {
	case what < 5:
		if l.pending == 0 || what == 0 {
			l.trigger()
		}
	case what < 7 && l.last != nil:
		l.kill()
		for _, v := range []types.VertexID{"b", "c"} {
			l.widths[v] = int32(rapid.IntRange(1, 3).Draw(l.T, "parallelism"))
		}
		l.deploy()
	case what < 30:
		for _, t := range l.tasks {
			t.upload()
		}
	case what < 35:
		l.now.Advance(5 * time.Millisecond)
	default:
		for range 3 {
			l.step(t)
			t = l.tasks[(slices.Index(l.tasks, t)+1)%len(l.tasks)]
		}
		if t.sink != nil && what > 90 {
			t.sink.ready++
		}
	}
}

// settle heals everything, and takes a last checkpoint when all rows are through.
func (l *line) settle() {
	total := sources * l.rows
	for round := range 10_000 {
		for _, t := range l.tasks {
			if t.sink != nil {
				t.sink.ready = 100
			}
			l.step(t)
			t.upload()
		}
		l.now.Advance(5 * time.Millisecond)
		if l.pending == 0 {
			n := 0
			for _, rows := range l.committed {
				n += len(rows)
			}
			if n >= total {
				return
			}
			if round%3 == 0 {
				l.trigger()
			}
		}
	}
	l.Fatal("rows do not come through")
}

func TestOvertakingBarriersAndRestoresLoseAndDoubleNothing(t *testing.T) {
	var replayed, moved int64
	rapid.Check(t, func(t *rapid.T) {
		l := &line{
			T: t, now: clock.NewManual(time.Unix(1_700_000_000, 0)), rows: rapid.IntRange(0, 300).Draw(t, "rows"),
			after:  time.Duration(rapid.SampledFrom([]int{0, 0, 7}).Draw(t, "after")) * time.Millisecond,
			widths: map[types.VertexID]int32{"a": sources, "b": 2, "c": 2}, committed: make(map[string][]int64), written: make(map[string][]int64),
		}
		l.deploy()
		for range rapid.IntRange(0, 400).Draw(t, "actions") {
			l.act()
		}
		l.settle()
		l.kill()
		var got []int64
		for _, rows := range l.committed {
			got = append(got, rows...)
		}
		slices.Sort(got)
		for i, n := range got {
			if n != int64(i) {
				t.Fatalf("the %d-th of %d rows is %d: lost, doubled or made up", i, len(got), n)
			}
		}
		if len(got) != sources*l.rows {
			t.Fatalf("%d rows of %d", len(got), sources*l.rows)
		}
		replayed += l.replayed
		moved += l.moved
	})
	if replayed == 0 || moved == 0 {
		t.Errorf("%d rows were in flight and replayed, of %d batches at another parallelism: the test tests nothing", replayed, moved)
	}
	t.Logf("%d rows were in flight and replayed; %d batches of them at another parallelism", replayed, moved)
}

// lineReader gives rows of a split: keys from 0 to 9 that are the split's own, in turn.
type lineReader struct {
	connectors.Reader
	w     *line
	split int32
	next  int
}

func (r *lineReader) Read() (*stream.Batch, connectors.ReadStatus, error) {
	n := min(r.w.rows-r.next, 1+r.next%7)
	if n <= 0 {
		return nil, connectors.Dry, nil
	}
	b := r.w.pool.NewBatch(rowSchema, n)
	for c := range b.Columns {
		b.Columns[c] = stream.NewFixed(&r.w.pool, rowSchema.Fields[c].Type, n)
	}
	for i := range n {
		stream.Values[int64](&b.Columns[0])[i] = int64(r.split) + sources*int64((r.next+i)%5)
		stream.Values[int64](&b.Columns[1])[i] = int64(r.split) + sources*int64(r.next+i)
	}
	r.next += n
	return b, connectors.More, nil
}

func (r *lineReader) Positions(p []connectors.SplitState) []connectors.SplitState {
	return append(p, connectors.SplitState{
		ID: connectors.SplitID(fmt.Sprint(r.split)), State: binary.LittleEndian.AppendUint64(nil, uint64(r.next)), Watermark: stream.NoWatermark,
	})
}

func (r *lineReader) CheckpointComplete(types.CheckpointID) {}
func (r *lineReader) Close() error                          { return nil }

// keyCheck passes rows on: those of its key groups, each key's in their order. It gives
// each batch in two halves, so that some of it waits in the chain.
type keyCheck struct {
	operators.Operator
	w    *line
	own  types.KeyGroupRange
	last map[int64]int64
	out  []*stream.Batch
}

func (k *keyCheck) Process(_ int, b *stream.Batch) error {
	reader, err := stream.NewKeyReader(rowSchema, []int{0})
	if err != nil {
		return err
	}
	for i, hash := range reader.Read(b).Hashes {
		key, n := stream.Values[int64](&b.Columns[0])[b.Row(i)], stream.Values[int64](&b.Columns[1])[b.Row(i)]
		if g := types.KeyGroupOf(hash, groups); !k.own.Contains(g) {
			return fmt.Errorf("row %d of key %d, group %d, came to the owner of %s", n, key, g, k.own)
		}
		if last, ok := k.last[key]; ok && n <= last {
			return fmt.Errorf("row %d of key %d came behind row %d", n, key, last)
		}
		k.last[key] = n
	}
	half := b.Rows() / 2
	for _, part := range [][2]int{{0, half}, {half, b.Rows()}} {
		if part[0] < part[1] {
			k.out = append(k.out, operators.Slice(b, part[0], part[1]))
		}
	}
	return nil
}

func (k *keyCheck) Next() (operators.Output, error) {
	if len(k.out) == 0 {
		return operators.Output{}, nil
	}
	b := k.out[0]
	k.out = k.out[1:]
	return operators.Output{Batch: b}, nil
}

func (k *keyCheck) Advance(stream.Watermark) error { return nil }
func (k *keyCheck) Flush() error                   { return nil }

func (k *keyCheck) Close() error {
	for _, b := range k.out {
		b.Release()
	}
	return nil
}

// lineSink commits what it has written since the barrier before, with a checkpoint.
type lineSink struct {
	connectors.Writer
	w        *line
	name     string
	ready    int
	rows     []int64
	prepared map[types.CheckpointID][][]byte
}

func (s *lineSink) Ready() bool { return s.ready > 0 }

func (s *lineSink) Write(b *stream.Batch) error {
	s.ready--
	for i := range b.Rows() {
		s.rows = append(s.rows, stream.Values[int64](&b.Columns[1])[b.Row(i)])
	}
	return nil
}

func (s *lineSink) Prepare(id types.CheckpointID) error {
	name := fmt.Sprintf("%s-%d", s.name, id)
	s.w.written[name], s.rows = s.rows, nil
	s.prepared[id] = [][]byte{[]byte(name)}
	return nil
}

func (s *lineSink) Prepared(id types.CheckpointID) ([][]byte, bool, error) {
	return s.prepared[id], true, nil
}

func (s *lineSink) CheckpointComplete(types.CheckpointID) {}
func (s *lineSink) CheckpointAborted(types.CheckpointID)  {}
func (s *lineSink) Close() error                          { return nil }

// emptyStore is a store of which nothing is ever frozen.
type emptyStore struct{ statebackend.Store }

func (emptyStore) Freeze(bool) (statebackend.Snapshot, error) { return nil, nil }
func (emptyStore) SizeBytes() int64                           { return 0 }
func (emptyStore) Close() error                               { return nil }
