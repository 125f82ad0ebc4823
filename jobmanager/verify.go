package jobmanager

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"millrace/blobstore"
	"millrace/checkpoint"
	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// verify finds out whether the files of a checkpoint are whole before any
// committer makes output of it visible: once that is done the job can't fall back
// behind the checkpoint without writing the output again. Tasks verify what they
// read, but only after the committers.
//
// The files that the checkpoint itself wrote are read and compared with their
// digests, as far as verifyBytesMax goes; of the others, which the checkpoint
// before it needs as well, only the presence counts. It reads so many files at a
// time.
func verify(ctx context.Context, store blobstore.Store, m *checkpointv1.Manifest, atOnce int) error {
	var g errgroup.Group
	g.SetLimit(atOnce)
	run := g.Go
	if atOnce == 1 { // no goroutine: who asks for that has reasons
		run = func(f func() error) { _ = f() }
	}
	var damage struct {
		sync.Mutex
		errs []error
	}
	left := int64(verifyBytesMax)
	for f := range checkpoint.Objects(m) {
		check := checkPresent
		if wroteItself(m, f) && f.Bytes <= left {
			left -= f.Bytes
			check = checkDigest
		}
		run(func() error {
			if err := check(ctx, store, f); err != nil {
				damage.Lock()
				damage.errs = append(damage.errs, err)
				damage.Unlock()
			}
			return nil
		})
	}
	_ = g.Wait() // every error is in damage
	for _, err := range damage.errs {
		if worthWaiting(err) {
			return err
		}
	}
	return errors.Join(damage.errs[:min(len(damage.errs), verifyErrorsMax)]...)
}

// commits tells whether a manifest has anything to commit.
func commits(m *checkpointv1.Manifest) bool {
	for _, v := range m.GetVertices() {
		for _, t := range v.GetTasks() {
			if len(t.GetCommittables()) > 0 {
				return true
			}
		}
	}
	return false
}

func wroteItself(m *checkpointv1.Manifest, f *checkpointv1.StateFile) bool {
	k, err := blobstore.ParseChunkKey(f.GetObject())
	return err == nil && k.Checkpoint == types.CheckpointID(m.CheckpointId)
}

// checkPresent looks for the last byte of a file.
func checkPresent(ctx context.Context, store blobstore.Store, f *checkpointv1.StateFile) error {
	last, err := store.ReadRange(ctx, f.GetObject(), max(f.Bytes-1, 0), 1)
	if err == nil && len(last) == 0 && f.Bytes > 0 {
		return damaged(f, fmt.Errorf("shorter than its %d bytes", f.Bytes))
	}
	return damaged(f, err)
}

// checkDigest reads a file.
func checkDigest(ctx context.Context, store blobstore.Store, f *checkpointv1.StateFile) error {
	sum := sha256.New()
	for off := int64(0); off < f.Bytes; {
		data, err := store.ReadRange(ctx, f.GetObject(), off, min(verifyRangeBytes, f.Bytes-off))
		if err == nil && len(data) == 0 {
			err = fmt.Errorf("ends at byte %d of %d", off, f.Bytes)
		}
		if err != nil {
			return damaged(f, err)
		}
		_, _ = sum.Write(data) // never fails
		off += int64(len(data))
	}
	if !bytes.Equal(sum.Sum(nil), f.Sha256) {
		return damaged(f, errors.New("its bytes are not those that were written"))
	}
	return nil
}

// damaged names the file; what may pass by itself keeps its class.
func damaged(f *checkpointv1.StateFile, err error) error {
	switch {
	case err == nil:
		return nil
	case worthWaiting(err):
		return fmt.Errorf("read %s: %w", f.GetObject(), err)
	}
	return failure.External(fmt.Errorf("file %s: %w", f.GetObject(), err), failure.Never)
}
