package cluster_test

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/checkpoint/codec"
	"millrace/cmd/cluster"
	"millrace/connectors"
	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/stream"
	"millrace/types"
)

// failsOnce is a sink that refuses the first rows.
type failsOnce struct {
	*collect
	failed atomic.Bool
}

func (f *failsOnce) factory() connectors.SinkFactory {
	out := f.collect.factory()
	out.Open = func(map[string]string, *types.Schema) (connectors.Sink, error) { return f, nil }
	return out
}

func (f *failsOnce) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	w, err := f.collect.Writer(ctx)
	return failsOnceWriter{w, f}, err
}

type failsOnceWriter struct {
	connectors.Writer
	of *failsOnce
}

func (w failsOnceWriter) Write(b *stream.Batch) error {
	if w.of.failed.CompareAndSwap(false, true) {
		return failure.External(errors.New("refused"), failure.Restart)
	}
	return w.Writer.Write(b)
}

// TestAnInterruptedDrainReadsNothingMore: rows come to the sink when the drain has fired the windows, and it fails. The job restarts
// behind a checkpoint, and stops at the positions of that: a window that has fired meets no further row.
func TestAnInterruptedDrainReadsNothingMore(t *testing.T) {
	sink := &failsOnce{collect: newCollect()}
	c := startWith(t, cluster.Options{}, func(w *cluster.Wiring) { w.Connectors.RegisterSink("collected", sink.factory()) })
	b := endless()
	b.interval = 500 * time.Millisecond
	id := submit(t, c, b.graph())
	var restored map[string]string
	s := watch(t, c, id, afterCheckpoint(func() {
		for _, at := range positions(t, c, 1) { // later the job has no need of it
			restored = at
		}
		if _, err := c.Jobs().StopJob(t.Context(), &apiv1.StopJobRequest{JobId: id, Drain: true}); err != nil {
			t.Error(err)
		}
	}))
	if s != apiv1.JobState_JOB_STATE_STOPPED || !sink.failed.Load() || len(sink.rows()) == 0 {
		t.Fatalf("job ended as %s, the sink has failed %t and has %d rows", s, sink.failed.Load(), len(sink.rows()))
	}
	for _, at := range positions(t, c, 1) {
		restored = at
	}
	last := positions(t, c, 2)
	if restored == nil || len(last) == 0 {
		t.Fatal("there are no checkpoints to compare")
	}
	for _, at := range last {
		if diff := cmp.Diff(restored, at); diff != "" || len(at) == 0 {
			t.Errorf("-restored +read:\n%s", diff)
		}
	}
}

// positions returns those of the splits in each checkpoint of an attempt that is kept.
func positions(t *testing.T, c *cluster.Cluster, attempt types.Attempt) (all []map[string]string) {
	t.Helper()
	for _, path := range manifests(t, c.Blobs) {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := codec.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if types.Attempt(m.Attempt) != attempt {
			continue
		}
		at := make(map[string]string)
		for _, v := range m.Vertices {
			for _, split := range v.Unassigned { // no reader had been given it again
				at[split.Id] = string(split.State)
			}
			for _, task := range v.Tasks {
				for _, split := range task.Splits {
					at[split.Id] = string(split.State)
				}
			}
		}
		all = append(all, at)
	}
	return all
}
