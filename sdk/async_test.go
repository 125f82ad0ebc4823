package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/operators/operatortest"
	"millrace/sdk"
	"millrace/stream"
)

func TestAsyncInOrder(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{})
	r.rows(1, 2, 3)
	r.signal(stream.WatermarkOf(5))
	r.signal(stream.WatermarkOf(6))
	r.signal(stream.StatusOf(true))
	r.rows(4)
	r.signal(stream.WatermarkOf(7))
	calls := s.take(4)
	r.answers(calls, 4, 2)
	r.wants()
	r.answers(calls, 1)
	r.wants("'page 1'", "'page 2'")
	r.answers(calls, 3)
	r.wants("'page 3'", "watermark(6)", "idle", "'page 4'", "watermark(7)")
	r.signal(stream.WatermarkOf(8))
	r.wants("watermark(8)")
	r.close()
}

func TestAsyncUnorderedBetweenWatermarks(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{Unordered: true})
	r.rows(1, 2, 3)
	r.signal(stream.WatermarkOf(5))
	r.rows(4, 5)
	r.signal(stream.WatermarkOf(6))
	r.rows(6)
	calls := s.take(6)
	r.answers(calls, 3, 6, 5)
	r.wants("'page 3'")
	r.answers(calls, 1, 2)
	r.wants("'page 1'", "'page 2'", "watermark(5)", "'page 5'")
	r.answers(calls, 4)
	r.wants("'page 4'", "watermark(6)", "'page 6'")
	r.close()
}

// TestAsyncCapacity: no more rows are under way than there may be, answered ones that wait for their turn included, and those that are not asked
// for yet keep others away.
func TestAsyncCapacity(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{Capacity: 2})
	if r.op.Full() {
		t.Error("full without rows")
	}
	r.rows(1, 2, 3, 4)
	calls := s.take(2)
	if calls[1].answer == nil || calls[2].answer == nil || len(s.asked) > 0 || !r.op.Full() {
		t.Errorf("%v were asked for, %d more, full: %v; want 1 and 2, and that it is", calls, len(s.asked), r.op.Full())
	}
	if _, ok := r.op.WakeAt(); !ok {
		t.Error("nothing limits the calls")
	}
	r.answers(calls, 2)
	if len(s.asked) > 0 {
		t.Error("a row is asked for while two are under way")
	}
	r.answers(calls, 1)
	calls = s.take(2)
	if r.op.Full() {
		t.Error("full, though every row is asked for")
	}
	r.answers(calls, 3, 4)
	r.wants("'page 1'", "'page 2'", "'page 3'", "'page 4'")
	r.close()
}

func TestAsyncTimeout(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{Timeout: 10 * time.Millisecond})
	r.at(1_000)
	r.rows(7)
	s.take(1)
	if at, ok := r.op.WakeAt(); !ok || at != 1_010 {
		t.Errorf("it wants to be woken at %d, %v; want 1010", at, ok)
	}
	r.at(1_009)
	if r.failed != nil {
		t.Errorf("%v before its time", r.failed)
	}
	r.at(1_010)
	r.fails("async ask (async", "no answer in time: it takes longer than 10ms\n  in task v/0, row {User:u Page:7 ")
	if !errors.Is(r.failed, sdk.ErrTimeout) {
		t.Errorf("%v is no timeout", r.failed)
	}
	r.close()
}

