package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"millrace/blobstore"
	"millrace/blobstore/s3"
	"millrace/failure"
)

// startAnswering runs a server that gives everybody the same answer.
func startAnswering(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the client may have gone
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // as above
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestErrorsHaveTheirMeaning(t *testing.T) {
	coded := func(code string) string { return "<Error><Code>" + code + "</Code><Message>m</Message></Error>" }
	never, restart := failure.Class{Domain: failure.DomainUser, Retry: failure.Never}, failure.Class{Domain: failure.DomainExternal, Retry: failure.Restart}
	cases := []struct {
		name   string
		status int
		body   string
		want   error         // nil: see class
		class  failure.Class // of the error, if want is nil
	}{
		{"exists", 412, coded("PreconditionFailed"), blobstore.ErrExists, never},
		{"exists, without a word", 412, "", blobstore.ErrExists, never},
		{"no such key", 404, coded("NoSuchKey"), blobstore.ErrNotFound, never},
		{"not found by somebody in between", 404, "<html>not found</html>", blobstore.ErrUnavailable, never},
		{"no such bucket", 404, coded("NoSuchBucket"), nil, never},
		{"access denied", 403, coded("AccessDenied"), nil, never},
		{"forbidden, without a word", 403, "", nil, never},
		{"bad signature", 403, coded("SignatureDoesNotMatch"), nil, never},
		{"expired token", 400, coded("ExpiredToken"), blobstore.ErrUnavailable, never},
		{"other region", 301, coded("PermanentRedirect"), nil, never},
		{"unknown headers", 501, coded("NotImplemented"), nil, never},
		{"too large", 400, coded("EntityTooLarge"), blobstore.ErrTooLarge, never},
		{"bad key", 400, coded("KeyTooLongError"), blobstore.ErrBadKey, never},
		{"slow client", 400, coded("RequestTimeout"), blobstore.ErrUnavailable, never},
		{"damaged on its way", 400, coded("XAmzContentChecksumMismatch"), blobstore.ErrUnavailable, never},
		{"bad request", 400, coded("InvalidArgument"), nil, restart},
		{"slow down", 503, coded("SlowDown"), blobstore.ErrUnavailable, never},
		{"too many", 429, "", blobstore.ErrUnavailable, never},
		{"internal", 500, coded("InternalError"), blobstore.ErrUnavailable, never},
		{"bad gateway", 502, "<html>oops</html>", blobstore.ErrUnavailable, never},
		{"conflict for ever", 409, coded("ConditionalRequestConflict"), blobstore.ErrUnavailable, never},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, freshURL(startAnswering(t, c.status, c.body)))
			_, readErr := s.Read(t.Context(), "k")
			for op, err := range map[string]error{"create": s.Create(t.Context(), "k", blobstore.Bytes(nil)), "read": readErr} {
				if c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", op, err, c.want)
				}
				if c.want == nil && failure.ClassOf(err) != c.class {
					t.Errorf("%s: %v is %v, want %v", op, err, failure.ClassOf(err), c.class)
				}
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // nobody listens on its port now
	if _, err := open(t, freshURL(server.URL)).Read(t.Context(), "k"); !errors.Is(err, blobstore.ErrUnavailable) {
		t.Errorf("read from nobody = %v", err)
	}
}

// startSilent runs a server that takes requests and never answers. asked tells of each.
func startSilent(t *testing.T) (endpoint string, asked chan struct{}) {
	t.Helper()
	asked, over := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the client may have gone
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	return server.URL, asked
}

// TestCallsEndByThemselves: without a deadline of the caller's.
func TestCallsEndByThemselves(t *testing.T) {
	endpoint, _ := startSilent(t)
	s := open(t, freshURL(endpoint, "request-timeout=1s"))
	_, readErr := s.Read(t.Context(), "k")
	_, listErr := s.List(t.Context(), blobstore.Query{})
	for _, err := range []error{readErr, listErr, s.Create(t.Context(), "k", blobstore.Bytes(nil)), s.Delete(t.Context(), "k")} {
		if !errors.Is(err, blobstore.ErrUnavailable) || failure.ClassOf(err).Retry != failure.Backoff {
			t.Errorf("%v, want ErrUnavailable", err)
		}
	}
}

// TestCallsEndWithTheirCaller: and say that it was he, not the store.
func TestCallsEndWithTheirCaller(t *testing.T) {
	endpoint, asked := startSilent(t)
	s := open(t, freshURL(endpoint))
	for op, call := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error { return s.Create(ctx, "k", blobstore.Bytes([]byte("x"))) },
		"read":   func(ctx context.Context) error { _, err := s.Read(ctx, "k"); return err },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, "k") },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			cancel()
		}()
		if err := call(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, blobstore.ErrUnavailable) {
			t.Errorf("%s = %v, want the caller's end", op, err)
		}
		cancel()
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	for name, o := range map[string]s3.Options{"s3://b": {Credentials: credentials}, "s3://b?region=x": {}, "s3://b?regoin=x": {Credentials: credentials}} {
		s, err := s3.Open(t.Context(), name, o)
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close() // the test has failed
			continue
		}
		if failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: %v, want an error of the user's", name, err)
		}
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	s := open(t, freshURL("http://127.0.0.1:1"))
	secret := credentials.Secret.Reveal()
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", credentials, credentials, s3.Options{Credentials: credentials}), s.String()} {
		if bytes.Contains([]byte(text), []byte(secret)) {
			t.Errorf("the secret shows: %s", text)
		}
	}
}

// countingBody knows how much of it was read and is not yet acknowledged.
type countingBody struct {
	size int64
	mu   struct {
		sync.Mutex
		read, acknowledged, heldMax int64
	}
}

func (b *countingBody) Size() int64 { return b.size }

func (b *countingBody) ReadAt(p []byte, _ int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.read += int64(len(p))
	b.mu.heldMax = max(b.mu.heldMax, b.mu.read-b.mu.acknowledged)
	return len(p), nil
}

func (b *countingBody) acknowledge(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.acknowledged += n
}

// TestUploadsHoldFewParts: however slow the server is, only so many parts are in memory.
func TestUploadsHoldFewParts(t *testing.T) {
	const part, concurrency = 5 << 20, 2
	body := &countingBody{size: 60 << 20}
	fake := startFake(t)
	p, _ := startProxy(t, fake, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if operation(r) == "part" {
			<-time.After(20 * time.Millisecond) // slower than the reader, so that it would run ahead
			defer body.acknowledge(part)
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s := open(t, freshURL(server.URL, partSize, fmt.Sprintf("upload-concurrency=%d", concurrency)))
	if err := s.Create(t.Context(), "k", body); err != nil {
		t.Fatal(err)
	}
	if held, most := body.mu.heldMax, int64((concurrency+2)*part); held > most {
		t.Errorf("%d bytes were held, want at most %d", held, most)
	}
	if body.mu.read != body.size {
		t.Errorf("%d bytes were read of %d", body.mu.read, body.size)
	}
}
