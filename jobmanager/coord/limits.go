package coord

import (
	"errors"
	"fmt"
)

const (
	// KeyBytesMax is the most bytes of a key, without the cluster's prefix.
	KeyBytesMax = 512
	// ValueBytesMax is the most bytes of a value. Values are pointers and small records; what is large is in the blob
	// store, and the value names it.
	ValueBytesMax = 1 << 20
	// TxnBytesMax is the most bytes of all keys and values of a transaction; etcd takes requests of 1.5 MiB.
	TxnBytesMax = ValueBytesMax + 256<<10
	// ComparesMax is the most comparisons of a transaction; etcd takes 128 with the fence.
	ComparesMax = 100
	// OpsMax is the most operations of a transaction; etcd takes 128.
	OpsMax = 100
	// ListMax is the most entries of a List.
	ListMax = 10_000
	// NameBytesMax is the most bytes of a candidate's name.
	NameBytesMax = 1024
)

// CheckCandidate returns ErrInvalid for a name that Campaign does not take.
func CheckCandidate(candidate string) error {
	if candidate == "" || len(candidate) > NameBytesMax {
		return fmt.Errorf("%w: candidate's name of %d bytes, want 1 to %d", ErrInvalid, len(candidate), NameBytesMax)
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }
