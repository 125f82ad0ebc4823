package task_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/types"
)

// failing is every part of a connector of the user's: it does in each call what the test says.
type failing struct{ does func() error }

func (f *failing) throws()                               { _ = f.does() }
func (f *failing) Assign([]connectors.SplitState) error  { return f.does() }
func (f *failing) NoMoreSplits()                         { f.throws() }
func (f *failing) Finished() []int32                     { f.throws(); return nil }
func (f *failing) CheckpointComplete(types.CheckpointID) { f.throws() }
func (f *failing) CheckpointAborted(types.CheckpointID)  { f.throws() }
func (f *failing) Ready() bool                           { f.throws(); return true }
func (f *failing) Write(*stream.Batch) error             { return f.does() }
func (f *failing) Prepare(types.CheckpointID) error      { return f.does() }
func (f *failing) Advance(stream.Watermark)              { f.throws() }
func (f *failing) Began() string                         { f.throws(); return "" }
func (f *failing) Close() error                          { return f.does() }
func (f *failing) Read() (*stream.Batch, connectors.ReadStatus, error) {
	return nil, connectors.Dry, f.does()
}

func (f *failing) Positions(dst []connectors.SplitState) []connectors.SplitState {
	f.throws()
	return dst
}

func (f *failing) Prepared(types.CheckpointID) ([][]byte, bool, error) {
	return nil, true, f.does()
}

// caught returns the error that f returns or throws.
func caught(f func() error) (err error) {
	defer func() {
		if thrown, ok := recover().(error); ok {
			err = thrown
		}
	}()
	return f()
}

// TestOwnConnectors: what a reader or writer of the user's throws, in whichever call, is a failure of the user's that may be restarted, names the source or sink and has the stack of the
// user's code. An error without a class is the user's too; one with a class keeps it, and its text.
func TestOwnConnectors(t *testing.T) {
	user := failure.Class{Domain: failure.DomainUser, Retry: failure.Restart}
	away := failure.Externalf(failure.Backoff, "the ledger is away")
	f := &failing{}
	r, w := task.OwnReader(f, "numbers"), task.OwnWriter(f, "ledger")
	for _, call := range []struct {
		name string
		of   string
		call func() error
		mute bool // it returns no error
	}{
		{"Assign", "source numbers", func() error { return r.Assign(nil) }, false},
		{"NoMoreSplits", "source numbers", func() error { r.NoMoreSplits(); return nil }, true},
		{"Read", "source numbers", func() error { _, _, err := r.Read(); return err }, false},
		{"Finished", "source numbers", func() error { r.Finished(); return nil }, true},
		{"Positions", "source numbers", func() error { r.Positions(nil); return nil }, true},
		{"CheckpointComplete of a reader", "source numbers", func() error { r.CheckpointComplete(1); return nil }, true},
		{"Began", "source numbers", func() error { r.(connectors.Locator).Began(); return nil }, true},
		{"Close of a reader", "source numbers", r.Close, false},
		{"Ready", "sink ledger", func() error { w.Ready(); return nil }, true},
		{"Write", "sink ledger", func() error { return w.Write(nil) }, false},
		{"Prepare", "sink ledger", func() error { return w.Prepare(1) }, false},
		{"Prepared", "sink ledger", func() error { _, _, err := w.Prepared(1); return err }, false},
		{"CheckpointComplete of a writer", "sink ledger", func() error { w.CheckpointComplete(1); return nil }, true},
		{"CheckpointAborted", "sink ledger", func() error { w.CheckpointAborted(1); return nil }, true},
		{"Advance", "sink ledger", func() error { w.(connectors.Timed).Advance(0); return nil }, true},
		{"Close of a writer", "sink ledger", w.Close, false},
	} {
		t.Run(call.name, func(t *testing.T) {
			f.does = func() error { panic("no such account") }
			err := caught(call.call)
			if err == nil || !strings.HasPrefix(err.Error(), call.of+": panic: no such account\n") || !strings.Contains(err.Error(), "task_test.TestOwnConnectors") {
				t.Errorf("what it throws is told as: %v", err)
			}
			if c := failure.ClassOf(err); c != user {
				t.Errorf("what it throws has class %s", c)
			}
			if call.mute {
				return
			}
			plain := errors.New("no such account")
			f.does = func() error { return plain }
			if err := call.call(); !errors.Is(err, plain) || err.Error() != call.of+": no such account" || failure.ClassOf(err) != user {
				t.Errorf("an error without a class came back as %v, %s", err, failure.ClassOf(err))
			}
			f.does = func() error { return away }
			if err := call.call(); err != away { //nolint:errorlint // the same error is the case
				t.Errorf("an error with a class came back as %v", err)
			}
			f.does = func() error { return nil }
			if err := call.call(); err != nil {
				t.Errorf("no error came back as %v", err)
			}
		})
	}
}

// TestPanicsOfOwnConnectors: they end the task they are in, as the user's failures.
func TestPanicsOfOwnConnectors(t *testing.T) {
	for _, test := range []struct{ name, text string }{
		{"reader", "source numbers: panic: no such account\n"},
		{"writer", "sink ledger: panic: no such account\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var pool stream.Pool
			throws := &failing{func() error { panic("no such account") }}
			parts := task.Parts{
				ID: types.TaskID{Vertex: "v"}, Metrics: new(metrics.Task), Clock: clock.NewManual(time.UnixMilli(5_000)), Report: silent{}, Store: emptyStore{}, BufferTimeout: time.Millisecond,
				Outlets: [][]exchange.Outlet{nil}, Source: task.NewSource(&twoBatches{pool: &pool}, nil, 0, 0),
			}
			if test.name == "reader" {
				parts.Source = task.NewSource(task.OwnReader(throws, "numbers"), nil, 0, 0)
			} else {
				parts.Sink = task.OwnWriter(throws, "ledger")
			}
			err := task.New(parts, task.NewMailbox()).Run(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), test.text) || !strings.Contains(err.Error(), "task_test.TestPanicsOfOwnConnectors") || strings.Contains(err.Error(), "task.(*Task)") {
				t.Errorf("the task failed with: %v", err)
			}
			if c := failure.ClassOf(err); c != (failure.Class{Domain: failure.DomainUser, Retry: failure.Restart}) {
				t.Errorf("class %s", c)
			}
		})
	}
}