// TestAsyncTimeoutOfDeafCalls: a function that does not heed its context takes the place of a call until it returns, and what it says then is not heard.
func TestAsyncTimeoutOfDeafCalls(t *testing.T) {
	asked, release := make(chan int64, 10), make(chan struct{})
	r := async(t, func(_ context.Context, row click) (string, error) {
		asked <- row.Page
		<-release
		return "late", nil
	}, sdk.Calls[click, string]{Capacity: 1, Timeout: time.Second, Otherwise: func(row click, err error) ([]string, error) {
		return []string{fmt.Sprint("no ", row.Page, " ", errors.Is(err, sdk.ErrTimeout))}, nil
	}})
	r.rows(1, 2)
	<-asked
	r.at(1_000)
	r.wants("'no 1 true'")
	if at, ok := r.op.WakeAt(); ok {
		t.Errorf("it wants to be woken at %d, and can do nothing", at)
	}
	release <- struct{}{}
	<-r.woken
	r.wake()
	<-asked
	release <- struct{}{}
	<-r.woken
	r.wake()
	r.wants("'late'")
	r.close()
}

var errBusy = errors.New("busy")

func TestAsyncRetries(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{Retries: 2, RetryDelay: 50 * time.Millisecond, Retry: func(err error) bool { return errors.Is(err, errBusy) }})
	r.rows(1, 2)
	calls := s.take(2)
	r.errs(calls[1], errBusy)
	r.answers(calls, 2)
	r.wants()
	r.at(49)
	if len(s.asked) > 0 {
		t.Error("asked again before the delay")
	}
	r.at(50)
	calls = s.take(1)
	r.answers(calls, 1)
	r.wants("'page 1'", "'page 2'")

	r.rows(3)
	for i := range 3 {
		r.at(int64(100 + 50*i))
		r.errs(s.take(1)[3], errBusy)
	}
	r.fails("): busy (after 3 calls)\n  in task v/0, row {User:u Page:3 ")
	r.close()

	r = async(t, s.ask, sdk.Calls[click, string]{Retries: 2, Retry: func(err error) bool { return errors.Is(err, errBusy) }})
	r.rows(4)
	r.errs(s.take(1)[4], errors.New("no such user"))
	r.fails("): no such user\n  in task v/0, row {User:u Page:4 ")
	r.close()
}

func TestAsyncOtherwise(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{Otherwise: func(row click, err error) ([]string, error) {
		switch row.Page {
		case 1:
			return nil, nil
		case 2:
			return []string{"instead", err.Error()}, nil
		default:
			return nil, fmt.Errorf("%w: nothing helps", err)
		}
	}})
	r.rows(1, 2, 3)
	calls := s.take(3)
	r.errs(calls[2], errBusy)
	r.errs(calls[1], errBusy)
	r.wants("'instead'", "'busy'")
	if r.counts.Filtered != 1 {
		t.Errorf("%+v, want the row that gave nothing", r.counts)
	}
	r.errs(calls[3], errBusy)
	r.fails("): busy: nothing helps\n  in task v/0, row {User:u Page:3 ")
	r.close()
}

// TestAsyncPanics: what a call does to its goroutine fails the job, and no retry helps.
func TestAsyncPanics(t *testing.T) {
	for name, f := range map[string]struct {
		call func(context.Context, click) (string, error)
		want []string
	}{
		"panic": {
			func(_ context.Context, c click) (string, error) { return "", explodes(c.Page) },
			[]string{"async ask (async", "): panic: boom 5\n", "millrace/sdk_test.explodes\n", "\n  in task v/0, row {User:u Page:5 "},
		},
		"nil": {func(context.Context, click) (string, error) { panic(nil) }, []string{"): panic: ", "row {User:u Page:5 "}}, //nolint:govet // that it is nil is the case
		"goexit": {
			func(context.Context, click) (string, error) { runtime.Goexit(); return "", nil },
			[]string{"): the function has ended its goroutine (runtime.Goexit)\n  in task v/0, row {User:u Page:5 "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := async(t, f.call, sdk.Calls[click, string]{Retries: 5, Otherwise: func(click, error) ([]string, error) { return nil, nil }})
			r.rows(5)
			<-r.woken
			r.wake()
			r.fails(f.want...)
			r.close()
		})
	}
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{Otherwise: func(click, error) ([]string, error) { panic("otherwise") }})
	r.rows(6)
	r.errs(s.take(1)[6], errBusy)
	r.fails("): panic: otherwise\n", "\n  in task v/0, row {User:u Page:6 ")
	r.close()
}

