package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"millrace/internal/mutant"
)

// verifyBlockBytes is how much of an object is compared at a time.
const verifyBlockBytes = 1 << 20

// CreateOrVerify creates the object, and takes it as success if the key exists with exactly the bytes of body: so it
// may be repeated after an error that left the outcome open. With other bytes it is ErrExists. Two writers of equal
// bytes both succeed; content that claims something for one of them names the writer.
func CreateOrVerify(ctx context.Context, s Store, key string, body Body) error {
	err := s.Create(ctx, key, body)
	if !errors.Is(err, ErrExists) || mutant.On(mutant.ExistsIsFailure) {
		return err
	}
	same, readErr := holds(ctx, s, key, body)
	switch {
	case readErr != nil:
		return fmt.Errorf("read back %s, which exists: %w", key, readErr)
	case !same:
		return fmt.Errorf("create %s: other bytes stand there: %w", key, err)
	}
	return nil
}

// holds tells whether the object key has exactly the bytes of body. Bytes are compared, not hashes: both are at hand.
func holds(ctx context.Context, s Store, key string, body Body) (bool, error) {
	want := make([]byte, min(verifyBlockBytes, body.Size()+1))
	for off := int64(0); ; off += verifyBlockBytes {
		got, err := s.ReadRange(ctx, key, off, verifyBlockBytes)
		if err != nil {
			return false, err
		}
		n, err := body.ReadAt(want, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("read body: %w", err)
		}
		if !bytes.Equal(got, want[:n]) {
			return false, nil
		}
		if off+int64(n) >= body.Size() && n < verifyBlockBytes {
			return true, nil
		}
	}
}

var (
	probeFirst  = []byte("millrace: the first create of this key counts\n")
	probeSecond = []byte("millrace: a store that took these bytes ignores conditional creates\n")
)

// Probe finds out whether the store refuses the second create of a key: ErrUnconditional if it lets it through, other
// errors if it cannot be asked or does not read back what it was given. It leaves one small object under a key of its
// own, is repeatable, and may run in many processes at once. Every process calls it before it trusts a store.
func Probe(ctx context.Context, s Store) error {
	if err := s.Create(ctx, probeKey, Bytes(probeFirst)); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("probe blob store: first create: %w", err)
	}
	err := s.Create(ctx, probeKey, Bytes(probeSecond))
	if err == nil {
		return fmt.Errorf("probe blob store: %w: two creates of %s succeeded", ErrUnconditional, probeKey)
	}
	if !errors.Is(err, ErrExists) {
		return fmt.Errorf("probe blob store: second create: %w", err)
	}
	return probeRead(ctx, s)
}

func probeRead(ctx context.Context, s Store) error {
	got, err := s.Read(ctx, probeKey)
	switch {
	case err != nil:
		return fmt.Errorf("probe blob store: read after create: %w", err)
	case bytes.Equal(got, probeSecond):
		return fmt.Errorf("probe blob store: %w: a refused create of %s took effect", ErrUnconditional, probeKey)
	case !bytes.Equal(got, probeFirst):
		return fmt.Errorf("probe blob store: %s does not hold what was written: %w", probeKey, ErrUnavailable)
	}
	return nil
}
