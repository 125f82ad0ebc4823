package connectortest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// SinkCase is a sink to test.
type SinkCase struct {
	// Sink writes to an empty place of its own.
	Sink   connectors.Sink
	Schema *types.Schema
	// Batch makes a batch of rows; nil makes random ones of the schema.
	Batch func(r *rand.Rand, p *stream.Pool) *stream.Batch
	// Visible returns the rows that a reader sees now, in the spelling of
	// streamtest, in any order. Nil: the rows are nowhere to be seen.
	Visible func(t *testing.T) []string
}

// RunSink runs the suite. Each test asks for a case of its own.
func RunSink(t *testing.T, open func(t *testing.T) SinkCase) {
	for name, test := range map[string]func(*writing){
		"rows come out":                         rowsComeOut,
		"epochs without rows":                   emptyEpochs,
		"rows of two epochs are kept apart":     epochsApart,
		"commits may be repeated":               commitsRepeated,
		"a failed checkpoint is carried over":   carriedOver,
		"several checkpoints in flight":         severalInFlight,
		"recovery commits what was complete":    recovered,
		"recovery drops what was not complete":  recoveredWithout,
		"recovery at another parallelism":       recoveredSmaller,
		"recovery behind visible output":        fallenBack,
		"closed with rows that nobody prepared": closedEarly,
	} {
		t.Run(name, func(t *testing.T) {
			w := &writing{t: t, c: open(t), random: rand.New(rand.NewPCG(1, 2)), waker: newWaker()}
			test(w)
			w.finish()
		})
	}
}

// writing is a sink that is being written to, at some parallelism.
type writing struct {
	t       *testing.T
	c       SinkCase
	random  *rand.Rand
	pool    stream.Pool
	waker   waker
	attempt types.Attempt
	largest int // parallelism so far

	writers   []connectors.Writer
	committer connectors.Committer
	want      []string // what must be visible
}

func (w *writing) identity(subtask, parallelism int) connectors.Identity {
	return connectors.Identity{
		Cluster: "test", Job: "job", Attempt: w.attempt, Operator: "sink",
		Subtask: int32(subtask), Parallelism: int32(parallelism),
	}
}

// start begins an attempt from a checkpoint with what it has to commit.
func (w *writing) start(parallelism int, restored types.CheckpointID, committables [][]byte) {
	w.t.Helper()
	w.attempt++
	w.largest = max(w.largest, parallelism)
	c, err := w.c.Sink.Committer(connectors.CommitterContext{
		Identity: w.identity(0, parallelism), Clock: clock.System(), MaxParallelism: int32(w.largest),
	})
	if err != nil {
		w.t.Fatalf("make committer: %v", err)
	}
	if w.committer = c; c != nil {
		if err := c.Recover(w.t.Context(), restored, committables); err != nil {
			w.t.Fatalf("recover: %v", err)
		}
	}
	for i := range parallelism {
		writer, err := w.c.Sink.Writer(connectors.WriterContext{
			Identity: w.identity(i, parallelism), Schema: w.c.Schema, Pool: &w.pool, Clock: clock.System(),
			Waker: w.waker, Restored: restored, Metrics: new(metrics.Task),
		})
		if err != nil {
			w.t.Fatalf("make writer: %v", err)
		}
		w.writers = append(w.writers, writer)
	}
}

// stop ends the attempt, as a failure would: nothing is prepared or committed.
func (w *writing) stop() {
	w.t.Helper()
	for _, writer := range w.writers {
		if err := writer.Close(); err != nil {
			w.t.Errorf("close writer: %v", err)
		}
	}
	if w.committer != nil {
		if err := w.committer.Close(); err != nil {
			w.t.Errorf("close committer: %v", err)
		}
	}
	w.writers, w.committer = nil, nil
}

func (w *writing) finish() {
	w.t.Helper()
	w.stop()
	if n := w.pool.Live(); n != 0 {
		w.t.Errorf("%d buffers and batches were not released", n)
	}
}