func explodes(n int64) error { explode(n); return nil }

// TestAsyncCheckpoint: what has no answer, and what waits for its turn with one, is asked for again after a restore, in front of new rows; what has left is
// not; and the watermark that waited comes behind it.
func TestAsyncCheckpoint(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		t.Run(fmt.Sprint("unordered=", unordered), func(t *testing.T) {
			s := newService()
			r := async(t, s.ask, sdk.Calls[click, string]{Capacity: 3, Unordered: unordered})
			r.rows(1, 2, 3, 4, 5)
			r.signal(stream.WatermarkOf(5))
			calls := s.take(3)
			r.answers(calls, 1)
			r.wants("'page 1'")
			s.take(1)
			if !unordered {
				r.answers(calls, 3)
			}
			file := r.checkpoint()
			if !unordered {
				r.answers(calls, 2) // behind the checkpoint: not of it
				r.wants("'page 2'", "'page 3'")
			}
			r.close() // with calls under way
			s.forget()

			r.open(file)
			calls = s.take(3)
			if len(calls) != 3 || calls[2].answer == nil || calls[3].answer == nil || calls[4].answer == nil {
				t.Errorf("%v were asked for, want 2, 3 and 4", calls)
			}
			r.rows(6)
			r.signal(stream.WatermarkOf(9))
			r.answers(calls, 2)
			calls[5] = s.take(1)[5]
			r.answers(calls, 3, 4)
			calls[6] = s.take(1)[6]
			r.answers(calls, 6, 5)
			r.wants("'page 2'", "'page 3'", "'page 4'", "'page 5'", "watermark(5)", "'page 6'", "watermark(9)")
			again := r.checkpoint() // of which nothing is left
			r.close()
			r.open(again)
			r.wants("watermark(9)") // for all that the operator knows, it waited
			r.close()
		})
	}
}

// visit is what a later version of the program has for a click.
type visit struct {
	Page     int64
	User     string
	Referrer *string
	Count    int32
	At       time.Time `millrace:"at,rowtime"`
}

// TestAsyncUpgrade: rows that wait are asked for by the next version of the program too, whose rows have more fields.
func TestAsyncUpgrade(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{})
	r.rows(1, 2)
	s.take(2)
	file := r.checkpoint()
	r.close()
	r.c = one(t, "ask", func(e *sdk.Env) {
		visits := sdk.From[visit](e, "visits", sdk.Connect{Name: "values"})
		sdk.Async(visits, "ask", func(_ context.Context, v visit) (string, error) {
			return fmt.Sprint(v.User, v.Page, v.Referrer == nil, v.Count, v.At.UnixMilli()), nil
		}, sdk.Calls[visit, string]{}).To("out", nowhere)
	})
	r.open(file)
	for len(r.log) < 2 {
		<-r.woken
		r.wake()
	}
	r.wants("'u1 true 0 1'", "'u2 true 0 1'")
	r.close()
}

// TestAsyncEnd: the end waits for all answers.
func TestAsyncEnd(t *testing.T) {
	s := newService()
	r := async(t, s.ask, sdk.Calls[click, string]{Capacity: 1})
	r.rows(1, 2)
	r.signal(stream.WatermarkOf(stream.MaxWatermark))
	r.signal(stream.End())
	r.wants()
	r.answers(s.take(1), 1)
	r.wants("'page 1'")
	r.answers(s.take(1), 2)
	r.wants("'page 2'", stream.WatermarkOf(stream.MaxWatermark).String(), stream.End().String())
	r.close()
}

