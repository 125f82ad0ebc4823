package s3_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"millrace/blobstore"
	"millrace/blobstore/blobtest"
	"millrace/blobstore/s3"
	"millrace/internal/testutil/reals3"
	"millrace/options"
)

const bucket = "checkpoints"

var credentials = s3.Credentials{KeyID: reals3.KeyID, Secret: options.NewSecret(reals3.SecretKey)}

// startFake runs gofakes3 in the process. It keeps to conditions of single puts, and ignores those of completions.
func startFake(t *testing.T) (endpoint string) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server.URL
}

// prefixes numbers the stores, of which each has its own part of the bucket.
var prefixes atomic.Int64

func freshURL(endpoint string, parameters ...string) string {
	text := fmt.Sprintf("s3://%s/store-%d?endpoint=%s", bucket, prefixes.Add(1), url.QueryEscape(endpoint))
	for _, p := range parameters {
		text += "&" + p
	}
	return text
}

func open(t *testing.T, text string) *s3.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), text, s3.Options{Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestFakeConformance(t *testing.T) {
	endpoint := startFake(t)
	blobtest.Run(t, func(t *testing.T) blobstore.Store { return open(t, freshURL(endpoint)) })
}

func TestFakeFaults(t *testing.T) {
	endpoint := startFake(t)
	blobtest.RunFaults(t, func(t *testing.T) blobstore.Store { return open(t, freshURL(endpoint)) })
}