// write writes a batch to every writer and returns the rows.
func (w *writing) write() []string {
	w.t.Helper()
	var rows []string
	for _, writer := range w.writers {
		for range 3 {
			b := w.batch()
			for !writer.Ready() {
				w.waker.wait(w.t, "room in the writer")
			}
			if err := writer.Write(b); err != nil {
				w.t.Fatalf("write: %v", err)
			}
			rows = append(rows, streamtest.Rows(b)...)
			b.Release()
		}
	}
	return rows
}

func (w *writing) batch() *stream.Batch {
	if w.c.Batch != nil {
		return w.c.Batch(w.random, &w.pool)
	}
	o := streamtest.RandomOptions{Rows: 1 + w.random.IntN(50), NullPercent: 10, Reencode: true}
	return streamtest.Random(w.random, &w.pool, w.c.Schema, o)
}

// prepare ends the epoch.
func (w *writing) prepare(id types.CheckpointID) {
	w.t.Helper()
	for _, writer := range w.writers {
		if err := writer.Prepare(id); err != nil {
			w.t.Fatalf("prepare checkpoint %d: %v", id, err)
		}
	}
}

// prepared waits until the epoch is safe and returns its committables.
func (w *writing) prepared(id types.CheckpointID) [][]byte {
	w.t.Helper()
	var out [][]byte
	for _, writer := range w.writers {
		for {
			committables, done, err := writer.Prepared(id)
			if err != nil {
				w.t.Fatalf("checkpoint %d: %v", id, err)
			}
			if done {
				for _, c := range committables {
					out = append(out, slices.Clone(c))
				}
				break
			}
			w.waker.wait(w.t, "a prepared epoch")
		}
	}
	if w.committer == nil && len(out) > 0 {
		w.t.Fatal("a sink without a committer has committables")
	}
	return out
}

// commit completes a checkpoint that has these rows.
func (w *writing) commit(id types.CheckpointID, committables [][]byte, rows []string) {
	w.t.Helper()
	for _, writer := range w.writers {
		writer.CheckpointComplete(id)
	}
	if w.committer != nil {
		if err := w.committer.Commit(w.t.Context(), id, committables); err != nil {
			w.t.Fatalf("commit checkpoint %d: %v", id, err)
		}
	}
	w.visible(rows)
}

// visible adds rows to those that must be visible, and looks.
func (w *writing) visible(rows []string) {
	w.t.Helper()
	w.want = append(w.want, rows...)
	if w.c.Visible == nil || (w.committer == nil && w.attempt > 1) {
		return
	}
	if diff := streamtest.Diff(w.want, w.c.Visible(w.t), false); diff != "" {
		w.t.Fatalf("visible rows (-want +got):\n%s", diff)
	}
}

// hidden checks that nothing more is visible, where the sink commits.
func (w *writing) hidden() {
	w.t.Helper()
	if w.committer != nil {
		w.visible(nil)
	}
}

func rowsComeOut(w *writing) {
	w.start(2, 0, nil)
	rows := w.write()
	w.hidden()
	w.prepare(1)
	c := w.prepared(1)
	w.hidden()
	w.commit(1, c, rows)
	more := w.write()
	w.prepare(2)
	w.commit(2, w.prepared(2), more)
}

func emptyEpochs(w *writing) {
	w.start(2, 0, nil)
	w.prepare(1)
	w.commit(1, w.prepared(1), nil)
	rows := w.write()
	w.prepare(2)
	w.commit(2, w.prepared(2), rows)
	w.prepare(3)
	w.commit(3, w.prepared(3), nil)
}

func epochsApart(w *writing) {
	w.start(2, 0, nil)
	rows := w.write()
	w.prepare(1)
	more := w.write() // before the first epoch is safe
	c := w.prepared(1)
	if w.committer == nil {
		rows, more = append(rows, more...), nil
	}
	w.prepare(2)
	next := w.prepared(2)
	w.commit(1, c, rows)
	w.commit(2, next, more)
}

func commitsRepeated(w *writing) {
	w.start(2, 0, nil)
	rows := w.write()
	w.prepare(1)
	c := w.prepared(1)
	w.commit(1, c, rows)
	w.commit(1, c, nil)
	more := w.write()
	w.prepare(2)
	w.commit(2, append(slices.Clone(c), w.prepared(2)...), more)
}

