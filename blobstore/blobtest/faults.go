package blobtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/blobstore"
	"millrace/blobstore/fault"
)

// faultCallsMax bounds the search for a call that is no longer made.
const faultCallsMax = 100

// RunFaults runs the work behind every fault that a retry mends, at every call. With the retries of the contract the
// work must not notice; without them it must be told, and be able to finish when it begins again.
func RunFaults(t *testing.T, open func(*testing.T) blobstore.Store) {
	for _, action := range []string{"err=unavailable", "err=lost-reply"} {
		t.Run(action+" retried", func(t *testing.T) { atEveryCall(t, open, action, runRetried) })
		t.Run(action+" told", func(t *testing.T) { atEveryCall(t, open, action, runTold) })
	}
	t.Run("err=fatal told", func(t *testing.T) { atEveryCall(t, open, "err=fatal", runTold) })
}

func atEveryCall(t *testing.T, open func(*testing.T) blobstore.Store, action string, run func(*testing.T, *fault.Store)) {
	for n := 1; n <= faultCallsMax; n++ {
		plan := fmt.Sprintf("any nth=%d %s", n, action)
		under := open(t)
		faulty, err := fault.Wrap(under, plan)
		if err != nil {
			t.Fatal(err)
		}
		run(t, faulty)
		expectWorkDone(t, under)
		if t.Failed() {
			t.Fatalf("plan %q", plan)
		}
		if faulty.FiredTotal() == 0 {
			if n == 1 {
				t.Fatal("no call was met: the test tests nothing")
			}
			return
		}
	}
	t.Fatalf("still failing calls after %d", faultCallsMax)
}

func runRetried(t *testing.T, faulty *fault.Store) {
	s, err := blobstore.WithRetry(faulty, blobstore.RetryOptions{BackoffMin: time.Nanosecond, BackoffMax: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := work(t.Context(), s); err != nil {
		t.Errorf("work over retries: %v", err)
	}
}

func runTold(t *testing.T, faulty *fault.Store) {
	err := work(t.Context(), faulty)
	if told := errors.Is(err, blobstore.ErrUnavailable) || errors.Is(err, fault.ErrFatal); told != (faulty.FiredTotal() > 0) {
		t.Errorf("work returned %v after %d faults", err, faulty.FiredTotal())
	}
	if err != nil {
		if err := work(t.Context(), faulty); err != nil {
			t.Errorf("work begun again: %v", err)
		}
	}
}

// work is what a checkpoint does to a store: chunks, a manifest, a look at what there is, the oldest deleted. It may be
// begun again after an error at any call.
func work(ctx context.Context, s blobstore.Store) error {
	for _, key := range []string{"j/1/a", "j/1/b", "j/2/a", "j/manifest/1"} {
		if err := blobstore.CreateOrVerify(ctx, s, key, blobstore.Bytes([]byte(key))); err != nil {
			return err
		}
	}
	data, err := s.Read(ctx, "j/manifest/1")
	if err != nil {
		return err
	}
	if string(data) != "j/manifest/1" {
		return fmt.Errorf("read %q", data)
	}
	for info, err := range blobstore.Walk(ctx, s, "j/1/") {
		if err != nil {
			return err
		}
		if err := s.Delete(ctx, info.Key); err != nil {
			return err
		}
	}
	return nil
}

func expectWorkDone(t *testing.T, s blobstore.Store) {
	t.Helper()
	got := make(map[string]string)
	for info, err := range blobstore.Walk(t.Context(), s, "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := s.Read(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		got[info.Key] = string(data)
	}
	if diff := cmp.Diff(map[string]string{"j/2/a": "j/2/a", "j/manifest/1": "j/manifest/1"}, got); diff != "" {
		t.Errorf("what is left; -want +got:\n%s", diff)
	}
}
