package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"gocloud.dev/blob"

	"millrace/blobstore"
	"millrace/failure"
)

// contentType spares gocloud from guessing one out of the bytes.
const contentType = "application/octet-stream"

// Create implements blobstore.Store.
func (s *Store) Create(ctx context.Context, key string, body blobstore.Body) error {
	err := check(ctx, key)
	if err == nil {
		err = blobstore.CheckBody(body)
	}
	if err == nil && len(s.location.prefix)+len(key) > keyBytesMax {
		err = fmt.Errorf("%w: %d bytes with the store's prefix, at most %d", blobstore.ErrBadKey, len(s.location.prefix)+len(key), keyBytesMax)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	call := s.begin(ctx, body.Size())
	defer call.end()
	return call.wrap("create", key, s.create(call.ctx, key, body))
}

// create sends the create until it is decided: a 409 says that it did not take effect, so the next one is a first one,
// and whoever it meets is somebody else.
func (s *Store) create(ctx context.Context, key string, body blobstore.Body) error {
	if taken, err := s.spare(ctx, key, body); taken || err != nil {
		return errors.Join(err, existsIf(taken))
	}
	for n := 1; ; n++ {
		err := s.put(ctx, key, body)
		if !isUndecided(err) || n == conflictAttemptsMax {
			return err
		}
		if err := s.pause(ctx, time.Duration(n)*conflictPause); err != nil {
			return err
		}
	}
}

// spare looks whether the key is taken before a larger body is sent in vain, above all by a create that is repeated after
// its answer was lost. The put decides in earnest. It is not only thrift: some servers refuse a put without reading its
// body and reset the connection, and the 412 is lost.
func (s *Store) spare(ctx context.Context, key string, body blobstore.Body) (taken bool, err error) {
	if body.Size() < spareBytesMin {
		return false, nil
	}
	return s.bucket.Exists(ctx, s.location.prefix+key)
}

func existsIf(taken bool) error {
	if taken {
		return blobstore.ErrExists
	}
	return nil
}

func (s *Store) pause(ctx context.Context, d time.Duration) error {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// put sends the body once, in parts if it is large.
func (s *Store) put(ctx context.Context, key string, body blobstore.Body) error {
	return s.bucket.Upload(ctx, s.location.prefix+key, &wholeBody{body: body}, &blob.WriterOptions{
		IfNotExist:  true,
		ContentType: contentType,
		BeforeWrite: s.configureTransfer,
	})
}

// configureTransfer sets what gocloud has no option for: where parts begin, and that those of a failed upload are removed
// though the call's context ended.
func (s *Store) configureTransfer(as func(any) bool) error {
	var manager *transfermanager.Client
	if !as(&manager) {
		return failure.Internalf("the S3 driver shows no transfer manager")
	}
	*manager = *transfermanager.New(s.client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold = s.location.partBytes, s.location.partBytes
		o.Concurrency = s.location.concurrency
		o.FailTimeout = abortTimeout
		o.RequestChecksumCalculation = s.location.requestChecksums()
	})
	return nil
}

// wholeBody reads the body from its beginning, and fails where it ends before its size: an upload of unknown length would
// take any end for the right one.
type wholeBody struct {
	body blobstore.Body
	off  int64
}

func (b *wholeBody) Read(p []byte) (int, error) {
	left := b.body.Size() - b.off
	if left <= 0 {
		return 0, io.EOF
	}
	n, err := b.body.ReadAt(p[:min(left, int64(len(p)))], b.off)
	b.off += int64(n)
	switch {
	case n > 0:
		return n, nil // an error that lasts comes back with the next
	case err == nil, errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return 0, &bodyError{err}
}

// bodyError is told from errors of the network, which may be the same io.ErrUnexpectedEOF.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read body: " + e.err.Error() }

func (e *bodyError) Unwrap() error { return e.err }
