package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/connectors"
	"millrace/exchange"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/operators"
	"millrace/stream"
	"millrace/taskmanager/task"
	"millrace/types"
)

// twoBatches is a reader that gives a batch of two rows twice.
type twoBatches struct {
	connectors.Reader
	pool  *stream.Pool
	given int
}

func (r *twoBatches) Read() (*stream.Batch, connectors.ReadStatus, error) {
	if r.given == 2 {
		return nil, connectors.Done, nil
	}
	r.given++
	b := r.pool.NewBatch(types.NewSchema(), 2)
	b.Split = 1
	return b, connectors.More, nil
}

func (*twoBatches) Assign([]connectors.SplitState) error { return nil }
func (*twoBatches) Finished() []int32                    { return nil }
func (*twoBatches) Close() error                         { return nil }

// located is one that can.
type located struct{ *twoBatches }

func (l located) Began() string { return fmt.Sprintf("topic words, offset %d", 2*l.given-2) }

// gated gives what a reader has.
type gated struct {
	exchange.Gate
	*twoBatches
}

func (g gated) Poll() (int, stream.Element, bool) {
	b, _, _ := g.Read()
	return 0, stream.RowsOf(b), b != nil
}
func (gated) Broken() (exchange.ChannelID, bool) { return exchange.ChannelID{}, false }
func (gated) Restore(stream.Watermark)           {}
func (gated) Close()                             {}
func (gated) Aligning() (stream.Barrier, bool)   { return stream.Barrier{}, false }

// bomb is an operator that panics where it is told to.
type bomb struct{ at string }

func (o *bomb) explode(at string) error {
	if at == o.at {
		panic("no such word")
	}
	return nil
}

func (o *bomb) Open(*operators.Context) error { return nil }
func (o *bomb) Process(int, *stream.Batch) error {
	if o.at == "second process" {
		o.at = "process"
		return nil
	}
	return o.explode("process")
}
func (o *bomb) Next() (operators.Output, error) { return operators.Output{}, nil }
func (o *bomb) Advance(stream.Watermark) error  { return o.explode("advance") }
func (o *bomb) Flush() error                    { return o.explode("flush") }
func (o *bomb) Close() error                    { return o.explode("close") }
func (o *bomb) WakeAt() (int64, bool)           { return 1, o.at == "wake" }
func (o *bomb) Wake(int64) error                { return o.explode("wake") }

type silent struct{ task.Reporter }

func (silent) Ended() {}

// passing hands each batch on.
type passing struct {
	operators.Operator
	b *stream.Batch
}

func (p *passing) Process(_ int, b *stream.Batch) error { p.b = b.Share(); return nil }
func (p *passing) Flush() error                         { return nil }
func (p *passing) Advance(stream.Watermark) error       { return nil }
func (p *passing) Close() error                         { return nil }
func (p *passing) Next() (operators.Output, error) {
	b := p.b
	p.b = nil
	return operators.Output{Batch: b}, nil
}

// TestPanicsOfFunctions: what a function of the user's throws, wherever the task calls it, is a failure of the user's that may be
// restarted, and says which operator, which rows and where in the user's code; what anything else throws is ours.
func TestPanicsOfFunctions(t *testing.T) {
	user := failure.Class{Domain: failure.DomainUser, Retry: failure.Restart}
	for _, test := range []struct {
		name, at string
		behind   bool // another operator, of the same chain
		gate     bool
		mute     bool
		ours     bool // the operator is not the user's
		position string
		text     string
	}{
		{name: "rows of a source", at: "process", position: "topic words, offset 0", text: "topic words, offset 0: in 2 rows from there on: operator bomb: panic: no such word\n"},
		{name: "the second batch", at: "second process", position: "topic words, offset 2", text: "topic words, offset 2: in 2 rows from there on: operator bomb: "},
		{name: "behind an operator", at: "process", behind: true, position: "topic words, offset 0", text: "topic words, offset 0: in 2 rows from there on: operator bomb: "},
		{name: "a source that can't tell", at: "process", mute: true, position: "split b", text: "split b: in 2 rows from there on: operator bomb: "},
		{name: "rows of an exchange", at: "second process", gate: true, text: "rows 3 to 4 of the task's input: operator bomb: "},
		{name: "a timer", at: "wake", text: "operator bomb: panic: no such word\n"},
		{name: "a flush", at: "flush", text: "operator bomb: panic: no such word\n"},
		{name: "the end", at: "close", text: "close task v/0: close operator 0: operator bomb: panic: no such word\n"},
		{name: "our own", at: "process", ours: true, text: "task v/0 panicked: no such word\ngoroutine "},
	} {
		t.Run(test.name, func(t *testing.T) {
			var pool stream.Pool
			reader := &twoBatches{pool: &pool}
			op := &bomb{at: test.at}
			chain := []task.Link{{UID: "bomb", Operator: op, Counts: &operators.Counts{}, Native: !test.ours}}
			if test.behind {
				chain = append([]task.Link{{UID: "passing", Operator: &passing{}, Counts: &operators.Counts{}}}, chain...)
			}
			parts := task.Parts{
				ID: types.TaskID{Vertex: "v"}, Chain: chain, Metrics: new(metrics.Task), Clock: clock.NewManual(time.UnixMilli(5_000)),
				Report: silent{}, Store: emptyStore{}, BufferTimeout: time.Millisecond, Outlets: [][]exchange.Outlet{nil},
			}
			box := task.NewMailbox()
			switch {
			case test.gate:
				parts.Gate = gated{twoBatches: reader}
			case test.mute:
				parts.Source = task.NewSource(reader, nil, 0, 0)
			default:
				parts.Source = task.NewSource(located{reader}, nil, 0, 0)
			}
			if parts.Source != nil {
				if err := box.Post(task.Assign{Splits: []connectors.SplitState{{ID: "a"}, {ID: "b"}}}); err != nil {
					t.Fatal(err)
				}
			}
			ends := task.New(parts, box).Run
			if test.at == "close" {
				ends = func(context.Context) error { return task.New(parts, box).Close() }
			}
			err := ends(t.Context())
			checkPanic(t, err, test.text, test.position, test.ours, user)
		})
	}
}

func checkPanic(t *testing.T, err error, text, position string, ours bool, user failure.Class) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), text) {
		t.Fatalf("got %v\nwant %s", err, text)
	}
	var at interface{ SourcePosition() string }
	if got := errors.As(err, &at); got != (position != "") || got && at.SourcePosition() != position {
		t.Errorf("position %v, want %s", at, position)
	}
	if got := failure.ClassOf(err); (got == user) == ours {
		t.Errorf("class %s", got)
	}
	if !ours && (!strings.Contains(err.Error(), "task_test.(*bomb).explode\n") || strings.Contains(err.Error(), "taskmanager/task.(*chain)")) {
		t.Errorf("not from the user's code on:\n%s", err)
	}
}
