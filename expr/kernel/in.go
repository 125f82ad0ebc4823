package kernel

import (
	"bytes"
	"hash/maphash"
	"math/bits"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// inList rewrites IN whose list is no set of constants as a chain of comparisons.
func inList(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
	if isSet(e) {
		return nil, nil
	}
	tests := make([]expr.Expr, 0, len(e.Args)-1)
	for _, a := range e.Args[1:] {
		same, err := expr.NewCall(reg, "=", e.Args[0], a)
		if err != nil {
			return nil, err
		}
		tests = append(tests, same)
	}
	if len(tests) == 1 {
		return tests[0], nil
	}
	return expr.NewCall(reg, "OR", tests...)
}

// isSet tells whether the list is of constants that are compared as integers
// or bytes of one form.
func isSet(e *expr.Call) bool {
	x := e.Args[0].Type()
	switch x.Layout() {
	case types.LayoutInt8, types.LayoutInt16, types.LayoutInt32, types.LayoutInt64, types.LayoutBytes:
	default:
		return false
	}
	for _, a := range e.Args[1:] {
		t := a.Type()
		if !isLiteral(a) || t.Layout() != x.Layout() || x.Kind == types.Decimal && t.Scale != x.Scale {
			return false
		}
	}
	return true
}

// bindIn binds IN of a set of constants. Without a match, a NULL among them
// makes the result NULL.
func bindIn(e *expr.Call, args []node) (node, error) {
	var ints []int64
	var texts [][]byte
	null := false
	for _, a := range e.Args[1:] {
		switch v := a.(*expr.Literal).Value.(type) {
		case nil:
			null = true
		case int64:
			ints = append(ints, v)
		case string:
			texts = append(texts, []byte(v))
		case []byte:
			texts = append(texts, v)
		}
	}
	args = args[:1]
	switch e.Args[0].Type().Layout() {
	case types.LayoutInt8:
		return strict(e, args, intSetLoop[int8](ints, null)), nil
	case types.LayoutInt16:
		return strict(e, args, intSetLoop[int16](ints, null)), nil
	case types.LayoutInt32:
		return strict(e, args, intSetLoop[int32](ints, null)), nil
	case types.LayoutInt64:
		return strict(e, args, intSetLoop[int64](ints, null)), nil
	default:
		return strict(e, args, textSetLoop(texts, null)), nil
	}
}

// comparedOneByOne is the size up to which a set is a comparison a value: each
// is a loop without branches.
const comparedOneByOne = 4

func intSetLoop[T signed](values []int64, null bool) loop {
	list := make([]T, len(values))
	for i, v := range values {
		list[i] = T(v)
	}
	table := newIntTable(values)
	return func(k *call, out *stream.Vector) error {
		a, found := stream.Values[T](&k.args[0])[:k.n], out.Bits()
		switch {
		case len(list) == 0:
			found.Fill(false)
		case len(list) <= comparedOneByOne:
			equalVS(found, a, list[0])
			one := k.word(2, k.n)
			for _, v := range list[1:] {
				equalVS(one, a, v)
				orWords(found, one)
			}
		default:
			for w := range found {
				lo, hi := span(w, len(a))
				var m uint64
				for j, x := range a[lo:hi] {
					m |= bit(table.has(int64(x))) << (uint(j) & 63)
				}
				found[w] = m
			}
		}
		k.nullUnless(out, null)
		return nil
	}
}

func orWords(out, in stream.Bitmap) {
	in = in[:len(out)]
	for i := range out {
		out[i] |= in[i]
	}
}

// nullUnless makes NULL the rows of out that are not TRUE, if there is a NULL
// in the set.
func (k *call) nullUnless(out *stream.Vector, null bool) {
	if null {
		valid := out.WithValidity(k.pool)
		found := out.Bits()
		for w := range found {
			valid[w] &= found[w]
		}
	}
}

// intTable is a set of integers with open addressing, at most half full.
type intTable struct {
	slots []int64
	used  []bool
	shift int
}

func newIntTable(values []int64) *intTable {
	size := 1 << bits.Len(uint(2*len(values)))
	t := &intTable{slots: make([]int64, size), used: make([]bool, size), shift: 64 - bits.TrailingZeros(uint(size))}
	for _, v := range values {
		if t.has(v) {
			continue
		}
		at := t.home(v)
		for t.used[at] {
			at = (at + 1) & (size - 1)
		}
		t.slots[at], t.used[at] = v, true
	}
	return t
}

// home spreads by the golden ratio: keys of a set are often neighbours.
func (t *intTable) home(v int64) int {
	return int(uint64(v) * 0x9E3779B97F4A7C15 >> (uint(t.shift) & 63) & uint64(len(t.slots)-1))
}

func (t *intTable) has(v int64) bool {
	at := t.home(v)
	for t.used[at] {
		if t.slots[at] == v {
			return true
		}
		at = (at + 1) & (len(t.slots) - 1)
	}
	return false
}

// textTable is a set of texts with open addressing, at most half full.
type textTable struct {
	seed   maphash.Seed
	slots  [][]byte // nil: free
	hashes []uint64
}

func newTextTable(values [][]byte) *textTable {
	size := 1 << bits.Len(uint(2*len(values)))
	t := &textTable{seed: maphash.MakeSeed(), slots: make([][]byte, size), hashes: make([]uint64, size)}
	for _, v := range values {
		if t.has(v) {
			continue
		}
		h := maphash.Bytes(t.seed, v)
		at := int(h) & (size - 1)
		for t.slots[at] != nil {
			at = (at + 1) & (size - 1)
		}
		t.slots[at], t.hashes[at] = append([]byte{}, v...), h
	}
	return t
}

func (t *textTable) has(v []byte) bool {
	h := maphash.Bytes(t.seed, v)
	at := int(h) & (len(t.slots) - 1)
	for t.slots[at] != nil {
		if t.hashes[at] == h && bytes.Equal(t.slots[at], v) {
			return true
		}
		at = (at + 1) & (len(t.slots) - 1)
	}
	return false
}

func textSetLoop(values [][]byte, null bool) loop {
	table := newTextTable(values)
	return func(k *call, out *stream.Vector) error {
		v, found := &k.args[0], out.Bits()
		switch {
		case len(values) == 0:
			found.Fill(false)
		case len(values) <= comparedOneByOne:
			equalBytesVS(found, v.Offsets(), v.Data(), values[0])
			one := k.word(2, k.n)
			for _, s := range values[1:] {
				equalBytesVS(one, v.Offsets(), v.Data(), s)
				orWords(found, one)
			}
		default:
			in := bytesOperand(v)
			for i := range k.n {
				found.Put(i, table.has(in.at(i)))
			}
		}
		k.nullUnless(out, null)
		return nil
	}
}
