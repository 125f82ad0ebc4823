package native

import "millrace/stream"

// Keys goes over the keys of a batch one by one. It is for one goroutine.
type Keys struct {
	all  *stream.Keys
	one  stream.Keys
	null [1]uint64
}

// Set goes over other keys, which are borrowed.
func (k *Keys) Set(all *stream.Keys) {
	k.all = all
	k.one.Layout = all.Layout
}

// At returns the i-th key alone, until the next call.
func (k *Keys) At(i int) *stream.Keys {
	k.one.Hashes = k.all.Hashes[i : i+1]
	if k.all.Layout == stream.KeyBytes {
		k.one.Offsets, k.one.Data = k.all.Offsets[i:i+2], k.all.Data
		return &k.one
	}
	k.one.Fixed, k.one.Nulls = k.all.Fixed[i:i+1], nil
	if k.all.IsNull(i) {
		k.null[0] = 1
		k.one.Nulls = k.null[:]
	}
	return &k.one
}

// equal tells whether two keys, each alone, are the same.
func equal(a, b *stream.Keys) bool {
	switch {
	case a.Hashes[0] != b.Hashes[0]:
		return false
	case a.Layout == stream.KeyBytes:
		return string(a.Bytes(0)) == string(b.Bytes(0))
	default:
		return a.Fixed[0] == b.Fixed[0] && a.IsNull(0) == b.IsNull(0)
	}
}
