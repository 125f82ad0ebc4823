package blobstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"millrace/failure"
	"millrace/internal/clock"
)

// RetryOptions bounds what WithRetry does. The zero value means the defaults.
type RetryOptions struct {
	// Attempts is the most attempts of one call, the first included; 6 by default.
	Attempts int
	// AttemptTimeout is the deadline of an attempt, beside the time for its bytes; 15 s by default.
	AttemptTimeout time.Duration
	// BytesPerSecondMin is the slowest transfer that is not given up; an attempt's deadline grows by size / rate. 4 MiB/s
	// by default.
	BytesPerSecondMin int64
	// BackoffMin and BackoffMax bound the wait before the second attempt and any later one; it doubles between them.
	// 100 ms and 10 s by default. The wait is drawn evenly from its upper half.
	BackoffMin, BackoffMax time.Duration
	// Budget is how many retries may be in debt over all calls of the store: each retry takes one, each success gives
	// back a tenth. So a store that fails everything gets a tenth more calls, not six times as many. 64 by default.
	Budget int
	// Clock times deadlines and waits; the system's by default.
	Clock clock.Clock
	// Jitter returns a number in [0, 1); math/rand's by default.
	Jitter func() float64
}

// EnsureDefaults fills the fields that are zero.
func (o *RetryOptions) EnsureDefaults() {
	setDefault(&o.Attempts, 6)
	setDefault(&o.AttemptTimeout, 15*time.Second)
	setDefault(&o.BytesPerSecondMin, 4<<20)
	setDefault(&o.BackoffMin, 100*time.Millisecond)
	setDefault(&o.BackoffMax, 10*time.Second)
	setDefault(&o.Budget, 64)
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every option that cannot be right, at once.
func (o *RetryOptions) Validate() error {
	var p failure.Problems
	if o.Attempts < 0 {
		p.Addf("", "attempts", "%d is negative", o.Attempts)
	}
	if o.AttemptTimeout < 0 {
		p.Addf("", "attempt-timeout", "%v is negative", o.AttemptTimeout)
	}
	if o.BytesPerSecondMin < 0 {
		p.Addf("", "bytes-per-second-min", "%d is negative", o.BytesPerSecondMin)
	}
	if o.BackoffMin < 0 || o.BackoffMax < o.BackoffMin {
		p.Addf("", "backoff", "%v to %v is no range", o.BackoffMin, o.BackoffMax)
	}
	if o.Budget < 0 {
		p.Addf("", "budget", "%d is negative", o.Budget)
	}
	return p.Err()
}

// WithRetry returns s with a deadline for each attempt and further attempts after errors that say that waiting helps
// (failure.Backoff), within a budget shared by all calls. The last error is returned. A Create that is repeated after an
// open outcome is CreateOrVerify. Nothing is retried once ctx ended.
func WithRetry(s Store, options RetryOptions) (Store, error) {
	options.EnsureDefaults()
	if err := options.Validate(); err != nil {
		return nil, fmt.Errorf("blob store retry options: %w", err)
	}
	return &retrying{store: s, opts: options, budget: newBudget(options.Budget)}, nil
}

// readBytesExpected is what the deadline of a Read allows for, whose size nobody knows before. Whoever expects more
// reads in ranges.
const readBytesExpected = 64 << 20

type retrying struct {
	store  Store
	opts   RetryOptions
	budget *budget
}

func (r *retrying) Create(ctx context.Context, key string, body Body) error {
	create := Store.Create
	return r.attempt(ctx, body.Size(), func(ctx context.Context) error {
		err := create(r.store, ctx, key, body)
		create = createAgain
		return err
	})
}

func createAgain(s Store, ctx context.Context, key string, body Body) error { //nolint:revive // stands in for Store.Create
	return CreateOrVerify(ctx, s, key, body)
}

func (r *retrying) Read(ctx context.Context, key string) (data []byte, err error) {
	err = r.attempt(ctx, readBytesExpected, func(ctx context.Context) error {
		data, err = r.store.Read(ctx, key)
		return err
	})
	return data, err
}

func (r *retrying) ReadRange(ctx context.Context, key string, off, n int64) (data []byte, err error) {
	err = r.attempt(ctx, n, func(ctx context.Context) error {
		data, err = r.store.ReadRange(ctx, key, off, n)
		return err
	})
	return data, err
}

func (r *retrying) List(ctx context.Context, query Query) (page []Info, err error) {
	err = r.attempt(ctx, 0, func(ctx context.Context) error {
		page, err = r.store.List(ctx, query)
		return err
	})
	return page, err
}

func (r *retrying) Delete(ctx context.Context, key string) error {
	return r.attempt(ctx, 0, func(ctx context.Context) error { return r.store.Delete(ctx, key) })
}

// attempt calls op until it succeeds, fails for good, or a bound is reached. size is the bytes that it may move.
func (r *retrying) attempt(ctx context.Context, size int64, op func(context.Context) error) error {
	for n := 1; ; n++ {
		err := r.once(ctx, size, op)
		if err == nil {
			r.budget.success()
			return nil
		}
		if !retryable(ctx, err) || n == r.opts.Attempts || !r.budget.take() {
			return err
		}
		if !r.wait(ctx, n) {
			return fmt.Errorf("%w; gave up: %w", err, context.Cause(ctx))
		}
	}
}

// errAttemptTimeout is the cause of an attempt's own deadline, told apart from the caller's.
var errAttemptTimeout = fmt.Errorf("%w: no answer within the attempt's deadline", ErrUnavailable)

// once runs op under the attempt's deadline.
func (r *retrying) once(ctx context.Context, size int64, op func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := r.cancelAfter(ctx, cancel, r.timeout(size))
	err := op(ctx)
	stop()
	if err != nil && errors.Is(context.Cause(ctx), errAttemptTimeout) && !errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("%w: %w", errAttemptTimeout, err)
	}
	return err
}

