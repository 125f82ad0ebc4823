package reals3_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"millrace/blobstore"
	"millrace/blobstore/s3"
	"millrace/internal/testutil/reals3"
	"millrace/options"
)

const testLimit = 2 * time.Minute

// TestKillAndRestart is what every other user of the package relies on: objects and the address survive SIGKILL, and a
// paused server is silent until it is resumed.
func TestKillAndRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	server := reals3.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	if err := server.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	s, err := s3.Open(ctx, "s3://bucket?endpoint="+server.Endpoint(), s3.Options{Credentials: s3.Credentials{KeyID: reals3.KeyID, Secret: options.NewSecret(reals3.SecretKey)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Create(ctx, "k", blobstore.Bytes([]byte("1"))); err != nil {
		t.Fatal(err)
	}

	before := server.Endpoint()
	server.Kill()
	if connection, err := net.Dial("tcp", strings.TrimPrefix(before, "http://")); err == nil {
		connection.Close()
		t.Fatal("the killed server still accepts connections")
	}
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if server.Endpoint() != before {
		t.Errorf("the endpoint changed from %s to %s", before, server.Endpoint())
	}
	if got, err := s.Read(ctx, "k"); err != nil || string(got) != "1" {
		t.Errorf("after the restart: %q, %v", got, err)
	}

	server.Pause()
	if answers(ctx, server.Endpoint()) {
		t.Error("the paused server answers")
	}
	server.Resume()
	if got, err := s.Read(ctx, "k"); err != nil || string(got) != "1" {
		t.Errorf("after the pause: %q, %v", got, err)
	}
}

func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return true
}
