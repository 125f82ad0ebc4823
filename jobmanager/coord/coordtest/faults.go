package coordtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/fault"
)

// faultCallsMax bounds the search for a call that is no longer made.
const faultCallsMax = 60

// RunFaults repeats a piece of work with each fault at every call. Whatever is lost, refused or taken away, each step
// must have happened exactly once at the end: that is what reading again after an unknown outcome is for.
func RunFaults(t *testing.T, begin func(*testing.T) Cluster) {
	for _, order := range []string{
		"any nth=%d err=unavailable", "txn nth=%d err=lost-reply", "txn nth=%d err=unknown", "txn nth=%d err=conflict", "txn nth=%d err=fenced",
		"txn nth=%d times=2 err=lost-reply", "campaign nth=%d lost",
	} {
		t.Run(strings.Replace(order, "%d", "n", 1), func(t *testing.T) { atEveryCall(t, begin, order) })
	}
}

func atEveryCall(t *testing.T, begin func(*testing.T) Cluster, order string) {
	for n := 1; n <= faultCallsMax; n++ {
		plan := fmt.Sprintf(order, n)
		c := begin(t)
		faulty, err := fault.Wrap(c.Open(t), plan)
		if err != nil {
			t.Fatal(err)
		}
		if err := work(t.Context(), faulty); err != nil {
			t.Errorf("plan %q: %v", plan, err)
		}
		if err := faulty.Close(); err != nil {
			t.Errorf("plan %q: close: %v", plan, err)
		}
		expectWorkDone(t, c, plan)
		if faulty.FiredTotal() == 0 {
			if n == 1 {
				t.Fatal("no call was met: the test tests nothing")
			}
			return
		}
	}
	t.Fatalf("still failing calls after %d", faultCallsMax)
}

const (
	workSteps       = 3
	workAttemptsMax = 20
)

// work leads and carries out its steps, each of which raises a counter and leaves a mark, reading again after whatever
// goes wrong.
func work(ctx context.Context, s coord.Store) error {
	var l coord.Leadership
	var err error
	for range workAttemptsMax {
		if l, err = ensureLead(ctx, s, l); err != nil {
			continue
		}
		var step int
		if step, err = nextStep(ctx, s); err != nil {
			continue
		}
		if step > workSteps {
			return nil
		}
		err = doStep(ctx, s, l, step)
	}
	return fmt.Errorf("gave up: %w", err)
}

func ensureLead(ctx context.Context, s coord.Store, l coord.Leadership) (coord.Leadership, error) {
	if l != nil {
		select {
		case <-l.Done():
		default:
			return l, nil
		}
	}
	return s.Campaign(ctx, "worker")
}

// nextStep returns the first step without a mark.
func nextStep(ctx context.Context, s coord.Store) (int, error) {
	marks, err := s.List(ctx, "marks/")
	return len(marks) + 1, err
}

func doStep(ctx context.Context, s coord.Store, l coord.Leadership, step int) error {
	counter, n, err := readCounter(ctx, s)
	if err != nil {
		return err
	}
	return s.Txn(ctx, l.Term(),
		[]coord.Compare{counter, coord.Absent(mark(step))},
		[]coord.Op{coord.Put("counter", []byte(strconv.Itoa(n+1))), coord.Put(mark(step), nil)})
}

// readCounter returns the counter and the condition that nobody changes it.
func readCounter(ctx context.Context, s coord.Store) (coord.Compare, int, error) {
	e, err := s.Get(ctx, "counter")
	unchanged := coord.Unchanged("counter", e, err)
	if errors.Is(err, coord.ErrNotFound) {
		return unchanged, 0, nil
	}
	if err != nil {
		return unchanged, 0, err
	}
	n, err := strconv.Atoi(string(e.Value))
	return unchanged, n, err
}

func mark(step int) string { return "marks/" + strconv.Itoa(step) }

func expectWorkDone(t *testing.T, c Cluster, plan string) {
	t.Helper()
	s := c.Open(t)
	e, err := s.Get(t.Context(), "counter")
	if err != nil || string(e.Value) != strconv.Itoa(workSteps) {
		t.Errorf("plan %q: counter %q, %v; want %d", plan, e.Value, err, workSteps)
	}
	if step, err := nextStep(t.Context(), s); err != nil || step != workSteps+1 {
		t.Errorf("plan %q: next step %d, %v; want %d", plan, step, err, workSteps+1)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