// TestAsyncClose: calls under way are told by their contexts, and Close waits for them.
func TestAsyncClose(t *testing.T) {
	var running atomic.Int32
	asked := make(chan struct{}, 10)
	r := async(t, func(ctx context.Context, _ click) (string, error) {
		running.Add(1)
		defer running.Add(-1)
		asked <- struct{}{}
		<-ctx.Done()
		return "", ctx.Err()
	}, sdk.Calls[click, string]{})
	r.rows(1, 2, 3)
	for range 3 {
		<-asked
	}
	r.close()
	if n := running.Load(); n != 0 {
		t.Errorf("%d calls run behind Close", n)
	}
}

// TestAsyncAnyVariant: whatever batches, freezes and tasks there are, each row's results come once.
func TestAsyncAnyVariant(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		c := one(t, "ask", func(e *sdk.Env) {
			sdk.AsyncFlatMap(clicks(e), "ask", func(_ context.Context, c click) ([]page, error) {
				n := int32(c.Page)
				out := make([]page, c.Page%3)
				for i := range out {
					out[i] = page{c.User, &n}
				}
				return out, nil
			}, sdk.Calls[click, page]{Capacity: 2, Unordered: unordered}).To("out", nowhere)
		})
		c.Keys = [][]int{{0}}
		var script, want strings.Builder
		for i := range 60 {
			fmt.Fprintf(&script, "'u%d' %d 1970-01-01 00:00:00.%03d\n", i%7, i, i)
			for range i % 3 {
				fmt.Fprintf(&want, "'u%d' %d\n", i%7, i)
			}
			if i%10 == 9 {
				fmt.Fprintf(&script, "watermark %d\n", i)
			}
		}
		c.Script, c.Want, c.Ordered = script.String()+"end", want.String(), !unordered
		operatortest.Run(t, c)
	}
}

// TestAsyncKindsOfRows: what is made of a row does to the table what the row did.
func TestAsyncKindsOfRows(t *testing.T) {
	c := one(t, "ask", func(e *sdk.Env) {
		sdk.Async(clicks(e), "ask", func(_ context.Context, c click) (int64, error) { return 2 * c.Page, nil }, sdk.Calls[click, int64]{}).To("out", nowhere)
	})
	c.Script = "'a' 1 1970-01-01 00:00:00.001\n-U 'a' 1 1970-01-01 00:00:00.001\n+U 'a' 2 1970-01-01 00:00:00.001\nend"
	c.Want, c.Ordered = "2\n-U 2\n+U 4", true
	operatortest.Run(t, c)
}

func TestAsyncRefused(t *testing.T) {
	f := func(context.Context, click) (string, error) { return "", nil }
	for name, test := range map[string]struct {
		calls sdk.Calls[click, string]
		want  string
	}{
		"capacity": {sdk.Calls[click, string]{Capacity: -1}, "a capacity of -1 rows"},
		"timeout":  {sdk.Calls[click, string]{Timeout: time.Microsecond}, "a timeout of 1µs"},
		"retries":  {sdk.Calls[click, string]{Retries: -1}, "-1 retries"},
		"delay":    {sdk.Calls[click, string]{RetryDelay: -1}, "a delay of -1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			env := sdk.NewEnv(nil, nil)
			sdk.Async(clicks(env), "ask", f, test.calls).To("out", nowhere)
			if _, _, err := env.Describe(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestAsyncGraph: the graph says what waits, whatever its type; and the function stands where its rows are.
func TestAsyncGraph(t *testing.T) {
	type item struct {
		Name  string
		Price *float64
	}
	type basket struct {
		ID    int64
		Items []item
		Notes map[string]string
	}
	env := sdk.NewEnv(nil, nil)
	baskets := sdk.From[basket](env, "baskets", sdk.Kafka{Topic: "baskets", Brokers: "localhost:9092"})
	sdk.Async(baskets, "prices", func(_ context.Context, b basket) (int64, error) { return b.ID, nil }, sdk.Calls[basket, int64]{}).To("out", nowhere)
	checkGraph(t, env, "async")
}
