package task

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/operators"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/stream"
	"millrace/types"
)

// holding is an operator in which everything waits until the test has an answer.
type holding struct {
	operators.Operator
	log      *[]string
	queue    []operators.Output
	out      []operators.Output
	answered bool
	full     bool
	kept     int
	err      error // of the next answer
}

func (h *holding) Process(_ int, b *stream.Batch) error {
	h.queue = append(h.queue, operators.Output{Batch: b.Retain()})
	return nil
}

func (h *holding) Advance(w stream.Watermark) error {
	*h.log = append(*h.log, fmt.Sprintf("holding advances to %d", w))
	return nil
}

func (*holding) Flush() error { return nil }
func (*holding) Close() error { return nil }

func (h *holding) Next() (out operators.Output, err error) {
	if len(h.out) > 0 {
		out, h.out = h.out[0], h.out[1:]
	}
	return out, h.err
}

func (h *holding) Hold(e stream.Element) bool {
	if len(h.queue) > 0 {
		h.queue = append(h.queue, operators.Output{Signal: e})
	}
	return len(h.queue) > 0
}

func (h *holding) Full() bool            { return h.full }
func (h *holding) Keep() error           { h.kept++; return nil }
func (h *holding) WakeAt() (int64, bool) { return 0, h.answered }

func (h *holding) Wake(int64) error {
	h.out, h.queue, h.answered, h.full = h.queue, nil, false, false
	return nil
}

// following logs what it is given, and passes it on.
type following struct {
	operators.Operator
	log *[]string
	out *stream.Batch
}

func (f *following) Process(_ int, b *stream.Batch) error {
	*f.log = append(*f.log, fmt.Sprintf("%d rows", b.Rows()))
	f.out = b.Retain()
	return nil
}

func (f *following) Advance(w stream.Watermark) error {
	*f.log = append(*f.log, fmt.Sprintf("advance to %d", w))
	return nil
}

func (f *following) Finish() error { *f.log = append(*f.log, "finish"); return nil }
func (*following) Flush() error    { return nil }
func (*following) Close() error    { return nil }

func (f *following) Next() (out operators.Output, err error) {
	out.Batch, f.out = f.out, nil
	return out, nil
}

// doubling gives two batches for one.
type doubling struct {
	operators.Operator
	batch *stream.Batch
	n     int
}

func (d *doubling) Process(_ int, b *stream.Batch) error { d.batch, d.n = b, 2; return nil }
func (*doubling) Flush() error                           { return nil }
func (*doubling) Close() error                           { return nil }

func (d *doubling) Next() (out operators.Output, err error) {
	if d.n > 0 {
		d.n--
		out.Batch = d.batch.Retain()
	}
	return out, nil
}

// logged is an outlet that logs.
type logged struct {
	exchange.Outlet
	log *[]string
}

func (logged) Ready() bool { return true }
func (logged) Flush()      {}
func (logged) Close()      {}

func (o logged) Control(e stream.Element) { *o.log = append(*o.log, "out "+e.String()) }

func (o logged) Rows(b *stream.Batch) error {
	*o.log = append(*o.log, fmt.Sprintf("out %d rows", b.Rows()))
	b.Release()
	return nil
}

// stepped is a task whose gate the test feeds.
type stepped struct {
	*testing.T
	*Task
	gate *scripted
	pool stream.Pool
	log  []string
}

func newStepped(t *testing.T, make func(*stepped) []operators.Operator) *stepped {
	s := &stepped{T: t, gate: &scripted{}}
	p := Parts{
		ID: types.TaskID{Vertex: "v"}, Gate: s.gate, Outlets: [][]exchange.Outlet{{logged{log: &s.log}}}, Store: stateless{}, Uploads: forgottenUploads{},
		Metrics: new(metrics.Task), Clock: clock.NewManual(time.UnixMilli(0)), Report: ending{unreported{}}, BufferTimeout: time.Hour,
	}
	for i, op := range make(s) {
		p.Chain = append(p.Chain, Link{UID: types.OperatorUID(fmt.Sprint("op", i)), Operator: op, Counts: &operators.Counts{}})
	}
	s.Task = New(p, NewMailbox())
	return s
}

func (s *stepped) rows(n int) stream.Element {
	return stream.RowsOf(s.pool.NewBatch(types.NewSchema(), n))
}

// gives feeds an element and steps until nothing moves, which must be for the reason given.
func (s *stepped) gives(e stream.Element, want Progress) {
	s.Helper()
	s.gate.next = e
	for range 100 {
		p, _, err := s.Step(0)
		if err != nil {
			s.Fatal(err)
		}
		if p != Worked {
			if p != want {
				s.Errorf("behind %s the task is at %d, want %d", e, p, want)
			}
			return
		}
	}
	s.Fatalf("behind %s the task does not come to rest", e)
}

