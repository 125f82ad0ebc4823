package sdk

import (
	linked "container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"millrace/operators/native"
	"millrace/sdk/rows"
	"millrace/stream"
)

// async implements native.Function. Its goroutines are those of the calls, no more than the capacity; Close ends them and waits for them.
//
// A row goes from new to asked, from there maybe to resting and back, to answered, and leaves. Rows are in a list in the order in which they came, and in it
// stand marks: the signals that must not overtake the rows in front of them.
type async[T, U any] struct {
	guard
	rt    *native.Runtime
	tile  *rows.Tile[T]
	in    *rows.Mapping // of T
	f     func(context.Context, T) ([]U, error)
	calls Calls[T, U]
	out   *Collector[U]
	kept  *native.RowList

	first, last *asyncRow[T, U]
	next        *asyncRow[T, U] // the first row that was never asked for
	underway    int             // rows that were asked for and have not left

	live     map[*asyncCall[T, U]]struct{} // those whose function has not returned, as far as the task knows
	timeouts linked.List                   // those for which somebody waits, in the order in which they are due
	resting  []rest[T, U]                  // likewise, rows
	wait     sync.WaitGroup

	mu struct {
		sync.Mutex
		returned []*asyncCall[T, U]
	}
}

// asyncCall is one call. Behind its start it is the goroutine's, until it is among those that have returned.
type asyncCall[T, U any] struct {
	cancel  context.CancelFunc
	results []U
	err     error
	broken  error // what fails the job in any case: a panic
	// Of the task alone.
	of    *asyncRow[T, U]
	due   int64
	place *linked.Element // among the timeouts; nil: nobody waits for it any more
}

// rest is a row that is asked for again when its time comes.
type rest[T, U any] struct {
	row *asyncRow[T, U]
	due int64
}

// Open takes the rows in that were under way at the checkpoint.
func (f *async[T, U]) Open(rt *native.Runtime) (err error) {
	f.rt, f.out.out, f.live = rt, rt.Out(0), make(map[*asyncCall[T, U]]struct{})
	f.open(rt.Context)
	if f.kept, err = native.NewRowList(rt.Tables.Lists[waitingTable], f.in.Schema, rt.Pool); err != nil {
		return err
	}
	return f.restore()
}

// Rows takes a whole batch: those rows that can't be asked for yet wait here, since a barrier could not pass half a batch.
func (f *async[T, U]) Rows(_ int, b *stream.Batch, from int) (to int, err error) {
	if err := f.take(f.tile, b, from); err != nil {
		return from, f.failed(err)
	}
	f.ask()
	return b.Rows(), nil
}

func (f *async[T, U]) take(tile *rows.Tile[T], b *stream.Batch, from int) error {
	for n := b.Rows(); from < n; from += rows.TileRows {
		read, err := tile.Read(b, from, min(from+rows.TileRows, n))
		if err != nil {
			return err
		}
		block := make([]asyncRow[T, U], len(read))
		for i := range read {
			block[i].row, block[i].kind = read[i], b.Kind(b.Row(from+i))
			f.append(&block[i])
		}
	}
	return nil
}

// Full implements operators.Bounded: while rows wait that were never asked for, there is no use for more.
func (f *async[T, U]) Full() bool { return f.next != nil }

// mayAsk tells whether a call may be started.
func (f *async[T, U]) mayAsk() bool { return len(f.live) < f.calls.Capacity }

// ask starts what calls there is room for: those again first.
func (f *async[T, U]) ask() {
	now := f.rt.Time.Now()
	for len(f.resting) > 0 && f.resting[0].due <= now && f.mayAsk() {
		r := f.resting[0].row
		f.resting = f.resting[1:]
		f.start(r, now)
	}
	for f.next != nil && f.underway < f.calls.Capacity && f.mayAsk() {
		r := f.next
		f.next = r.nextRow()
		f.underway++
		f.start(r, now)
	}
}

func (f *async[T, U]) start(r *asyncRow[T, U], now int64) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &asyncCall[T, U]{of: r, cancel: cancel, due: now + f.calls.Timeout.Milliseconds()}
	r.tries++
	f.live[c] = struct{}{}
	c.place = f.timeouts.PushBack(c)
	row := r.row
	f.wait.Go(func() { f.call(ctx, c, row) })
}

