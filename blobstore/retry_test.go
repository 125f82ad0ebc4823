package blobstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/blobstore"
	"millrace/blobstore/fault"
	"millrace/blobstore/memory"
	"millrace/failure"
	"millrace/internal/clock"
)

// faulty returns a store in memory, and the same with the plan's faults.
func faulty(t *testing.T, plan string) (*memory.Store, *fault.Store) {
	t.Helper()
	under := memory.New(clock.System())
	s, err := fault.Wrap(under, plan)
	if err != nil {
		t.Fatal(err)
	}
	return under, s
}

func withRetry(t *testing.T, s blobstore.Store, o blobstore.RetryOptions) blobstore.Store {
	t.Helper()
	r, err := blobstore.WithRetry(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestProbeRefusesBadStores(t *testing.T) {
	cases := []struct {
		plan string
		want error
	}{
		{"create ignore", blobstore.ErrUnconditional},
		{"create nth=1 err=unavailable", blobstore.ErrUnavailable},
		{"create nth=2 err=unavailable", blobstore.ErrUnavailable},
		{"create nth=1 corrupt", blobstore.ErrUnavailable},
		{"read err=unavailable", blobstore.ErrUnavailable},
		{"read err=not-found", blobstore.ErrNotFound},
		{"create err=fatal", fault.ErrFatal},
		{"", nil},
	}
	for _, c := range cases {
		t.Run(c.plan, func(t *testing.T) {
			_, s := faulty(t, c.plan)
			if err := blobstore.Probe(t.Context(), s); !errors.Is(err, c.want) {
				t.Errorf("Probe = %v, want %v", err, c.want)
			}
		})
	}
}

// TestProbeSeesARefusedCreateTakeEffect: a store that says no and overwrites all the same is as bad.
func TestProbeSeesARefusedCreateTakeEffect(t *testing.T) {
	if err := blobstore.Probe(t.Context(), overwriting{memory.New(clock.System())}); !errors.Is(err, blobstore.ErrUnconditional) {
		t.Errorf("Probe = %v, want ErrUnconditional", err)
	}
}

type overwriting struct{ blobstore.Store }

func (o overwriting) Create(ctx context.Context, key string, body blobstore.Body) error {
	err := o.Store.Create(ctx, key, body)
	if errors.Is(err, blobstore.ErrExists) {
		return errors.Join(err, o.Delete(ctx, key), o.Store.Create(ctx, key, body))
	}
	return err
}

func TestRetriedCreateKnowsItsOwnSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under, s := faulty(t, "create nth=1 times=2 err=lost-reply")
		r := withRetry(t, s, blobstore.RetryOptions{})
		if err := r.Create(t.Context(), "a", blobstore.Bytes([]byte("mine"))); err != nil {
			t.Fatalf("create whose answer was lost: %v", err)
		}
		if s.FiredTotal() == 0 {
			t.Error("no fault was met")
		}
		if err := r.Create(t.Context(), "a", blobstore.Bytes([]byte("mine"))); !errors.Is(err, blobstore.ErrExists) {
			t.Errorf("a create that was never repeated: %v, want ErrExists", err)
		}
		if got, err := under.Read(t.Context(), "a"); err != nil || string(got) != "mine" {
			t.Errorf("object %q, %v", got, err)
		}
	})
}

func TestRetriedCreateKnowsAStrangersSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under, s := faulty(t, "create nth=1 err=unavailable")
		if err := under.Create(t.Context(), "a", blobstore.Bytes([]byte("theirs"))); err != nil {
			t.Fatal(err)
		}
		r := withRetry(t, s, blobstore.RetryOptions{})
		if err := r.Create(t.Context(), "a", blobstore.Bytes([]byte("mine"))); !errors.Is(err, blobstore.ErrExists) {
			t.Errorf("create = %v, want ErrExists", err)
		}
	})
}

func TestWhatIsNotRetried(t *testing.T) {
	for _, plan := range []string{"read nth=1 err=fatal", "read nth=1 err=not-found"} {
		_, s := faulty(t, plan)
		r := withRetry(t, s, blobstore.RetryOptions{})
		if err := r.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(t.Context(), "a"); err == nil {
			t.Errorf("%s: no error", plan)
		}
		if _, err := r.ReadRange(t.Context(), "../a", 0, 1); !errors.Is(err, blobstore.ErrBadKey) {
			t.Errorf("bad key: %v", err)
		}
		if s.FiredTotal() != 1 {
			t.Errorf("%s: met %d times", plan, s.FiredTotal())
		}
	}
}

// timed records when each attempt came, and fails it.
type timed struct {
	blobstore.Store
	start time.Time
	at    []time.Duration
	// hang makes an attempt wait for its context.
	hang bool
}

func (s *timed) Read(ctx context.Context, key string) ([]byte, error) {
	s.at = append(s.at, time.Since(s.start))
	if s.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("read %s: %w", key, blobstore.ErrUnavailable)
}

func TestBackoffDoublesUpToItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &timed{start: time.Now()}
		r := withRetry(t, s, blobstore.RetryOptions{Attempts: 5, BackoffMin: time.Second, BackoffMax: 4 * time.Second, Jitter: func() float64 { return 0.5 }})
		if _, err := r.Read(t.Context(), "a"); !errors.Is(err, blobstore.ErrUnavailable) {
			t.Errorf("read = %v", err)
		}
		// Waits of 0.75, 1.5, 3 and 3 s: the middle of the upper half of 1, 2, 4 and 4.
		want := []time.Duration{0, 750 * time.Millisecond, 2250 * time.Millisecond, 5250 * time.Millisecond, 8250 * time.Millisecond}
		if diff := cmp.Diff(want, s.at); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestAttemptsThatHangEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &timed{start: time.Now(), hang: true}
		r := withRetry(t, s, blobstore.RetryOptions{Attempts: 2, AttemptTimeout: time.Second, BytesPerSecondMin: 1 << 40})
		_, err := r.Read(t.Context(), "a")
		if !errors.Is(err, blobstore.ErrUnavailable) || failure.ClassOf(err).Retry != failure.Backoff || len(s.at) != 2 {
			t.Errorf("read = %v after %d attempts, want ErrUnavailable after 2", err, len(s.at))
		}
	})
}

func TestCallersDeadlineIsNotOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &timed{start: time.Now(), hang: true}
		r := withRetry(t, s, blobstore.RetryOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Read(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, blobstore.ErrUnavailable) || len(s.at) != 1 {
			t.Errorf("read = %v after %d attempts, want the caller's deadline after 1", err, len(s.at))
		}
		s.hang = false
		ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := r.Read(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, blobstore.ErrUnavailable) {
			t.Errorf("read = %v, want both the store's error and the caller's deadline", err)
		}
	})
}

// TestBudgetBoundsRetriesOfAll: a store that fails everything gets few more calls than it was asked for.
func TestBudgetBoundsRetriesOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &timed{start: time.Now()}
		r := withRetry(t, s, blobstore.RetryOptions{Budget: 10})
		const calls = 50
		for range calls {
			if _, err := r.Read(t.Context(), "a"); !errors.Is(err, blobstore.ErrUnavailable) {
				t.Fatal(err)
			}
		}
		if len(s.at) != calls+10 {
			t.Errorf("%d attempts of %d calls, want 10 more", len(s.at), calls)
		}
	})
}

func TestSuccessesRefillTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := faulty(t, "read nth=1 err=unavailable; read nth=12 err=unavailable; read nth=14 err=unavailable")
		if err := s.Create(t.Context(), "a", blobstore.Bytes(nil)); err != nil {
			t.Fatal(err)
		}
		r := withRetry(t, s, blobstore.RetryOptions{Budget: 1})
		var failed []int
		for i := range 13 {
			if _, err := r.Read(t.Context(), "a"); err != nil {
				failed = append(failed, i)
			}
		}
		// The first fault spends the budget; ten successes refill it for the second; the third finds it empty.
		if diff := cmp.Diff([]int{11}, failed); diff != "" {
			t.Errorf("calls that failed; -want +got:\n%s", diff)
		}
	})
}

func TestRetryOptionsReportAllProblems(t *testing.T) {
	_, err := blobstore.WithRetry(nil, blobstore.RetryOptions{Attempts: -1, AttemptTimeout: -1, BytesPerSecondMin: -1, BackoffMin: 2, BackoffMax: 1, Budget: -1})
	if err == nil || failure.ClassOf(err).Domain != failure.DomainUser {
		t.Fatalf("%v, want the user's error", err)
	}
	for _, field := range []string{"attempts", "attempt-timeout", "bytes-per-second-min", "backoff", "budget"} {
		if !strings.Contains(err.Error(), field+":") {
			t.Errorf("no word of %s in %q", field, err)
		}
	}
}

func TestWalkCrossesPages(t *testing.T) {
	s := memory.New(clock.System())
	const objects = 2*blobstore.PageMax + 1
	for i := range objects {
		if err := s.Create(t.Context(), fmt.Sprintf("k/%06d", i), blobstore.Bytes(nil)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for info, err := range blobstore.Walk(t.Context(), s, "k/") {
		if want := fmt.Sprintf("k/%06d", n); err != nil || info.Key != want {
			t.Fatalf("%d-th is %s, %v; want %s", n, info.Key, err, want)
		}
		n++
	}
	if n != objects {
		t.Errorf("walked over %d of %d", n, objects)
	}
	_, faulted := faulty(t, "list err=fatal")
	for info, err := range blobstore.Walk(t.Context(), faulted, "") {
		if !errors.Is(err, fault.ErrFatal) {
			t.Errorf("walk yields %v, %v", info, err)
		}
	}
}