func (s *stepped) wants(want ...string) {
	s.Helper()
	if !slices.Equal(s.log, want) {
		s.Errorf("%q, want %q", s.log, want)
	}
	s.log = nil
}

// watermarks are those of the operators in a snapshot.
func (s *stepped) watermarks() (out []stream.Watermark) {
	for _, w := range s.state().Watermarks[1:] {
		out = append(out, stream.Watermark(w.Watermark))
	}
	return out
}

// TestSignalsWaitWithRows: watermarks, statuses and the end come out of an operator behind the rows that wait there, go from there through the rest of the chain,
// and nothing else waits for them: neither later rows nor a barrier, whose snapshot has what was forwarded.
func TestSignalsWaitWithRows(t *testing.T) {
	var op *holding
	s := newStepped(t, func(s *stepped) []operators.Operator {
		op = &holding{log: &s.log}
		return []operators.Operator{op, &following{log: &s.log}}
	})
	s.gives(stream.WatermarkOf(1), Starved)
	s.wants("holding advances to 1", "advance to 1", "out watermark(1)")
	s.gives(s.rows(3), Starved)
	s.gives(stream.WatermarkOf(5), Starved)
	s.gives(stream.StatusOf(true), Starved)
	s.gives(s.rows(2), Starved)
	s.gives(stream.WatermarkOf(9), Starved)
	s.wants("holding advances to 5", "holding advances to 9")
	s.gives(stream.BarrierOf(stream.Barrier{ID: 1}), Starved)
	if got := s.watermarks(); !slices.Equal(got, []stream.Watermark{9, 1}) || op.kept != 1 {
		t.Errorf("the snapshot has %d, behind %d calls of Keep; want 9, and 1 of the operator behind, and one call", got, op.kept)
	}
	s.log = nil
	op.answered = true
	s.gives(stream.Element{}, Starved)
	s.wants("3 rows", "out 3 rows", "advance to 5", "out watermark(5)", "out idle", "2 rows", "out 2 rows", "advance to 9", "out watermark(9)")
	if got := s.watermarks(); !slices.Equal(got, []stream.Watermark{9, 9}) {
		t.Errorf("a snapshot has %d", got)
	}

	s.gives(s.rows(1), Starved)
	s.gives(stream.WatermarkOf(stream.MaxWatermark), Starved)
	s.gives(stream.End(), Starved)
	s.wants(fmt.Sprintf("holding advances to %d", stream.MaxWatermark))
	if s.ended {
		t.Error("the task has ended before its rows")
	}
	op.answered = true
	s.gives(stream.Element{}, Starved)
	s.wants("1 rows", "out 1 rows", fmt.Sprintf("advance to %d", stream.MaxWatermark), "out "+stream.WatermarkOf(stream.MaxWatermark).String(), "finish", "out "+stream.End().String())
	if !s.ended {
		t.Error("the task has not ended")
	}
}

// TestFullOperatorsAreGivenNothing: the input waits, or the operator in front of the full one does; whoever was full is woken all the same.
func TestFullOperatorsAreGivenNothing(t *testing.T) {
	var op *holding
	first := newStepped(t, func(s *stepped) []operators.Operator {
		op = &holding{log: &s.log, full: true}
		return []operators.Operator{op}
	})
	first.gives(first.rows(3), Waiting)
	if first.gate.next.Kind == 0 {
		t.Error("a full operator was given rows")
	}
	op.answered = true
	first.gives(first.gate.next, Starved)
	op.answered = true
	first.gives(stream.Element{}, Starved)
	first.wants("out 3 rows")

	second := newStepped(t, func(s *stepped) []operators.Operator {
		op = &holding{log: &s.log}
		return []operators.Operator{&doubling{}, op, &following{log: &s.log}}
	})
	op.full = true
	second.gives(second.rows(3), Waiting)
	second.gives(stream.Element{}, Waiting)
	op.answered = true
	second.gives(stream.Element{}, Starved)
	op.answered = true
	second.gives(stream.Element{}, Starved)
	second.wants("3 rows", "out 3 rows", "3 rows", "out 3 rows")
	if n := second.pool.Live(); n != 0 {
		t.Errorf("%d batches leak", n)
	}
}

