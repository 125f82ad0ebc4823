package collect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/blobstore"
	"millrace/blobstore/fault"
	"millrace/blobstore/memory"
	"millrace/blobstore/results"
	"millrace/connectors"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// life is a job whose only task is the sink, over a store that fails: whatever fails ends
// the attempt, and the next one goes on from the last complete checkpoint. A reader
// fetches meanwhile.
type life struct {
	t     *testing.T
	store blobstore.Store
	sink  *sink
	pool  stream.Pool
	waker waker

	attempt   types.Attempt
	writers   []connectors.Writer
	committer connectors.Committer
	ids       types.CheckpointID // allotted
	complete  types.CheckpointID
	toCommit  [][]byte // of the complete checkpoint
	epochs    int      // in complete checkpoints
	want      []string

	after types.CheckpointID // the reader has it
	got   []string
}

const (
	lifeEpochs      = 3
	lifeParallelism = 2
)

type waker chan struct{}

func (w waker) Wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// TestACrashAtEveryCall has the store fail at each of the calls that a job's life makes,
// one life a call: between any two of uploading, preparing, indexing, fetching,
// acknowledging and deleting. The reader has every row once, in order, and at the end
// nothing is left but the mark of what it has.
func TestACrashAtEveryCall(t *testing.T) {
	for _, action := range []string{"err=fatal", "err=lost-reply", "err=unavailable"} {
		t.Run(action, func(t *testing.T) {
			for n := 1; ; n++ {
				plan := fmt.Sprintf("any nth=%d %s", n, action)
				under := memory.New(clock.System())
				store, err := fault.Wrap(under, plan)
				if err != nil {
					t.Fatal(err)
				}
				l := &life{t: t, store: store, sink: open(t, store), waker: make(waker, 1)}
				l.run()
				l.expectNothingLeft(under, action)
				if t.Failed() {
					t.Fatalf("plan %q", plan)
				}
				if store.FiredTotal() == 0 {
					if n < 20 {
						t.Fatalf("a life has only %d calls", n)
					}
					return
				}
			}
		})
	}
}

func (l *life) run() {
	for l.epochs < lifeEpochs {
		if err := l.try(); err != nil {
			l.t.Log(err)
		}
		l.stop()
	}
	// The last commits may not have happened: the job ends when they have.
	for l.recover() != nil {
		l.stop()
	}
	l.stop()
	for len(l.got) < len(l.want) {
		_ = l.fetch()
	}
	for l.acknowledge() != nil {
	}
	if diff := cmp.Diff(l.want, l.got); diff != "" {
		l.t.Errorf("fetched (-want +got):\n%s", diff)
	}
	if n := l.pool.Live(); n != 0 {
		l.t.Errorf("%d buffers and batches were not released", n)
	}
}

// recover begins an attempt.
func (l *life) recover() (err error) {
	l.attempt++
	id := func(subtask int) connectors.Identity {
		return connectors.Identity{Job: "job", Operator: "sink", Attempt: l.attempt, Subtask: int32(subtask), Parallelism: lifeParallelism}
	}
	if l.committer, err = l.sink.Committer(connectors.CommitterContext{Identity: id(0), Clock: clock.System()}); err != nil {
		l.t.Fatal(err)
	}
	if err := l.committer.Recover(l.t.Context(), l.complete, l.toCommit); err != nil {
		return err
	}
	for i := range lifeParallelism {
		w, err := l.sink.Writer(connectors.WriterContext{
			Identity: id(i), Schema: schema, Pool: &l.pool, Clock: clock.System(), Waker: l.waker, Restored: l.complete, Metrics: new(metrics.Task),
		})
		if err != nil {
			l.t.Fatal(err)
		}
		l.writers = append(l.writers, w)
	}
	return nil
}

// try runs an attempt up to the first error.
func (l *life) try() error {
	if err := l.recover(); err != nil {
		return err
	}
	for l.epochs < lifeEpochs {
		rows, err := l.write()
		if err != nil {
			return err
		}
		committables, err := l.prepare()
		if err != nil {
			return err
		}
		l.complete, l.toCommit = l.ids, committables
		l.epochs++
		l.want = append(l.want, rows...)
		if err := l.committer.Commit(l.t.Context(), l.complete, l.toCommit); err != nil {
			return err
		}
		for _, step := range []func() error{l.fetch, l.acknowledge} { // no trouble of the job's
			if err := step(); err != nil {
				l.t.Log(err)
			}
		}
	}
	return nil
}

// write writes the rows of an epoch, more than fit into a part.
func (l *life) write() (rows []string, err error) {
	for s, w := range l.writers {
		for k := range 3 {
			text := fmt.Sprintf("-D %d '%d %d %s' NULL", l.epochs, s, k, strings.Repeat("x", 1000))
			b := streamtest.Batch(l.t, &l.pool, schema, text)
			rows = append(rows, streamtest.Rows(b)...)
			for !w.Ready() {
				<-l.waker
			}
			err = w.Write(b)
			b.Release()
			if err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

func (l *life) prepare() (out [][]byte, err error) {
	l.ids++
	for _, w := range l.writers {
		if err := w.Prepare(l.ids); err != nil {
			return nil, err
		}
	}
	for _, w := range l.writers {
		for {
			committables, done, err := w.Prepared(l.ids)
			if err != nil {
				return nil, err
			}
			out = append(out, committables...)
			if done {
				break
			}
			<-l.waker
		}
	}
	return out, nil
}

func (l *life) stop() {
	for _, w := range l.writers {
		if err := w.Close(); err != nil {
			l.t.Error(err)
		}
	}
	l.writers = nil
}

func (l *life) log() results.Log { return results.Log{Store: l.store, Job: "job"} }

// fetch takes the results of one checkpoint, all of them or none.
func (l *life) fetch() error {
	w, err := l.log().Next(l.t.Context(), l.after)
	if err != nil {
		return err
	}
	var rows []string
	for _, p := range w.Parts {
		object, err := l.log().Read(l.t.Context(), p)
		if err != nil {
			return err
		}
		some, err := rowsOf(object)
		if err != nil {
			l.t.Fatal(err)
		}
		rows = append(rows, some...)
	}
	l.after = max(l.after, w.Checkpoint)
	l.got = append(l.got, rows...)
	return nil
}

func (l *life) acknowledge() error {
	if l.after == 0 {
		return nil
	}
	if err := l.log().Acknowledge(l.t.Context(), l.after); err != nil {
		return err
	}
	return l.log().Discard(l.t.Context())
}

// expectNothingLeft: a part whose upload was answered by an error may be left, of the
// attempt that went on with another.
func (l *life) expectNothingLeft(store blobstore.Store, action string) {
	l.t.Helper()
	var left []string
	for o, err := range blobstore.Walk(l.t.Context(), store, "") {
		if err != nil {
			l.t.Fatal(err)
		}
		left = append(left, o.Key)
	}
	mark, err := blobstore.ResultFetchedKey{Job: "job", Checkpoint: l.after}.Path()
	if err != nil {
		l.t.Fatal(err)
	}
	if len(left) == 2 && action == "err=lost-reply" && strings.HasPrefix(left[1], "job/result/part/") {
		left = left[:1]
	}
	if !slices.Equal(left, []string{mark}) {
		l.t.Errorf("left: %q", left)
	}
}
