package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"millrace/blobstore"
	"millrace/internal/clock"
)

// Store is a blobstore.Store in a bucket. It is safe for concurrent use, and any number of processes may use one bucket
// and prefix. Callers wrap it in blobstore.WithRetry; alone it tries everything once.
type Store struct {
	location  location
	bucket    *blob.Bucket
	client    *awss3.Client
	transport *awshttp.BuildableClient
	clock     clock.Clock
}

var _ blobstore.Store = (*Store)(nil)

// Open returns the store at the URL s3://bucket/prefix?parameter=value; Parameters says which there are. It finds
// credentials and does not speak to the bucket yet: call Probe. What is wrong with the URL is the user's error. The
// caller closes the store.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	o.EnsureDefaults()
	l, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	client, transport, err := newClient(ctx, l, o)
	if err != nil {
		return nil, fmt.Errorf("open blob store %s: %w", l, err)
	}
	bucket, err := s3blob.OpenBucket(ctx, client, l.bucket, &s3blob.Options{RequestChecksumCalculation: l.requestChecksums()})
	if err != nil {
		return nil, fmt.Errorf("open blob store %s: %w", l, err)
	}
	return &Store{location: l, bucket: bucket, client: client, transport: transport, clock: o.Clock}, nil
}

// Close ends the connections that wait for their next use. Calls after it fail.
func (s *Store) Close() error {
	err := s.bucket.Close()
	if t := s.transport.GetTransport(); t != nil {
		t.CloseIdleConnections()
	}
	return err
}

// String names the store in logs, without credentials.
func (s *Store) String() string { return s.location.String() }

// Read implements blobstore.Store.
func (s *Store) Read(ctx context.Context, key string) ([]byte, error) {
	if err := check(ctx, key); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return s.read(ctx, key, 0, -1)
}

// ReadRange implements blobstore.Store.
func (s *Store) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	err := check(ctx, key)
	if err == nil {
		err = blobstore.CheckRange(off, n)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return s.read(ctx, key, off, n)
}

// read returns n bytes from off on, all there are for n < 0.
func (s *Store) read(ctx context.Context, key string, off, n int64) ([]byte, error) {
	expected := n
	if n < 0 {
		expected = readBytesExpected
	}
	call := s.begin(ctx, expected)
	defer call.end()
	data, err := s.readBody(call.ctx, key, off, n)
	if isBeyondEnd(err) {
		return []byte{}, nil
	}
	return data, call.wrap("read", key, err)
}

func (s *Store) readBody(ctx context.Context, key string, off, n int64) ([]byte, error) {
	r, err := s.bucket.NewRangeReader(ctx, s.location.prefix+key, off, n, nil)
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // nothing was written.
	left := max(r.Size()-off, 0)
	if n < 0 || n > left {
		n = left
	}
	if err := blobstore.CheckRange(off, n); err != nil {
		return nil, err
	}
	data := make([]byte, n)
	_, err = io.ReadFull(r, data)
	return data, err
}

// List implements blobstore.Store. Objects whose names are no keys are strangers' and left out.
func (s *Store) List(ctx context.Context, query blobstore.Query) ([]blobstore.Info, error) {
	query, err := query.Checked()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", query.Prefix, err)
	}
	call := s.begin(ctx, 0)
	defer call.end()
	page, err := s.list(call.ctx, query)
	return page, call.wrap("list", query.Prefix, err)
}

func (s *Store) list(ctx context.Context, query blobstore.Query) ([]blobstore.Info, error) {
	var page []blobstore.Info
	listed := &blob.ListOptions{Prefix: s.location.prefix + query.Prefix, BeforeList: s.startAfter(query)}
	for token := blob.FirstPageToken; len(token) > 0 && len(page) < query.Limit; {
		objects, next, err := s.bucket.ListPage(ctx, token, query.Limit-len(page), listed)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if key := strings.TrimPrefix(o.Key, s.location.prefix); blobstore.CheckKey(key) == nil {
				page = append(page, blobstore.Info{Key: key, Size: o.Size, Modified: o.ModTime})
			}
		}
		token = next
	}
	return page, nil
}

// startAfter makes the first request of a page begin behind the last key of the page before; the server's tokens lead
// on from there.
func (s *Store) startAfter(query blobstore.Query) func(func(any) bool) error {
	if query.After == "" || query.After < query.Prefix {
		return nil
	}
	return func(as func(any) bool) error {
		var in *awss3.ListObjectsV2Input
		if as(&in) && in.ContinuationToken == nil {
			in.StartAfter = aws.String(s.location.prefix + query.After)
		}
		return nil
	}
}

// Delete implements blobstore.Store. It asks the client itself: gocloud looks whether the object is there before it
// deletes it, a second round trip for an answer that nobody needs.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	call := s.begin(ctx, 0)
	defer call.end()
	_, err := s.client.DeleteObject(call.ctx, &awss3.DeleteObjectInput{
		Bucket: aws.String(s.location.bucket),
		Key:    aws.String(s.location.prefix + key),
	})
	if err = call.wrap("delete", key, err); errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrBadKey) {
		return nil // what stands in the way of the key keeps it from being there
	}
	return err
}

func check(ctx context.Context, key string) error {
	if err := blobstore.CheckKey(key); err != nil {
		return err
	}
	return ctx.Err()
}

// isBeyondEnd tells the answer to a range that begins at or behind the end of an object.
func isBeyondEnd(err error) bool {
	return statusOf(err) == http.StatusRequestedRangeNotSatisfiable
}
