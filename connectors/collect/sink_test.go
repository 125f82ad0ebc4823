package collect

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"millrace/blobstore"
	"millrace/blobstore/fault"
	"millrace/blobstore/memory"
	"millrace/blobstore/results"
	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// written is one writer, its committer, and what they share.
type written struct {
	t         *testing.T
	pool      stream.Pool
	waker     waker
	writer    connectors.Writer
	committer connectors.Committer
	trouble   atomic.Pointer[string]
}

// begin starts a writer of a sink; the test ends it.
func begin(t *testing.T, s *sink) *written {
	t.Helper()
	w := &written{t: t, waker: make(waker, 1)}
	id := connectors.Identity{Job: "job", Operator: "sink", Attempt: 1, Parallelism: 1}
	var err error
	w.writer, err = s.Writer(connectors.WriterContext{
		Identity: id, Schema: schema, Pool: &w.pool, Clock: clock.System(), Waker: w.waker, Metrics: new(metrics.Task),
		Trouble: func(message string) { w.trouble.Store(&message); w.waker.Wake() },
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.committer, err = s.Committer(connectors.CommitterContext{Identity: id, Clock: clock.System()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.writer.Close(); err != nil {
			t.Error(err)
		}
		if n := w.pool.Live(); n != 0 {
			t.Errorf("%d buffers and batches were not released", n)
		}
	})
	return w
}

// write writes a row with a text of so many bytes.
func (w *written) write(size int) {
	w.t.Helper()
	b := streamtest.Batch(w.t, &w.pool, schema, fmt.Sprintf("1 '%s' NULL", strings.Repeat("x", size)))
	defer b.Release()
	if err := w.writer.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

// prepare ends an epoch and returns what it came to.
func (w *written) prepare(id types.CheckpointID) ([][]byte, error) {
	w.t.Helper()
	if err := w.writer.Prepare(id); err != nil {
		w.t.Fatal(err)
	}
	for {
		committables, done, err := w.writer.Prepared(id)
		if done || err != nil {
			return committables, err
		}
		<-w.waker
	}
}

// commit writes rows of a checkpoint and commits it.
func (w *written) commit(id types.CheckpointID, sizes ...int) error {
	w.t.Helper()
	for _, size := range sizes {
		w.write(size)
	}
	committables, err := w.prepare(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.committer.Commit(w.t.Context(), id, committables)
}

// partRows returns the rows of each part of a checkpoint.
func partRows(t *testing.T, s blobstore.Store, id types.CheckpointID) (rows []int64) {
	t.Helper()
	w, err := (results.Log{Store: s, Job: "job"}).Next(t.Context(), id-1)
	if err != nil || w.Checkpoint != id {
		t.Fatalf("checkpoint %d, %v", w.Checkpoint, err)
	}
	for _, p := range w.Parts {
		rows = append(rows, p.Rows)
	}
	return rows
}

func TestSizesOfParts(t *testing.T) {
	store := memory.New(clock.System())
	w := begin(t, open(t, store)) // parts of 2 KiB
	for id, c := range []struct {
		sizes []int
		want  []int64
	}{
		{[]int{1, 1, 1}, []int64{3}},
		{[]int{1200, 1200, 1200, 1200}, []int64{2, 2}},
		{[]int{1200, 10_000, 1200}, []int64{1, 1, 1}}, // the large one by itself
		{[]int{10_000, 10_000}, []int64{1, 1}},
	} {
		if err := w.commit(types.CheckpointID(id+1), c.sizes...); err != nil {
			t.Fatal(err)
		}
		if got := partRows(t, store, types.CheckpointID(id+1)); !slices.Equal(got, c.want) {
			t.Errorf("rows of %v bytes are in parts of %v rows, want %v", c.sizes, got, c.want)
		}
	}
}

// TestARowThatIsTooLarge: it could be stored, but never fetched.
func TestARowThatIsTooLarge(t *testing.T) {
	w := begin(t, open(t, memory.New(clock.System())))
	w.write(results.PartBytesMax + 1)
	_, err := w.prepare(1)
	if failure.ClassOf(err).Domain != failure.DomainUser || !strings.Contains(err.Error(), "at most 50331648") {
		t.Errorf("got %v", err)
	}
	if !w.writer.Ready() {
		t.Error("the writer hides its error")
	}
	b := streamtest.Batch(t, &w.pool, schema, "1 'x' NULL")
	defer b.Release()
	if err := w.writer.Write(b); err == nil {
		t.Error("more is written behind an error")
	}
}

// TestAStoreThatIsAway: rows are refused at a bound, people are told, the task is woken
// when it is over, and Close does not wait for that.
func TestAStoreThatIsAway(t *testing.T) {
	store, err := fault.Wrap(memory.New(clock.System()), "create err=unavailable")
	if err != nil {
		t.Fatal(err)
	}
	w := begin(t, open(t, store))
	for n := 0; w.writer.Ready(); n++ {
		if n > 20 { // 8 KiB may wait, of 1 KiB each, behind one part
			t.Fatal("the writer takes rows without end")
		}
		w.write(1000)
	}
	for m := w.trouble.Load(); m == nil || !strings.Contains(*m, "results are not uploaded"); m = w.trouble.Load() {
		<-w.waker
	}
	if err := w.writer.Prepare(1); err != nil {
		t.Fatal(err)
	}
	if _, done, err := w.writer.Prepared(1); done || err != nil {
		t.Errorf("prepared %v, %v", done, err)
	}
}

func TestAQueryThatNobodyFetchesFails(t *testing.T) {
	for name, limit := range map[string]func(*sink){
		"bytes": func(s *sink) { s.limits.keptBytesMax = 3000 }, "parts": func(s *sink) { s.limits.keptPartsMax = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			store := memory.New(clock.System())
			s := open(t, store)
			limit(s)
			w, g := begin(t, s), results.Log{Store: store, Job: "job"}
			for id := types.CheckpointID(1); id < 10; id++ { // fetched in time
				if err := w.commit(id, 1000); err != nil {
					t.Fatal(err)
				}
				if err := g.Acknowledge(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				if err := g.Discard(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			for id := types.CheckpointID(10); err == nil; id++ {
				if id > 20 {
					t.Fatal("results pile up")
				}
				err = w.commit(id, 1000)
			}
			if failure.ClassOf(err) != (failure.Class{Domain: failure.DomainUser, Retry: failure.Never}) || !strings.Contains(err.Error(), "nobody fetches the results of job job") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestResultsOfAnotherJobAreItsOwn: a job that starts from the checkpoint of another has
// that one's committables.
func TestResultsOfAnotherJobAreItsOwn(t *testing.T) {
	store := memory.New(clock.System())
	w := begin(t, open(t, store))
	other := results.Lot{Job: "other", Operator: "sink", Checkpoint: 4, Attempt: 1, Unique: "u", Parts: []results.Part{{Number: 1, Rows: 1, Bytes: 1}}}
	if err := w.committer.Recover(t.Context(), 4, [][]byte{other.Encode()}); err != nil {
		t.Fatal(err)
	}
	for _, job := range []types.JobID{"job", "other"} {
		if newest, err := (results.Log{Store: store, Job: job}).Newest(t.Context()); newest != 0 || err != nil {
			t.Errorf("job %s has results of checkpoint %d, %v", job, newest, err)
		}
	}
	if err := w.committer.Commit(t.Context(), 5, [][]byte{{9}}); err == nil || !strings.Contains(err.Error(), "format version 9") {
		t.Errorf("a committable of another version: %v", err)
	}
}

func TestASinkNeedsAStore(t *testing.T) {
	var r connectors.Registry
	(&Connector{}).Register(&r)
	s, err := r.Sink(&jobgraph.SinkSpec{Connector: Name}, schema) // as where graphs are checked
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Writer(connectors.WriterContext{}); failure.ClassOf(err).Domain != failure.DomainInternal {
		t.Errorf("writer: %v", err)
	}
	if _, err := s.Committer(connectors.CommitterContext{}); failure.ClassOf(err).Domain != failure.DomainInternal {
		t.Errorf("committer: %v", err)
	}
	if _, err := r.Sink(&jobgraph.SinkSpec{Connector: Name, Options: map[string]string{"path": "x"}}, schema); failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("an option: %v", err)
	}
}
