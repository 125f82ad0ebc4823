package stream

import "millrace/types"

// Canonical64 fills out with the canonical 64 bits of the selected rows of a column of at most 64 bits, as they stand in
// Keys.Fixed. What stands for NULL is undefined.
func Canonical64(v *Vector, t types.Type, sel []int32, out []int64) { canonical64(v, t, sel, out) }

// Reset empties the keys and keeps their memory.
func (k *Keys) Reset(layout KeyLayout) {
	k.Layout = layout
	k.Hashes, k.Fixed, k.Data = k.Hashes[:0], k.Fixed[:0], k.Data[:0]
	k.Nulls = k.Nulls[:0]
	k.Offsets = append(k.Offsets[:0], 0)
}

// AppendRows appends the keys at these positions of others of the same layout, which a Reset has set.
func (k *Keys) AppendRows(from *Keys, positions []int32) {
	if k.Layout == Key64 {
		k.appendFixed(from, positions)
		return
	}
	for _, p := range positions {
		k.Hashes = append(k.Hashes, from.Hashes[p])
		k.Data = append(k.Data, from.Bytes(int(p))...)
		k.Offsets = append(k.Offsets, int32(len(k.Data)))
	}
}

func (k *Keys) appendFixed(from *Keys, positions []int32) {
	n := len(k.Hashes)
	for _, p := range positions {
		k.Hashes = append(k.Hashes, from.Hashes[p])
		k.Fixed = append(k.Fixed, from.Fixed[p])
	}
	if len(from.Nulls) == 0 && len(k.Nulls) == 0 {
		k.Nulls = nil
		return
	}
	for len(k.Nulls) < Words(len(k.Hashes)) {
		k.Nulls = append(k.Nulls, 0)
	}
	for i, p := range positions {
		k.Nulls.Put(n+i, len(from.Nulls) > 0 && from.IsNull(int(p)))
	}
}
