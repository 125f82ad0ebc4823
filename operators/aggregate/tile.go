package aggregate

import (
	"fmt"

	"millrace/stream"
	"millrace/types"
)

// Tile makes dst the keys from, ..., to-1 of keys. Tiles begin at multiples
// of 64, as the NULL bits need.
func Tile(dst *stream.Keys, keys *stream.Keys, from, to int) {
	*dst = stream.Keys{Layout: keys.Layout, Hashes: keys.Hashes[from:to]}
	if keys.Layout == stream.Key64 {
		dst.Fixed = keys.Fixed[from:to]
		if keys.Nulls != nil {
			dst.Nulls = keys.Nulls[from/64:]
		}
		return
	}
	dst.Offsets, dst.Data = keys.Offsets[from:to+1], keys.Data
}

// KeyTypes returns the types of key columns, or an error for those that can't be
// a key.
func KeyTypes(keys []int, s *types.Schema) ([]types.Type, error) {
	ts := make([]types.Type, len(keys))
	for i, k := range keys {
		if k < 0 || k >= s.Len() {
			return nil, fmt.Errorf("the input has no key column %d", k)
		}
		ts[i] = s.Fields[k].Type
	}
	_, err := stream.KeyLayoutOf(ts)
	return ts, err
}
