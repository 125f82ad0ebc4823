// Package codec turns manifests into bytes and back. The same manifest always has the same bytes, so that its digest can
// stand in the next manifest and in the coordination store. What it decodes has passed checkpoint.Validate; what it
// encodes has too: a manifest that nobody could restore is not worth writing.
package codec

import (
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	"millrace/checkpoint"
	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
)

// Encode returns the bytes of a manifest and their digest.
func Encode(m *checkpointv1.Manifest) ([]byte, checkpoint.Sum, error) {
	if err := checkpoint.Validate(m); err != nil {
		return nil, checkpoint.Sum{}, fmt.Errorf("encode manifest: %w", err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, checkpoint.Sum{}, fmt.Errorf("encode manifest of checkpoint %d: %w", m.CheckpointId, failure.Internal(err))
	}
	if len(b) > checkpoint.ManifestBytesMax {
		return nil, checkpoint.Sum{}, failure.Internalf("manifest of checkpoint %d has %d bytes, at most %d", m.CheckpointId, len(b), checkpoint.ManifestBytesMax)
	}
	return b, sha256.Sum256(b), nil
}

// Decode reads a manifest. Bytes that are no valid manifest are an internal error: nothing but this package writes them.
// It keeps no reference to b.
func Decode(b []byte) (*checkpointv1.Manifest, error) {
	if len(b) > checkpoint.ManifestBytesMax {
		return nil, failure.Internalf("manifest has %d bytes, at most %d", len(b), checkpoint.ManifestBytesMax)
	}
	m := &checkpointv1.Manifest{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("decode manifest: %w", failure.Internal(err))
	}
	if err := checkpoint.Validate(m); err != nil {
		return nil, fmt.Errorf("decode manifest: %w", err)
	}
	return m, nil
}

// DecodeVerified reads a manifest whose digest is known from elsewhere, and refuses any other.
func DecodeVerified(b []byte, sum checkpoint.Sum) (*checkpointv1.Manifest, error) {
	if got := checkpoint.Sum(sha256.Sum256(b)); got != sum {
		return nil, failure.Internalf("manifest is corrupt: its digest is %s, want %s", got, sum)
	}
	return Decode(b)
}
