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

// unreported has nobody to tell.
type unreported struct{ Reporter }

func (unreported) Passed(types.CheckpointID) {}

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
		Metrics: &figures, Clock: now, Report: unreported{},
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

// scripted is a gate that gives what the test says.
type scripted struct {
	exchange.Gate
	next     stream.Element
	aligning stream.Barrier
}

func (g *scripted) Poll() (int, stream.Element, bool) {
	e := g.next
	g.next = stream.Element{}
	return 0, e, e.Kind != 0
}

func (g *scripted) Aligning() (stream.Barrier, bool)        { return g.aligning, g.aligning.ID != 0 }
func (g *scripted) Broken() (id exchange.ChannelID, _ bool) { return id, false }
func (g *scripted) Restore(stream.Watermark)                {}

// TestAlignmentAndStartDelayOfAGate: a barrier is as old as it is on the first
// channel on which it comes, and its alignment lasts from there to the last.
func TestAlignmentAndStartDelayOfAGate(t *testing.T) {
	now := clock.NewManual(time.Unix(1_700_000_000, 0))
	gate := &scripted{}
	var figures metrics.Task
	task := New(Parts{
		Gate: gate, Outlets: [][]exchange.Outlet{{&congestible{credit: true}}}, Store: stateless{}, Uploads: forgottenUploads{},
		Metrics: &figures, Clock: now, Report: unreported{},
	}, NewMailbox())
	step := func(wantDelay, wantAlignment time.Duration) {
		t.Helper()
		if _, _, err := task.Step(now.NowMillis()); err != nil {
			t.Fatal(err)
		}
		delay, _ := figures.StartDelayNanos.Load()
		alignment, _ := figures.AlignmentNanos.Load()
		if time.Duration(delay) != wantDelay || time.Duration(alignment) != wantAlignment {
			t.Errorf("delay %s and alignment %s, want %s and %s", time.Duration(delay), time.Duration(alignment), wantDelay, wantAlignment)
		}
	}
	barrier := func(id types.CheckpointID) stream.Barrier {
		return stream.Barrier{ID: id, Triggered: now.Now().UnixNano()}
	}
	first := barrier(1)
	now.Advance(2 * time.Second)
	gate.aligning = first // on one channel of several
	step(2*time.Second, 0)
	now.Advance(3 * time.Second)
	step(2*time.Second, 0)
	gate.aligning, gate.next = stream.Barrier{}, stream.BarrierOf(first)
	step(2*time.Second, 3*time.Second)

	second := barrier(2)
	now.Advance(time.Second)
	gate.next = stream.BarrierOf(second) // the only channel
	step(time.Second, 0)

	gate.aligning = stream.Barrier{ID: 3} // nobody knows when it was triggered
	step(time.Second, 0)
	now.Advance(time.Second)
	gate.aligning = stream.Barrier{ID: 4, Triggered: now.Now().Add(time.Hour).UnixNano()} // 3 is given up; another machine's clock
	step(0, 0)
}
