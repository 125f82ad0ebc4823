package rank

import (
	"bytes"
	"slices"

	"millrace/stream"
)

// update takes new versions of rows in: a row goes where its order says, and leaves the place where it was. One that keeps
// its order keeps its place.
func (r *Rank) update() error {
	if err := r.scanRanks(); err != nil {
		return err
	}
	r.fill()
	r.ids = r.unique.Read(r.pool)
	for i, g := range r.chunk {
		p := &r.parts[i]
		r.number(g, p)
		before := r.rangeOf(i)
		after := append(r.lists.after[:0], before...)
		for m := g.from; m < g.to; m++ {
			after = r.replace(after, ^m, r.end(p))
		}
		r.lists.after = after
		r.settle(g, p, before, after)
	}
	return r.apply()
}

// replace gives a version of a row its place in a list of up to end rows.
func (r *Rank) replace(list []int32, e int32, end int64) []int32 {
	if old := slices.IndexFunc(list, func(x int32) bool { return r.sameKey(x, e) }); old >= 0 {
		was, is := r.orderOf(list[old]), r.orderOf(e)
		if n := len(is) - arrivalBytes; bytes.Equal(was[:len(was)-arrivalBytes], is[:n]) {
			copy(is[n:], was[len(was)-arrivalBytes:])
			list[old] = e
			return list
		}
		list = slices.Delete(list, old, old+1)
	}
	at, _ := slices.BinarySearchFunc(list, r.orderOf(e), func(x int32, o []byte) int { return bytes.Compare(r.orderOf(x), o) })
	list = slices.Insert(list, at, e)
	return list[:min(int64(len(list)), end)]
}

// sameKey tells whether two entries have one unique key.
func (r *Rank) sameKey(a, b int32) bool {
	i, j := r.place(a), r.place(b)
	if r.ids.Hashes[i] != r.ids.Hashes[j] {
		return false
	}
	if r.ids.Layout == stream.Key64 {
		return r.ids.Fixed[i] == r.ids.Fixed[j] && r.ids.IsNull(i) == r.ids.IsNull(j)
	}
	return bytes.Equal(r.ids.Bytes(i), r.ids.Bytes(j))
}
