package reals3

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"millrace/internal/testutil/netns"
	"millrace/internal/testutil/realserver"
)

// What clients need beside the endpoint.
const (
	Region    = "us-east-1"
	KeyID     = "millrace-test"
	SecretKey = "millrace-test-secret"
)

const (
	// launchAttempts is how many ports Launch tries: another process may take one between probe and use.
	launchAttempts = 3
	healthPath     = "/health"
)

// Server is an S3 server. Its methods are not safe for concurrent use, except Endpoint.
type Server struct {
	*realserver.Server
	host    *netns.Host
	dir     string
	address string
}

// Start runs a server in t.TempDir and ends it with the test, which fails if the server does not come up. It logs what it
// started, and the end of the server's log if the test fails.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartOn(t, nil)
}

// StartOn is Start on a host.
func StartOn(t testing.TB, host *netns.Host) *Server {
	t.Helper()
	s, err := launchOn(t.Context(), host, t.TempDir())
	if err != nil {
		t.Fatalf("launch an S3 server: %v", err)
	}
	t.Cleanup(func() {
		s.Close()
		if t.Failed() {
			t.Logf("the S3 server's log ends with:\n%s", s.LogTail())
		}
	})
	t.Logf("started an S3 server: process %d at %s", s.PID(), s.Endpoint())
	return s
}

// Launch starts a server on what is in dir and returns once it serves. The caller owns dir and closes the Server. ctx
// bounds the launch, not the server's life.
func Launch(ctx context.Context, dir string) (*Server, error) { return launchOn(ctx, nil, dir) }

func launchOn(ctx context.Context, host *netns.Host, dir string) (*Server, error) {
	for attempt := 1; ; attempt++ {
		s, err := launch(ctx, host, dir)
		if err == nil {
			return s, nil
		}
		if s == nil || s.Server == nil || !s.PortTaken() || attempt == launchAttempts {
			return nil, err
		}
	}
}

func launch(ctx context.Context, host *netns.Host, dir string) (*Server, error) {
	addresses, err := host.FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	s := &Server{host: host, dir: dir, address: addresses[0]}
	if err := os.MkdirAll(s.data(), 0o755); err != nil {
		return nil, err
	}
	if s.Server, err = realserver.Begin(ctx, s.spec()); err != nil {
		return s, err
	}
	return s, s.AwaitReady(ctx)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) spec() realserver.Spec {
	return realserver.Spec{
		Program: realserver.VersityGW,
		Host:    s.host,
		Log:     filepath.Join(s.dir, "log"),
		Ready:   s.ready,
		Env:     []string{"ROOT_ACCESS_KEY=" + KeyID, "ROOT_SECRET_KEY=" + SecretKey},
		Arguments: []string{
			"--port", s.address, "--region", Region, "--health", healthPath, "--quiet", "--keep-alive",
			"posix", s.data(),
		},
	}
}

func (s *Server) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint()+healthPath, http.NoBody)
	if err != nil {
		return err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s", answer.Status)
	}
	return nil
}

// Endpoint is the URL of the server; it stays the same for the server's life.
func (s *Server) Endpoint() string { return "http://" + s.address }

// CreateBucket makes a bucket. To this server a folder is one.
func (s *Server) CreateBucket(name string) error {
	return os.Mkdir(filepath.Join(s.data(), name), 0o755)
}

// Close kills the server. Its data stays in the folder. Closing twice is harmless.
func (s *Server) Close() { s.Kill() }
