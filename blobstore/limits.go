package blobstore

import "fmt"

const (
	// KeyBytesMax is the most bytes of a key; object stores take 1,024.
	KeyBytesMax = 1000
	// PartBytesMax is the most bytes between two slashes of a key; file systems take 255.
	PartBytesMax = 240
	// ObjectBytesMax is the most bytes of an object: what one conditional put of the common object stores takes.
	ObjectBytesMax = 5 << 30
	// ReadBytesMax is the most bytes that one Read or ReadRange returns; larger objects are read in ranges.
	ReadBytesMax = 1 << 30
	// PageMax is the most entries of a page of List.
	PageMax = 1000
)

// CheckBody returns ErrTooLarge for a body that no store takes.
func CheckBody(body Body) error {
	if n := body.Size(); n > ObjectBytesMax {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, int64(ObjectBytesMax))
	}
	return nil
}

// CheckRange returns ErrTooLarge for a range that is negative or longer than ReadBytesMax.
func CheckRange(off, n int64) error {
	if off < 0 || n < 0 || n > ReadBytesMax {
		return fmt.Errorf("%w: range of %d bytes at %d, at most %d", ErrTooLarge, n, off, int64(ReadBytesMax))
	}
	return nil
}

// Checked returns the query with its limit filled in, or ErrBadKey.
func (q Query) Checked() (Query, error) {
	if q.Limit <= 0 || q.Limit > PageMax {
		q.Limit = PageMax
	}
	if err := CheckPrefix(q.Prefix); err != nil {
		return q, err
	}
	return q, CheckPrefix(q.After)
}
