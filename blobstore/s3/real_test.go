package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"millrace/blobstore"
	"millrace/blobstore/blobtest"
	"millrace/blobstore/s3"
	"millrace/failure"
	"millrace/internal/testutil/reals3"
	"millrace/options"
)

func startReal(t testing.TB) *reals3.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server")
	}
	server := reals3.Start(t)
	if err := server.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	return server
}

// TestReal runs everything that needs a server which keeps to all conditions over one such server.
func TestReal(t *testing.T) {
	server := startReal(t)
	fresh := func(t *testing.T) blobstore.Store { return open(t, freshURL(server.Endpoint(), partSize)) }
	t.Run("conformance", func(t *testing.T) { blobtest.Run(t, fresh) })
	t.Run("faults", func(t *testing.T) { blobtest.RunFaults(t, fresh) })
	t.Run("probe", func(t *testing.T) {
		s := open(t, freshURL(server.Endpoint()))
		for range 2 {
			if err := s.Probe(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("taken keys", func(t *testing.T) { testTaken(t, fresh(t)) })
	t.Run("large creates race", func(t *testing.T) { testLargeRace(t, fresh(t)) })
	t.Run("disturbances", func(t *testing.T) { testDisturbances(t, server.Endpoint()) })
	t.Run("refused", func(t *testing.T) { testRefused(t, server.Endpoint()) })
}

// testTaken: a create of a taken key is told so whatever the size of its body, though the server need not read that.
func testTaken(t *testing.T, s blobstore.Store) {
	for size := 1 << 10; size <= len(large); size *= 2 {
		key := fmt.Sprint(size)
		if err := s.Create(t.Context(), key, blobstore.Bytes(nil)); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if err := s.Create(t.Context(), key, blobstore.Bytes(large[:size])); !errors.Is(err, blobstore.ErrExists) {
				t.Errorf("%d bytes: %v, want ErrExists", size, err)
			}
		}
	}
}

// testLargeRace: of creators of one key in parts exactly one succeeds, and its bytes are what stands there.
func testLargeRace(t *testing.T, s blobstore.Store) {
	const creators = 3
	errs := make([]error, creators)
	body := func(i int) []byte { return append(bytes.Clone(large), byte(i)) }
	var wg sync.WaitGroup
	for i := range creators {
		wg.Go(func() { errs[i] = s.Create(t.Context(), "k", blobstore.Bytes(body(i))) })
	}
	wg.Wait()
	winners := 0
	for i, err := range errs {
		switch {
		case err == nil:
			winners++
			if got, err := s.Read(t.Context(), "k"); err != nil || !bytes.Equal(got, body(i)) {
				t.Errorf("creator %d won, and %d other bytes stand there, %v", i, len(got), err)
			}
		case !errors.Is(err, blobstore.ErrExists):
			t.Errorf("creator %d: %v, want ErrExists", i, err)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners: %v", winners, errs)
	}
}

// testRefused: what only the user can mend says so, and is not tried again.
func testRefused(t *testing.T, endpoint string) {
	for name, o := range map[string]struct {
		url string
		c   s3.Credentials
	}{
		"unknown key":    {freshURL(endpoint), s3.Credentials{KeyID: "nobody", Secret: options.NewSecret("x")}},
		"wrong secret":   {freshURL(endpoint), s3.Credentials{KeyID: reals3.KeyID, Secret: options.NewSecret("x")}},
		"unknown bucket": {"s3://no-such-bucket?endpoint=" + endpoint, credentials},
	} {
		s, err := s3.Open(t.Context(), o.url, s3.Options{Credentials: o.c})
		if err != nil {
			t.Fatal(err)
		}
		_, readErr := s.Read(t.Context(), "k")
		_, listErr := s.List(t.Context(), blobstore.Query{})
		for _, err := range []error{readErr, listErr, s.Create(t.Context(), "k", blobstore.Bytes(nil)), s.Probe(t.Context())} {
			if want := (failure.Class{Domain: failure.DomainUser, Retry: failure.Never}); failure.ClassOf(err) != want {
				t.Errorf("%s: %v is %v, want %v", name, err, failure.ClassOf(err), want)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestServerDiesAndReturns: creators and readers go on over a server that is killed and paused again and again; what they
// were told is there, whole.
func TestServerDiesAndReturns(t *testing.T) {
	server := startReal(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	under := &noticing{Store: open(t, freshURL(server.Endpoint(), partSize, "request-timeout=2s")), failed: make(chan error, 1)}
	s, err := blobstore.WithRetry(under, blobstore.RetryOptions{
		Attempts: 1000, Budget: 10_000, AttemptTimeout: time.Second, BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	const rounds, objects = 3, 20
	for round := range rounds {
		created := make(chan struct{}, objects)
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range objects {
				data := objectOf(round, i)
				if err := s.Create(ctx, fmt.Sprintf("%d/%d", round, i), blobstore.Bytes(data)); err != nil {
					t.Errorf("create %d/%d: %v", round, i, err)
				}
				created <- struct{}{}
			}
		})
		for range objects / 4 {
			<-created
		}
		disturb(t, ctx, server, under, round)
		wg.Wait()
	}
	for round := range rounds {
		for i := range objects {
			if got, err := s.Read(ctx, fmt.Sprintf("%d/%d", round, i)); err != nil || !bytes.Equal(got, objectOf(round, i)) {
				t.Errorf("%d/%d: %d bytes, %v", round, i, len(got), err)
			}
		}
	}
}

func objectOf(round, i int) []byte {
	if i%5 == 4 {
		return append(bytes.Clone(large), byte(round), byte(i))
	}
	return fmt.Appendf(nil, "object %d of round %d", i, round)
}

// noticing tells when a create failed.
type noticing struct {
	blobstore.Store
	failed chan error
}

func (n *noticing) Create(ctx context.Context, key string, body blobstore.Body) error {
	err := n.Store.Create(ctx, key, body)
	if err != nil { // also an attempt's own deadline, which to the store is its caller's
		select {
		case n.failed <- err:
		default: // one is waiting already
		}
	}
	return err
}

// disturb takes the server away, in the odd rounds by a pause, until that was noticed.
func disturb(t *testing.T, ctx context.Context, server *reals3.Server, s *noticing, round int) {
	t.Helper()
	away, back := server.Kill, func() error { return server.Restart(ctx) }
	if round%2 == 1 {
		away, back = server.Pause, func() error { server.Resume(); return nil }
	}
	select {
	case err := <-s.failed:
		t.Logf("of the round before: %v", err)
	default:
	}
	away()
	select {
	case err := <-s.failed:
		t.Logf("round %d: %v", round, err)
	case <-ctx.Done():
		t.Error("nobody noticed that the server is away")
	}
	if err := back(); err != nil {
		t.Error(err)
	}
}

func BenchmarkReal(b *testing.B) {
	server := startReal(b)
	s, err := s3.Open(b.Context(), freshURL(server.Endpoint()), s3.Options{Credentials: credentials})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, size := range []int{4 << 10, 1 << 20, 32 << 20} {
		data, n := bytes.Repeat([]byte("0123456789abcdef"), size/16), 0
		b.Run(fmt.Sprintf("create/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				n++
				if err := s.Create(b.Context(), fmt.Sprintf("%d/%d", size, n), blobstore.Bytes(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("read/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Read(b.Context(), fmt.Sprintf("%d/1", size)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