var errGoexit = errors.New("the function has ended its goroutine (runtime.Goexit)")

// call calls the user's function. Whatever that does, the call returns.
func (f *async[T, U]) call(ctx context.Context, c *asyncCall[T, U], row T) {
	g := guard{name: f.name, task: f.task, row: func() any { return row }}
	returned := false
	defer func() {
		if !returned && c.broken == nil {
			c.broken = g.failed(errGoexit)
		}
		f.mu.Lock()
		f.mu.returned = append(f.mu.returned, c)
		f.mu.Unlock()
		if f.rt.Wake != nil {
			f.rt.Wake()
		}
	}()
	defer g.recovered(&c.broken)
	c.results, c.err = f.f(ctx, row)
	returned = true
}

// Awaits implements native.Awaiter.
func (f *async[T, U]) Awaits() int { return len(f.live) }

// WakeAt implements native.Waker.
func (f *async[T, U]) WakeAt() (at int64, ok bool) {
	if f.due() {
		return 0, true
	}
	if c := f.soonest(); c != nil {
		at, ok = c.due, true
	}
	if len(f.resting) > 0 && f.mayAsk() && (!ok || f.resting[0].due < at) {
		at, ok = f.resting[0].due, true
	}
	return at, ok
}

// soonest returns the call that is the first to take too long.
func (f *async[T, U]) soonest() *asyncCall[T, U] {
	if e := f.timeouts.Front(); e != nil {
		return e.Value.(*asyncCall[T, U])
	}
	return nil
}

// forget says that nobody waits for a call any more.
func (f *async[T, U]) forget(c *asyncCall[T, U]) {
	c.cancel()
	f.timeouts.Remove(c.place)
	c.place = nil
}

// due tells that there is something to do whatever the time is.
func (f *async[T, U]) due() bool {
	if f.next != nil && f.underway < f.calls.Capacity && f.mayAsk() || f.first != nil && f.first.mark != nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.mu.returned) > 0
}

// Wake implements native.Waker: it takes in what has returned and what has taken too long, gives what can leave, and asks for more.
func (f *async[T, U]) Wake(now int64) (done bool, err error) {
	f.mu.Lock()
	returned := f.mu.returned
	f.mu.returned = nil
	f.mu.Unlock()
	for _, c := range returned {
		if err := f.returned(c); err != nil {
			return true, err
		}
	}
	for c := f.soonest(); c != nil && c.due <= now; c = f.soonest() {
		f.forget(c)
		if err := f.fails(c.of, fmt.Errorf("%w: it takes longer than %s", ErrTimeout, f.calls.Timeout)); err != nil {
			return true, err
		}
	}
	done, err = f.settle()
	f.ask()
	return done, err
}

// returned takes in what a call came to.
func (f *async[T, U]) returned(c *asyncCall[T, U]) error {
	delete(f.live, c)
	switch {
	case c.broken != nil:
		return c.broken
	case c.place == nil: // the row has gone on without it
		return nil
	}
	f.forget(c)
	if c.err != nil {
		return f.fails(c.of, c.err)
	}
	c.of.answer(c.results)
	return nil
}

// fails says that a call of a row has failed.
func (f *async[T, U]) fails(r *asyncRow[T, U], err error) (failed error) {
	f.row = func() any { return r.row }
	defer func() { f.row = nil }()
	defer f.recovered(&failed) // of what the user says of errors
	if r.tries <= f.calls.Retries && (f.calls.Retry == nil || f.calls.Retry(err)) {
		f.resting = append(f.resting, rest[T, U]{r, f.rt.Time.Now() + f.calls.RetryDelay.Milliseconds()})
		return nil
	}
	if r.tries > 1 {
		err = fmt.Errorf("%w (after %d calls)", err, r.tries)
	}
	if f.calls.Otherwise == nil {
		return f.failed(err)
	}
	instead, err := f.calls.Otherwise(r.row, err)
	if err != nil {
		return f.failed(err)
	}
	if len(instead) == 0 {
		f.rt.Counts.Filtered++
	}
	r.answer(instead)
	return nil
}

// Close implements native.Function.
func (f *async[T, U]) Close() error {
	for c := range f.live {
		c.cancel()
	}
	f.wait.Wait()
	return nil
}
