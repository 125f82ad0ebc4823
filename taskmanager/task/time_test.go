package task

import (
	"slices"
	"testing"
	"time"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/operators"
	"millrace/stream"
	"millrace/types"
)

// alarm is an operator that wants to be woken every second and tells by a row.
type alarm struct {
	operators.Operator
	pool *stream.Pool
	at   int64
	woke []int64
	ring bool
}

func (a *alarm) WakeAt() (int64, bool) { return a.at, a.at != 0 }

func (a *alarm) Wake(now int64) error {
	a.woke, a.ring, a.at = append(a.woke, now), true, now+1000
	return nil
}

func (a *alarm) Next() (operators.Output, error) {
	if !a.ring {
		return operators.Output{}, nil
	}
	a.ring = false
	return operators.Output{Batch: a.pool.NewBatch(types.NewSchema(), 0)}, nil
}

func (*alarm) Flush() error { return nil }

// counting counts batches and flushes.
type counting struct {
	exchange.Outlet
	batches, flushes int
}

func (*counting) Ready() bool            { return true }
func (*counting) Control(stream.Element) {}
func (o *counting) Flush()               { o.flushes++ }
func (o *counting) Rows(b *stream.Batch) error {
	o.batches++
	b.Release()
	return nil
}

// TestOperatorsAreWoken: at its time and not before, at once where that is past, with its rows flushed on, and with
// a time that does not run backwards.
func TestOperatorsAreWoken(t *testing.T) {
	now := clock.NewManual(time.UnixMilli(5_000))
	var pool stream.Pool
	op := &alarm{pool: &pool, at: 6_000}
	out := &counting{}
	passed := new(operators.Time)
	task := New(Parts{
		Gate: &scripted{}, Chain: []Link{{UID: "alarm", Operator: op, Counts: &operators.Counts{}}}, Time: passed,
		Outlets: [][]exchange.Outlet{{out}}, Metrics: new(metrics.Task), Clock: now, Report: unreported{}, BufferTimeout: 5 * time.Millisecond,
	}, NewMailbox())
	step := func(at int64, wantProgress Progress, wantWake int64) {
		t.Helper()
		p, wake, err := task.Step(at)
		if err != nil || p != wantProgress || wake != wantWake {
			t.Errorf("step at %d: %d, to be woken at %d, %v; want %d and %d", at, p, wake, err, wantProgress, wantWake)
		}
	}
	step(5_000, Starved, 6_000)
	step(5_999, Starved, 6_000)
	step(6_000, Worked, 0)
	step(6_000, Starved, 6_005) // the flush
	step(6_005, Worked, 0)
	step(6_006, Starved, 7_000)
	step(4_000, Starved, 7_000)
	if passed.Now() != 6_006 {
		t.Errorf("the time is %d behind a step at 6006 and one at 4000", passed.Now())
	}
	step(9_500, Worked, 0)
	if !slices.Equal(op.woke, []int64{6_000, 9_500}) || out.batches != 2 || out.flushes != 1 {
		t.Errorf("woken at %v, %d batches and %d flushes; want two, two and one", op.woke, out.batches, out.flushes)
	}
}

// timedSink is told event time.
type timedSink struct {
	connectors.Writer
	told []stream.Watermark
}

func (*timedSink) Ready() bool { return true }

func (s *timedSink) Advance(to stream.Watermark) { s.told = append(s.told, to) }

// ending takes the end of a task.
type ending struct{ Reporter }

func (ending) Ended() {}

// TestSinksAreToldEventTime: a sink that asks for it is told each watermark, and that no more rows come when none can: what gives its
// rows at the end of the input gives them behind the last watermark.
func TestSinksAreToldEventTime(t *testing.T) {
	gate, sink := &scripted{}, &timedSink{}
	task := New(Parts{Gate: gate, Sink: sink, Metrics: new(metrics.Task), Clock: clock.NewManual(time.UnixMilli(0)), Report: ending{}}, NewMailbox())
	for i, e := range []stream.Element{stream.WatermarkOf(5), stream.StatusOf(true), stream.WatermarkOf(9), stream.WatermarkOf(stream.MaxWatermark), stream.End()} {
		gate.next = e
		if _, _, err := task.Step(int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []stream.Watermark{5, 9, stream.MaxWatermark - 1, stream.MaxWatermark}; !slices.Equal(sink.told, want) {
		t.Errorf("the sink was told %v, want %v", sink.told, want)
	}
}
