package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"millrace/blobstore"
)

// probeKey is what the probe of completions fights for. Keys of jobs do not begin with "_".
const probeKey = "_probe/conditional-complete"

// Probe finds out whether the server keeps the contract: what blobstore.Probe asks, and that a body sent in parts does not
// replace an object either, which some servers forget. blobstore.ErrUnconditional if it does not; other errors if it
// cannot be asked. It leaves two small objects, is repeatable, and may run in many processes at once.
func (s *Store) Probe(ctx context.Context) error {
	if err := blobstore.Probe(ctx, s); err != nil {
		return err
	}
	if err := s.Create(ctx, probeKey, blobstore.Bytes([]byte("first\n"))); err != nil && !errors.Is(err, blobstore.ErrExists) {
		return fmt.Errorf("probe blob store: %w", err)
	}
	call := s.begin(ctx, 0)
	defer call.end()
	err := call.wrap("complete", probeKey, s.completeSecond(call.ctx))
	switch {
	case err == nil:
		return fmt.Errorf("probe blob store: %w: of bodies that are sent in parts", blobstore.ErrUnconditional)
	case !errors.Is(err, blobstore.ErrExists):
		return fmt.Errorf("probe blob store: %w", err)
	}
	return nil
}

// completeSecond sends a body of one part to the taken key. The part is small, as the last one of an upload may be.
func (s *Store) completeSecond(ctx context.Context) error {
	bucket, key := aws.String(s.location.bucket), aws.String(s.location.prefix+probeKey)
	upload, err := s.client.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	part, err := s.client.UploadPart(ctx, &awss3.UploadPartInput{
		Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader([]byte("second\n")),
	})
	if err == nil {
		_, err = s.client.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{
			Bucket: bucket, Key: key, UploadId: upload.UploadId, IfNoneMatch: aws.String("*"),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{
				PartNumber: aws.Int32(1), ETag: part.ETag,
				ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC32C: part.ChecksumCRC32C, ChecksumCRC64NVME: part.ChecksumCRC64NVME,
			}}},
		})
	}
	if err != nil {
		s.abort(ctx, key, upload.UploadId)
	}
	return err
}

// abort removes the parts. Who is not let do so leaves a few bytes behind.
func (s *Store) abort(ctx context.Context, key, upload *string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, _ = s.client.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: aws.String(s.location.bucket), Key: key, UploadId: upload})
}
