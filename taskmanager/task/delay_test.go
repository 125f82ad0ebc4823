package task

import (
	"testing"
	"time"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// silent is a reader without rows.
type silent struct{ connectors.Reader }

func (silent) Read() (*stream.Batch, connectors.ReadStatus, error)         { return nil, connectors.Dry, nil }
func (silent) Positions(p []connectors.SplitState) []connectors.SplitState { return p }

// stateless is a store of which nothing is ever frozen.
type stateless struct{ statebackend.Store }

func (stateless) Freeze(bool) (statebackend.Snapshot, error) { return nil, nil }
func (stateless) SizeBytes() int64                           { return 0 }

type forgottenUploads struct{ Uploads }

func (forgottenUploads) Submit(types.CheckpointID, statebackend.Snapshot) {}

// congestible is an outlet that has credit when the test says so.
type congestible struct {
	exchange.Outlet
	credit   bool
	barriers int
}

func (o *congestible) Ready() bool { return o.credit }

func (o *congestible) Control(e stream.Element) {
	if e.Kind == stream.BarrierElement {
		o.barriers++
	}
}

// TestStartDelayOfASource: a barrier is as old as what it had to wait for.
func TestStartDelayOfASource(t *testing.T) {
	now := clock.NewManual(time.Unix(1_700_000_000, 0))
	out := &congestible{}
	var figures metrics.Task
	box := NewMailbox()
	task := New(Parts{
		Source: NewSource(silent{}, nil, 0, 0), Outlets: [][]exchange.Outlet{{out}}, Store: stateless{}, Uploads: forgottenUploads{},
		Metrics: &figures, Clock: now,
	}, box)
	trigger := func(id int) {
		if err := box.Post(Trigger{Barrier: stream.Barrier{ID: types.CheckpointID(id)}, At: now.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	step := func() {
		if _, _, err := task.Step(now.NowMillis()); err != nil {
			t.Fatal(err)
		}
	}
	trigger(1)
	step()
	if _, set := figures.StartDelayNanos.Load(); set || out.barriers != 0 {
		t.Fatalf("%d barriers have passed an outlet without credit", out.barriers)
	}
	now.Advance(3 * time.Second)
	out.credit = true
	step()
	if delay, set := figures.StartDelayNanos.Load(); delay != int64(3*time.Second) || !set || out.barriers != 1 {
		t.Errorf("behind %d barriers the delay is %s, want 3s behind one", out.barriers, time.Duration(delay))
	}
	trigger(2)
	step()
	if delay, _ := figures.StartDelayNanos.Load(); delay != 0 || out.barriers != 2 {
		t.Errorf("behind %d barriers the delay is %s, want none behind two", out.barriers, time.Duration(delay))
	}
}