// TestBarriersDoNotWaitForCapacity: what stands in front of one that overtakes goes into the full operator, and that of a source goes at once.
func TestBarriersDoNotWaitForCapacity(t *testing.T) {
	var op *holding
	s := newStepped(t, func(s *stepped) []operators.Operator {
		op = &holding{log: &s.log, full: true}
		return []operators.Operator{&doubling{}, op}
	})
	s.gives(s.rows(3), Waiting)
	s.chain.send(stream.BarrierOf(stream.Barrier{ID: 1})) // as where the gate gives it first
	s.gives(stream.Element{}, Starved)
	s.wants("out " + stream.BarrierOf(stream.Barrier{ID: 1}).String())
	if len(op.queue) != 2 || op.kept != 1 {
		t.Errorf("%d batches wait in the operator behind %d calls of Keep, want 2 and one", len(op.queue), op.kept)
	}
	op.answered = true
	s.gives(stream.Element{}, Starved)

	out := &congestible{credit: true}
	box := NewMailbox()
	source := New(Parts{
		Source: NewSource(silent{}, nil, 0, 0), Outlets: [][]exchange.Outlet{{out}}, Store: stateless{}, Uploads: forgottenUploads{},
		Chain:   []Link{{UID: "op", Operator: &holding{log: &s.log, full: true}, Counts: &operators.Counts{}}},
		Metrics: new(metrics.Task), Clock: clock.NewManual(time.UnixMilli(0)), Report: unreported{},
	}, box)
	if p, _, err := source.Step(0); p != Waiting || err != nil {
		t.Errorf("the source's task is at %d, %v; want that it waits", p, err)
	}
	if err := box.Post(Trigger{Barrier: stream.Barrier{ID: 1}}); err != nil {
		t.Fatal(err)
	}
	if p, _, err := source.Step(0); p != Worked || err != nil || out.barriers != 1 {
		t.Errorf("the source's task is at %d, %v, with %d barriers", p, err, out.barriers)
	}
}

// delaying is an operator behind which event time is less than before it.
type delaying struct{ following }

func (*delaying) MapWatermark(w stream.Watermark) stream.Watermark { return w - 100 }

// TestEventTimeBehindAnOperatorThatDelaysIt: it is none before there is a watermark, not the end of time.
func TestEventTimeBehindAnOperatorThatDelaysIt(t *testing.T) {
	s := newStepped(t, func(s *stepped) []operators.Operator {
		return []operators.Operator{&delaying{following{log: &s.log}}, &following{log: &s.log}}
	})
	if got := s.watermarks(); !slices.Equal(got, []stream.Watermark{stream.NoWatermark, stream.NoWatermark}) {
		t.Errorf("a snapshot has %d before any watermark", got)
	}
	s.gives(stream.WatermarkOf(500), Starved)
	s.wants("advance to 500", "advance to 400", "out watermark(400)")
	if got := s.watermarks(); !slices.Equal(got, []stream.Watermark{500, 400}) {
		t.Errorf("a snapshot has %d", got)
	}
}

// TestWatermarksGivenAgain: an operator that gives what it held at the checkpoint, for all that it knows, moves nobody who has had it.
func TestWatermarksGivenAgain(t *testing.T) {
	for _, had := range []stream.Watermark{5, 9} {
		var s stepped
		op := &holding{log: &s.log, out: []operators.Output{{Signal: stream.WatermarkOf(9)}}, answered: true}
		s = stepped{T: t, gate: &scripted{}}
		op.queue = op.out
		s.Task = New(Parts{
			ID: types.TaskID{Vertex: "v"}, Gate: s.gate, Outlets: [][]exchange.Outlet{{logged{log: &s.log}}}, Metrics: new(metrics.Task), Report: unreported{},
			Clock: clock.NewManual(time.UnixMilli(0)), BufferTimeout: time.Hour, Ledger: &checkpointv1.Ledger{},
			Chain:      []Link{{UID: "op", Operator: op, Counts: &operators.Counts{}}, {UID: "behind", Operator: &following{log: &s.log}, Counts: &operators.Counts{}}},
			Watermarks: map[types.OperatorUID]stream.Watermark{"v": 9, "op": 9, "behind": had},
		}, NewMailbox())
		s.gives(stream.Element{}, Starved)
		if had == 5 {
			s.wants("advance to 9", "out watermark(9)")
		} else {
			s.wants()
		}
	}
}

// TestAnswersBlameNoRowsAtHand: an operator that fails when it is woken in the middle of a batch does not fail of the batch's rows.
func TestAnswersBlameNoRowsAtHand(t *testing.T) {
	var op *holding
	s := newStepped(t, func(s *stepped) []operators.Operator {
		op = &holding{log: &s.log, full: true}
		return []operators.Operator{&doubling{}, op}
	})
	s.Chain[1].Native = true
	s.gives(s.rows(3), Waiting)
	op.answered, op.err = true, failure.With(errors.New("no answer"), fault)
	if _, _, err := s.Step(0); err == nil || err.Error() != "no answer" {
		t.Errorf("%v, want the answer's error alone", err)
	}
	if err := s.chain.close(); err != nil || s.pool.Live() != 0 {
		t.Errorf("%v, %d batches leak", err, s.pool.Live())
	}
}
