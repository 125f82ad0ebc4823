package local

import (
	"errors"
	"fmt"
	"testing"

	"millrace/exchange"
	"millrace/stream"
	"millrace/types"
)

var testSchema = types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)})

func rowsElement(p *stream.Pool) stream.Element {
	b := p.NewBatch(testSchema, 1)
	b.Columns[0] = stream.NewFixed(p, testSchema.Fields[0].Type, 1)
	return stream.RowsOf(b)
}

func openRing(t testing.TB, n *Network) (exchange.Sender, exchange.Receiver) {
	t.Helper()
	id := exchange.ChannelID{Region: types.RegionID{Job: "j"}, Attempt: 1}
	idle := exchange.WakerFunc(func() {})
	s, err := n.Sender(id, "", 0, idle)
	if err != nil {
		t.Fatal(err)
	}
	r, err := n.Receiver(id, "", 0, idle)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestRowsLeavePlacesToControl(t *testing.T) {
	var pool stream.Pool
	s, r := openRing(t, NewNetwork())
	sent := 0
	for s.Credit() > 0 {
		s.Send(rowsElement(&pool))
		sent++
	}
	if sent != rowPlaces {
		t.Errorf("%d small batches had credit, want %d", sent, rowPlaces)
	}
	r.Close()
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}

// Flooding a ring with control breaks it rather than lose an element in silence.
func TestFloodBreaksTheChannel(t *testing.T) {
	var pool stream.Pool
	s, r := openRing(t, NewNetwork())
	s.Send(rowsElement(&pool))
	for i := range ringPlacesMax - 1 {
		s.Send(stream.BarrierOf(stream.Barrier{ID: types.CheckpointID(i + 1)}))
	}
	if r.Broken() {
		t.Fatal("broken while there is room")
	}
	s.Send(stream.BarrierOf(stream.Barrier{ID: ringPlacesMax}))
	if _, ok := r.Poll(); ok || !r.Broken() {
		t.Error("an overfull ring goes on")
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}

func TestRowsBehindTheEndBreakTheChannel(t *testing.T) {
	var pool stream.Pool
	s, r := openRing(t, NewNetwork())
	s.Send(stream.End())
	s.Send(rowsElement(&pool))
	if !r.Broken() || pool.Live() != 0 {
		t.Errorf("broken %v, %d buffers are out", r.Broken(), pool.Live())
	}
}

// Begin fences like a first channel: half-open channels break, older attempts are
// refused.
func TestBeginFences(t *testing.T) {
	n := NewNetwork()
	idle := exchange.WakerFunc(func() {})
	half, err := n.Receiver(exchange.ChannelID{Region: types.RegionID{Job: "j"}, Attempt: 3}, "", 0, idle)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Begin(types.RegionID{Job: "j"}, 4); err != nil {
		t.Fatal(err)
	}
	if !half.Broken() || !n.Over(types.RegionID{Job: "j"}, 3) || n.Over(types.RegionID{Job: "j"}, 4) || n.Over(types.RegionID{Job: "j", Index: 1}, 1) {
		t.Errorf("broken %v, over %v and %v", half.Broken(), n.Over(types.RegionID{Job: "j"}, 3), n.Over(types.RegionID{Job: "j"}, 4))
	}
	if err := n.Begin(types.RegionID{Job: "j"}, 3); !errors.Is(err, exchange.ErrFenced) {
		t.Errorf("an older attempt: %v", err)
	}
	n.Forget(types.RegionID{Job: "j"}, 4)
	if !n.Over(types.RegionID{Job: "j"}, 4) {
		t.Error("a forgotten attempt is not over")
	}
}

func TestRegionsThatAreOverAreForgottenAtLast(t *testing.T) {
	n := NewNetwork()
	for i := range retiredRegionsMax + 100 {
		n.Forget(types.RegionID{Job: types.JobID(fmt.Sprint(i))}, 1)
	}
	if len(n.mu.regions) != retiredRegionsMax || len(n.mu.retired) != retiredRegionsMax {
		t.Errorf("%d regions, %d retired, want %d", len(n.mu.regions), len(n.mu.retired), retiredRegionsMax)
	}
}

// BenchmarkRing hands a batch over and takes it, in one goroutine.
func BenchmarkRing(b *testing.B) {
	var pool stream.Pool
	s, r := openRing(b, NewNetwork())
	e := rowsElement(&pool)
	b.ReportAllocs()
	for range b.N {
		if s.Credit() <= 0 {
			b.Fatal("no credit")
		}
		e.Batch.Retain()
		s.Send(e)
		got, _ := r.Poll()
		got.Batch.Release()
	}
}

// BenchmarkRingBetweenGoroutines hands batches from one goroutine to another,
// which both sleep when they have nothing to do.
func BenchmarkRingBetweenGoroutines(b *testing.B) {
	var pool stream.Pool
	n := NewNetwork()
	id := exchange.ChannelID{Region: types.RegionID{Job: "j"}}
	awake := func() (chan struct{}, exchange.Waker) {
		c := make(chan struct{}, 1)
		return c, exchange.WakerFunc(func() {
			select {
			case c <- struct{}{}:
			default:
			}
		})
	}
	credit, sw := awake()
	elements, rw := awake()
	s, _ := n.Sender(id, "", 0, sw)
	r, _ := n.Receiver(id, "", 0, rw)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			e, ok := r.Poll()
			switch {
			case !ok:
				<-elements
			case e.Kind == stream.EndElement:
				return
			default:
				e.Batch.Release()
			}
		}
	}()
	e := rowsElement(&pool)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for s.Credit() <= 0 {
			<-credit
		}
		e.Batch.Retain()
		s.Send(e)
	}
	s.Send(stream.End())
	<-done
}