func (r *retrying) timeout(size int64) time.Duration {
	return r.opts.AttemptTimeout + time.Duration(float64(size)/float64(r.opts.BytesPerSecondMin)*float64(time.Second))
}

// cancelAfter cancels ctx with errAttemptTimeout after d of the clock's time. The returned stop releases everything and
// waits for the goroutine, which therefore never outlives the attempt.
func (r *retrying) cancelAfter(ctx context.Context, cancel context.CancelCauseFunc, d time.Duration) (stop func()) {
	timer := r.opts.Clock.NewTimer(d)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-timer.C():
			cancel(errAttemptTimeout)
		case <-ctx.Done():
		}
	}()
	return func() {
		timer.Stop()
		cancel(nil)
		<-done
	}
}

// wait sleeps before attempt n+1. It reports false if ctx ended first.
func (r *retrying) wait(ctx context.Context, n int) bool {
	timer := r.opts.Clock.NewTimer(r.opts.backoff(n))
	defer timer.Stop()
	select {
	case <-timer.C():
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// backoff returns the wait after the n-th attempt.
func (o *RetryOptions) backoff(n int) time.Duration {
	d := o.BackoffMin
	for ; n > 1 && d < o.BackoffMax; n-- {
		d *= 2
	}
	d = min(d, o.BackoffMax)
	return d/2 + time.Duration(o.Jitter()*float64(d/2))
}

func retryable(ctx context.Context, err error) bool {
	return ctx.Err() == nil && failure.ClassOf(err).Retry == failure.Backoff
}

// budget is how many retries are left, in tenths: a retry takes ten, a success gives one back.
type budget struct {
	mu struct {
		sync.Mutex
		tenths int
	}
	tenthsMax int
}

func newBudget(retries int) *budget {
	b := &budget{tenthsMax: retries * 10}
	b.mu.tenths = b.tenthsMax
	return b
}

func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.tenths < 10 {
		return false
	}
	b.mu.tenths -= 10
	return true
}

func (b *budget) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.tenths = min(b.mu.tenths+1, b.tenthsMax)
}
