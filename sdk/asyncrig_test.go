package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/check"
	"millrace/operators/operatortest"
	"millrace/sdk"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// question is a call that waits for the test's answer.
type question struct {
	row    click
	answer chan<- reply
}

type reply struct {
	text string
	err  error
}

// service answers when the test says so.
type service struct{ asked chan question }

func newService() *service { return &service{asked: make(chan question, 1000)} }

func (s *service) ask(ctx context.Context, row click) (string, error) {
	answer := make(chan reply, 1)
	s.asked <- question{row, answer}
	select {
	case a := <-answer:
		return a.text, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// take returns that many calls, by the page of their rows: goroutines ask in any order.
func (s *service) take(n int) map[int64]question {
	out := make(map[int64]question)
	for range n {
		q := <-s.asked
		out[q.row.Page] = q
	}
	return out
}

// forget forgets the calls of an operator that was closed.
func (s *service) forget() {
	for len(s.asked) > 0 {
		<-s.asked
	}
}

// rig is an operator and what a task does with it, of which the test does each step.
type rig struct {
	*testing.T
	c         operatortest.Case
	op        *check.Operator
	pool      stream.Pool
	store     statebackend.Store
	time      operators.Time
	woken     chan struct{}
	counts    operators.Counts
	watermark stream.Watermark
	log       []string // what left
	failed    error
}

// async describes a job with a function over clicks, and opens its operator.
func async(t *testing.T, f func(context.Context, click) (string, error), calls sdk.Calls[click, string]) *rig {
	t.Helper()
	c := one(t, "ask", func(e *sdk.Env) { sdk.Async(clicks(e), "ask", f, calls).To("out", nowhere) })
	r := &rig{T: t, c: c, woken: make(chan struct{}, 1), watermark: stream.NoWatermark}
	r.open(nil)
	return r
}

func (r *rig) open(restore []statebackend.File) {
	r.Helper()
	spec := statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.KeyGroupRangeOf(0, 1, 128), MaxParallelism: 128, Parallelism: 1, Pool: &r.pool,
	}
	if restore != nil {
		spec.Restore = [][]statebackend.File{restore}
	}
	var err error
	if r.store, err = r.c.Backend.Open(r.Context(), spec); err != nil {
		r.Fatal(err)
	}
	op, err := r.c.New(r.c.Spec)
	if err != nil {
		r.Fatal(err)
	}
	out, err := jobgraph.OutputSchema(r.c.Spec, r.c.Inputs)
	if err != nil {
		r.Fatal(err)
	}
	r.op = check.Wrap(op, check.OptionsOf(r.c.Spec))
	r.must(r.op.Open(&operators.Context{
		Task: spec.Task, Operator: r.c.Spec.UID, Parallelism: 1, MaxParallelism: 128, KeyGroups: spec.KeyGroups,
		Inputs: r.c.Inputs, Output: out, Pool: &r.pool, State: r.store, Watermark: r.watermark, Time: &r.time,
		RowsMax: stream.RowsMax, Counts: &r.counts,
		Wake: func() {
			select {
			case r.woken <- struct{}{}:
			default:
			}
		},
	}))
	r.drain()
	r.wake()
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// rows gives one batch of clicks with these pages.
func (r *rig) rows(pages ...int64) {
	r.Helper()
	var text []string
	for _, p := range pages {
		text = append(text, fmt.Sprintf("'u' %d 1970-01-01 00:00:00.001", p))
	}
	b := streamtest.Batch(r, &r.pool, r.c.Inputs[0], strings.Join(text, "\n"))
	defer b.Release()
	r.must(r.op.Process(0, b))
	r.drain()
}

func (r *rig) drain() {
	for r.failed == nil {
		out, err := r.op.Next()
		switch {
		case err != nil:
			r.failed = err
		case out.Drained():
			return
		case out.Batch == nil:
			r.log = append(r.log, out.Signal.String())
		default:
			for _, row := range streamtest.Rows(out.Batch) {
				r.log = append(r.log, strings.TrimPrefix(row, "+I "))
			}
			out.Batch.Release()
		}
	}
}

func (r *rig) signal(e stream.Element) {
	r.Helper()
	switch e.Kind {
	case stream.WatermarkElement:
		r.watermark = e.Watermark
		r.must(r.op.Advance(e.Watermark))
	case stream.EndElement:
		r.must(r.op.Finish())
	}
	r.drain()
	if !r.op.Hold(e) {
		r.log = append(r.log, e.String())
	}
}

// wake wakes the operator while its time has come.
func (r *rig) wake() {
	r.Helper()
	for at, ok := r.op.WakeAt(); ok && at <= r.time.Now() && r.failed == nil; at, ok = r.op.WakeAt() {
		r.must(r.op.Wake(r.time.Now()))
		r.drain()
	}
}

// answers answers calls one by one, and has the operator see each.
func (r *rig) answers(of map[int64]question, pages ...int64) {
	r.Helper()
	for _, p := range pages {
		of[p].answer <- reply{text: fmt.Sprint("page ", p)}
		<-r.woken
		r.wake()
	}
}

func (r *rig) errs(q question, err error) {
	r.Helper()
	q.answer <- reply{err: err}
	<-r.woken
	r.wake()
}

func (r *rig) at(millis int64) {
	r.Helper()
	r.time.Pass(millis)
	r.wake()
}

// wants checks what has left since the last call.
func (r *rig) wants(want ...string) {
	r.Helper()
	if !slices.Equal(r.log, want) {
		r.Errorf("%q have left, want %q", r.log, want)
	}
	r.log = nil
}

// fails checks that the operator has failed, for these reasons.
func (r *rig) fails(reasons ...string) {
	r.Helper()
	for _, want := range reasons {
		if r.failed == nil || !strings.Contains(r.failed.Error(), want) {
			r.Errorf("%v\nhas no %q", r.failed, want)
		}
	}
}

type snapshotFile struct{ bytes []byte }

func (*snapshotFile) Name() string { return "snapshot" }

func (f *snapshotFile) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.bytes)), nil
}

// checkpoint freezes the state as a task does before a barrier.
func (r *rig) checkpoint() []statebackend.File {
	r.Helper()
	r.must(r.op.Flush())
	r.drain()
	r.must(r.op.Keep())
	s, err := r.store.Freeze(true)
	r.must(err)
	defer s.Release()
	var buf bytes.Buffer
	_, err = s.Write(&buf)
	r.must(err)
	return []statebackend.File{&snapshotFile{buf.Bytes()}}
}

// close ends the operator, whatever it is at, and finds what it did not give back.
func (r *rig) close() {
	r.Helper()
	r.must(r.op.Close())
	r.must(r.store.Close())
	if n := r.pool.Live(); n != 0 {
		r.Errorf("%d buffers and batches leak", n)
	}
	select {
	case <-r.woken:
	default:
	}
}
