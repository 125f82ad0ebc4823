package cluster_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"millrace/cmd/cluster"
	"millrace/jobgraph"
	"millrace/operators"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// tally is an operator with a type of its own in state, which the next version of its program has changed: it counts the rows of each key, in the
// second version also those that it saw itself.
type tally struct {
	operators.Operator
	book   *tallyBook
	second bool
	third  bool // which nobody can become

	ctx   *operators.Context
	keys  *stream.KeyReader
	table statebackend.ValueTable
	words []int
}

// tallyBook is what the tasks of a job have counted, when they had read everything.
type tallyBook struct {
	mu     sync.Mutex
	second bool // which version runs
	third  bool
	totals map[int32]struct{ all, mine int } // by subtask
}

func (b *tallyBook) set(second bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.second, b.totals = second, map[int32]struct{ all, mine int }{}
}

func (b *tallyBook) setThird(third bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.third = third
}

func (b *tallyBook) factory(*jobgraph.OperatorSpec) (operators.Operator, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &tally{book: b, second: b.second, third: b.third}, nil
}

func (o *tally) columns() []statebackend.ColumnSpec {
	if o.third {
		return []statebackend.ColumnSpec{{Name: "rows", Type: types.StringType()}}
	}
	if !o.second {
		return []statebackend.ColumnSpec{{Name: "rows", Type: types.Of(types.Int)}, {Name: "note", Type: types.StringType()}}
	}
	return []statebackend.ColumnSpec{
		{Name: "mine", Type: types.Of(types.Int)},
		{Name: "mine_null", Type: types.Of(types.Boolean), NullOf: "mine"},
		{Name: "rows", Type: types.Of(types.BigInt)},
	}
}

func (o *tally) Open(ctx *operators.Context) error {
	o.ctx = ctx
	var err error
	if o.keys, err = stream.NewKeyReader(ctx.Inputs[0], []int{0}); err != nil {
		return err
	}
	o.words, _ = statebackend.WordOf(o.columns())
	o.table, err = ctx.State.Value(statebackend.ValueSpec{
		ID: statebackend.TableID{Operator: ctx.Operator, Name: "tally"}, Keys: []types.Type{ctx.Inputs[0].Fields[0].Type}, Columns: o.columns(), Evolves: true,
	})
	return err
}

func (o *tally) Process(_ int, b *stream.Batch) error {
	keys := o.keys.Read(b)
	o.ctx.Counts.Folded += int64(keys.Len())
	p, slots := o.table.Part(0, true), make([]statebackend.Slot, keys.Len())
	if _, err := p.Upsert(keys, slots); err != nil {
		return err
	}
	for _, s := range slots {
		row := p.Rows().At(s)
		if !o.second {
			row[o.words[0]]++
			if err := p.SetBytes(1, s, []byte("left behind")); err != nil {
				return err
			}
			continue
		}
		row[o.words[0]]++
		row[o.words[1]] = 0
		row[o.words[2]]++
	}
	return nil
}

func (o *tally) Advance(stream.Watermark) error { return nil }

func (o *tally) Flush() error { return nil }

func (o *tally) Next() (operators.Output, error) { return operators.Output{}, nil }

func (o *tally) MapWatermark(w stream.Watermark) stream.Watermark { return w }

func (o *tally) Close() error { return nil }

// Finish writes into the book what the task has counted. A key that this version never saw has no count of its own.
func (o *tally) Finish() error {
	p := o.table.Part(0, true)
	var slots [100]statebackend.Slot
	var sum struct{ all, mine int }
	for n, from := p.Scan(0, slots[:]); n > 0; n, from = p.Scan(from, slots[:]) {
		for _, s := range slots[:n] {
			row := p.Rows().At(s)
			if !o.second {
				sum.all += int(row[o.words[0]])
				continue
			}
			sum.all += int(row[o.words[2]])
			if row[o.words[1]] == 0 {
				sum.mine += int(row[o.words[0]])
			}
		}
	}
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	o.book.totals[o.ctx.Task.Subtask] = sum
	return nil
}

// A program whose type in state has changed goes on from the savepoint of the one before, at another parallelism and through the
// loss of a task manager: it says before it starts what becomes of which column, and every row is counted once over both.
func TestAnotherVersionOfAType(t *testing.T) {
	book := &tallyBook{}
	book.set(false)
	b := slow()
	b.cold = true
	c := startWith(t, cluster.Options{}, func(w *cluster.Wiring) {
		w.Operators = &operators.Registry{}
		w.Operators.Register(b.graph().Vertices[1].Operators[0].Kind(), book.factory)
		w.Connectors.RegisterSink("collected", newCollect().factory())
	})
	path := stopInto(t, c, submit(t, c, b.graph()), false)

	book.setThird(true)
	_, err := tryFrom(t, c, b.graph(), &apiv1.SubmitJobRequest{FromSavepoint: path})
	const refused = "vertex windows: state of table tally of operator window can't become what is declared: column rows is STRING, in the snapshot INT, which does not widen to it"
	if err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("a version of another type: %v\nwant %s", err, refused)
	}
	book.setThird(false)

	book.set(true)
	b.parallelism = 3
	resp := submitFrom(t, c, b.graph(), path)
	const want = "mine added; rows INT → BIGINT; column note left behind"
	if !slices.ContainsFunc(resp.State, func(f *apiv1.StateFate) bool {
		return f.Fate == apiv1.Fate_FATE_MIGRATED && f.Table == "tally" && strings.HasSuffix(f.Detail, want)
	}) {
		t.Errorf("no table is migrated with %q: %v", want, resp.State)
	}
	killed := false
	s := watch(t, c, resp.JobId, func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() == nil || killed {
			return
		}
		killed = true
		victim := types.TaskManagerID(describe(t, c, resp.JobId).Tasks[0].TaskManagerId)
		if err := c.KillTaskManager(victim); err != nil {
			t.Error(err)
		}
		if err := c.StartTaskManager(victim); err != nil {
			t.Error(err)
		}
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED || !killed {
		t.Fatalf("job ended as %s, a task manager was killed: %v", s, killed)
	}
	book.mu.Lock()
	defer book.mu.Unlock()
	all, mine := 0, 0
	for _, sum := range book.totals {
		all, mine = all+sum.all, mine+sum.mine
	}
	if bids := b.events * 46 / 50; all != bids || mine <= 0 || mine >= bids || len(book.totals) != 3 {
		t.Errorf("%d rows were counted, want %d; %d of them by the second version, in %d tasks", all, bids, mine, len(book.totals))
	}
}
