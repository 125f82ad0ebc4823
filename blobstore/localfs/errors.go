package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"millrace/blobstore"
	"millrace/failure"
)

// passing are the errors of an overloaded or full machine. They pass, by themselves or by somebody's hand.
var passing = []error{
	syscall.EAGAIN, syscall.EINTR, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC, syscall.EDQUOT, syscall.EBUSY, syscall.ESTALE, syscall.ETIMEDOUT,
}

// classify turns an error of the file system into one of the contract's, with its text. What it does not know, a bad
// disk say, is external and restarts.
func classify(err error) error {
	switch {
	case isContract(err):
		return err
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: it runs through an object: %w", blobstore.ErrBadKey, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", blobstore.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return failure.User(err)
	}
	for _, e := range passing {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", blobstore.ErrUnavailable, err)
		}
	}
	return failure.External(err, failure.Restart)
}

func isContract(err error) bool {
	for _, e := range []error{blobstore.ErrExists, blobstore.ErrNotFound, blobstore.ErrBadKey, blobstore.ErrTooLarge, blobstore.ErrUnavailable, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
