package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/blobstore"
	"millrace/blobstore/s3"
	"millrace/internal/testutil/matrix"
)

// disturbance is a fault at the n-th request of a kind.
type disturbance struct {
	op, action string
	nth        int
}

func (d disturbance) plan() string { return fmt.Sprintf("%s nth=%d %s", d.op, d.nth, d.action) }

// disturbances are all faults that the work below meets.
func disturbances() (all []disturbance) {
	requests := []struct {
		op    string
		times int
	}{{"put", 3}, {"begin", 1}, {"part", 3}, {"complete", 1}, {"head", 1}, {"get", 3}, {"list", 1}, {"delete", 1}}
	for _, r := range requests {
		for nth := 1; nth <= r.times; nth++ {
			for _, action := range vocabulary[r.op] {
				if action != "strip" && (action != "truncate" || answersWithBody[r.op]) {
					all = append(all, disturbance{r.op, action, nth})
				}
			}
		}
	}
	return all
}

var answersWithBody = map[string]bool{"begin": true, "complete": true, "get": true, "list": true}

// Go's HTTP transport repeats requests that only read, if a connection that it had used before breaks.
var (
	mayBeRepeatedBelow = map[string]bool{"get": true, "head": true, "list": true}
	brokenConnection   = map[string]bool{"cut": true, "cut-body": true, "lost": true}
)

// large goes up in three parts of partSize.
var large = bytes.Repeat([]byte("0123456789abcdef"), 11<<20/16)

const partSize = "part-size=5mb"

// testDisturbances runs the work with each fault at each request, over retries, which must hide it, and without, where
// the work must be told, with an error that says that waiting helps, and be able to finish when it begins again.
func testDisturbances(t *testing.T, endpoint string) {
	for _, d := range matrix.Sample(t, 8, disturbances()) {
		t.Run(d.plan()+" retried", func(t *testing.T) {
			p, proxied := startProxy(t, endpoint, d.plan())
			under := open(t, freshURL(proxied, partSize))
			s := retrying(t, under)
			if err := work(t.Context(), s); err != nil {
				t.Errorf("work over retries: %v", err)
			}
			expectWorkDone(t, under, p)
		})
		t.Run(d.plan()+" told", func(t *testing.T) {
			p, proxied := startProxy(t, endpoint, d.plan())
			s := open(t, freshURL(proxied, partSize))
			switch err := work(t.Context(), s); {
			case d.action == "409":
				if err != nil {
					t.Errorf("work beside another create: %v; the store repeats these itself", err)
				}
			case err == nil && mayBeRepeatedBelow[d.op] && brokenConnection[d.action]:
			case !errors.Is(err, blobstore.ErrUnavailable):
				t.Errorf("work = %v, want ErrUnavailable", err)
			}
			if err := work(t.Context(), s); err != nil {
				t.Errorf("work begun again: %v", err)
			}
			expectWorkDone(t, s, p)
		})
	}
}

func retrying(t *testing.T, s blobstore.Store) blobstore.Store {
	t.Helper()
	r, err := blobstore.WithRetry(s, blobstore.RetryOptions{BackoffMin: time.Millisecond, BackoffMax: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// work is what a checkpoint does to a store. It may be begun again after an error at any request.
func work(ctx context.Context, s blobstore.Store) error {
	for _, key := range []string{"j/1/a", "j/1/b", "j/manifest"} {
		if err := blobstore.CreateOrVerify(ctx, s, key, blobstore.Bytes([]byte(key))); err != nil {
			return err
		}
	}
	if err := blobstore.CreateOrVerify(ctx, s, "j/large", blobstore.Bytes(large)); err != nil {
		return err
	}
	for key, want := range map[string][]byte{"j/manifest": []byte("j/manifest"), "j/large": large} {
		if got, err := s.Read(ctx, key); err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("read %s: %d bytes: %w", key, len(got), err)
		}
	}
	if got, err := s.ReadRange(ctx, "j/large", 6<<20, 16); err != nil || string(got) != "0123456789abcdef" {
		return fmt.Errorf("range %q: %w", got, err)
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

func expectWorkDone(t *testing.T, s *s3.Store, p *faultyProxy) {
	t.Helper()
	if p.counter.FiredTotal() == 0 {
		t.Error("no request was met: the test tested nothing")
	}
	got := map[string]int64{}
	for info, err := range blobstore.Walk(t.Context(), s, "") {
		if err != nil {
			t.Fatal(err)
		}
		got[info.Key] = info.Size
	}
	if diff := cmp.Diff(map[string]int64{"j/manifest": 10, "j/large": int64(len(large))}, got); diff != "" {
		t.Errorf("what is left; -want +got:\n%s", diff)
	}
}

// TestConflictIsNoVerdict: after a 409 nothing is decided; the next attempt is a first one, and who stands there then is
// somebody else, whatever his bytes.
func TestConflictIsNoVerdict(t *testing.T) {
	endpoint := startFake(t)
	p, proxied := startProxy(t, endpoint, "put nth=1 409; put nth=3 409")
	s := open(t, freshURL(proxied))
	if err := s.Create(t.Context(), "k", blobstore.Bytes([]byte("x"))); err != nil {
		t.Errorf("create beside another = %v", err)
	}
	if err := s.Create(t.Context(), "k", blobstore.Bytes([]byte("x"))); !errors.Is(err, blobstore.ErrExists) {
		t.Errorf("create behind another = %v, want ErrExists", err)
	}
	if p.counter.FiredTotal() != 2 {
		t.Errorf("%d conflicts, want 2", p.counter.FiredTotal())
	}
	_, proxied = startProxy(t, endpoint, "put 409")
	if err := open(t, freshURL(proxied)).Create(t.Context(), "k", blobstore.Bytes([]byte("x"))); !errors.Is(err, blobstore.ErrUnavailable) {
		t.Errorf("create beside others for ever = %v, want ErrUnavailable", err)
	}
}

// TestProbeFindsIgnoredConditions: of a server that ignores them on puts, and of one that does so only on completions.
func TestProbeFindsIgnoredConditions(t *testing.T) {
	endpoint := startFake(t)
	_, stripped := startProxy(t, endpoint, "put strip")
	for name, probe := range map[string]func(*s3.Store) error{
		"any":    func(s *s3.Store) error { return blobstore.Probe(t.Context(), s) },
		"s3's":   func(s *s3.Store) error { return s.Probe(t.Context()) },
		"retry":  func(s *s3.Store) error { return blobstore.Probe(t.Context(), retrying(t, s)) },
		"s3's 2": func(s *s3.Store) error { return errors.Join(s.Probe(t.Context()), s.Probe(t.Context())) },
	} {
		if err := probe(open(t, freshURL(stripped))); !errors.Is(err, blobstore.ErrUnconditional) {
			t.Errorf("%s probe of a server that ignores conditions = %v, want ErrUnconditional", name, err)
		}
	}
	s := open(t, freshURL(endpoint))
	if err := blobstore.Probe(t.Context(), s); err != nil {
		t.Errorf("probe of puts: %v", err)
	}
	if err := s.Probe(t.Context()); !errors.Is(err, blobstore.ErrUnconditional) {
		t.Errorf("probe of completions = %v, want ErrUnconditional", err)
	}
}