func carriedOver(w *writing) {
	w.start(2, 0, nil)
	rows := w.write()
	w.prepare(1)
	c := w.prepared(1)
	for _, writer := range w.writers {
		writer.CheckpointAborted(1)
	}
	w.hidden()
	rows = append(rows, w.write()...)
	w.prepare(2)
	w.commit(2, append(c, w.prepared(2)...), rows)
}

// severalInFlight prepares three epochs before the first is complete; the second
// fails.
func severalInFlight(w *writing) {
	w.start(2, 0, nil)
	var rows [3][]string
	var c [3][][]byte
	for i := range rows {
		rows[i] = w.write()
		w.prepare(types.CheckpointID(i + 1))
	}
	for i := range rows {
		c[i] = w.prepared(types.CheckpointID(i + 1))
	}
	for _, writer := range w.writers {
		writer.CheckpointAborted(2)
	}
	if w.committer == nil {
		w.visible(slices.Concat(rows[0], rows[1], rows[2]))
		return
	}
	w.commit(1, c[0], rows[0])
	w.commit(3, append(c[1], c[2]...), append(rows[1], rows[2]...))
}

// recovered fails between completion and commit, and fails in recovery too.
func recovered(w *writing) {
	w.start(2, 0, nil)
	rows := w.write()
	w.prepare(1)
	c := w.prepared(1)
	w.write() // lost with the attempt
	w.stop()
	w.start(2, 1, c)
	w.visible(rows)
	w.stop()
	w.start(3, 1, c)
	w.visible(nil)
	more := w.write()
	w.prepare(3)
	w.commit(3, w.prepared(3), more)
}

// recoveredWithout fails before completion: what was prepared is not to be seen,
// ever, and the same rows come again.
func recoveredWithout(w *writing) {
	w.start(2, 0, nil)
	w.write()
	w.prepare(1)
	w.prepared(1)
	w.write()
	w.stop()
	w.start(2, 0, nil)
	w.visible(nil)
	rows := w.write()
	w.prepare(2)
	w.commit(2, w.prepared(2), rows)
}

func recoveredSmaller(w *writing) {
	w.start(3, 0, nil)
	rows := w.write()
	w.prepare(1)
	c := w.prepared(1)
	w.write()
	w.prepare(2)
	w.prepared(2)
	w.stop()
	w.start(1, 1, c)
	w.visible(rows)
	more := w.write()
	w.prepare(3)
	w.commit(3, w.prepared(3), more)
}

// fallenBack restores a checkpoint behind which output is visible already: it is
// refused, and nothing is ended by it that the later checkpoint needs.
func fallenBack(w *writing) {
	w.start(2, 0, nil)
	if w.committer == nil {
		return // it makes no promise
	}
	var c [3][][]byte
	var rows [3][]string
	for i := range c {
		rows[i] = w.write()
		w.prepare(types.CheckpointID(i + 1))
		c[i] = w.prepared(types.CheckpointID(i + 1))
		if i < 2 {
			w.commit(types.CheckpointID(i+1), c[i], rows[i])
		}
	}
	w.stop()
	w.attempt++
	committer, err := w.c.Sink.Committer(connectors.CommitterContext{
		Identity: w.identity(0, 2), Clock: clock.System(), MaxParallelism: 2,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	err = committer.Recover(w.t.Context(), 1, c[0])
	if !errors.Is(err, connectors.ErrAhead) || failure.ClassOf(err).Retry != failure.Restart {
		w.t.Errorf("recovery of checkpoint 1 behind the commit of checkpoint 2 says %v", err)
	}
	if err := committer.Close(); err != nil {
		w.t.Error(err)
	}
	w.start(2, 3, slices.Concat(c[1], c[2]))
	w.visible(rows[2])
}

func closedEarly(w *writing) {
	w.start(2, 0, nil)
	w.write()
	w.hidden()
	w.stop()
	w.start(1, 0, nil)
	w.write()
	w.prepare(1)
}
