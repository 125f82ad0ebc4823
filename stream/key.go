package stream

import (
	"encoding/binary"
	"fmt"
	"math"

	"millrace/types"
)

// KeyLayout is the form in which a key's values are compared and stored.
type KeyLayout uint8

// The key layouts.
const (
	// Key64: a single column of at most 64 bits, as an int64 (sign-extended
	// integers, canonical float bits, 0 or 1 for BOOLEAN), with NULL aside.
	Key64 KeyLayout = iota
	// KeyBytes: any columns, as canonical bytes (AppendKey).
	KeyBytes
)

// KeyLayoutOf returns the layout of a key of these column types, or an error
// naming the first type that has no canonical form.
func KeyLayoutOf(ts []types.Type) (KeyLayout, error) {
	for _, t := range ts {
		if l := t.Layout(); l == types.LayoutNone || l == types.LayoutList || l == types.LayoutStruct {
			return 0, fmt.Errorf("a value of type %s can't be a key", t)
		}
	}
	if len(ts) == 1 && ts[0].Layout() != types.LayoutBytes && ts[0].Layout() != types.LayoutInt128 {
		return Key64, nil
	}
	return KeyBytes, nil
}

// Keys are the keys of a batch's selected rows, densely: position i stands for
// the i-th selected row. Which fields are filled follows from Layout.
type Keys struct {
	Layout KeyLayout
	Hashes []uint64
	// Fixed holds the values of a Key64; that of a NULL is 0.
	Fixed []int64
	// Nulls marks the NULL keys of a Key64; nil: there is none. (Among
	// canonical bytes NULL is a byte like any other.)
	Nulls Bitmap
	// Offsets and Data hold canonical bytes: key i is Data[Offsets[i]:Offsets[i+1]].
	Offsets []int32
	Data    []byte
}

// Len returns the number of keys.
func (k *Keys) Len() int { return len(k.Hashes) }

// Bytes returns the canonical bytes of key i of a KeyBytes.
func (k *Keys) Bytes(i int) []byte { return k.Data[k.Offsets[i]:k.Offsets[i+1]] }

// IsNull tells whether key i of a Key64 is NULL.
func (k *Keys) IsNull(i int) bool { return k.Nulls != nil && k.Nulls.Get(i) }

// KeyReader computes the keys of batches into memory that it reuses. It is for
// one goroutine.
type KeyReader struct {
	columns []int
	types   []types.Type
	keys    Keys
	nulls   Bitmap
}

// NewKeyReader returns a reader of the key that the columns of a schema form.
// No column is the empty key: every row has the same.
func NewKeyReader(s *types.Schema, columns []int) (*KeyReader, error) {
	ts := make([]types.Type, len(columns))
	for i, c := range columns {
		ts[i] = s.Fields[c].Type
	}
	l, err := KeyLayoutOf(ts)
	if err != nil {
		return nil, err
	}
	return &KeyReader{columns: columns, types: ts, keys: Keys{Layout: l}}, nil
}

// Layout returns the layout of the keys.
func (r *KeyReader) Layout() KeyLayout { return r.keys.Layout }

// Read returns the keys of the batch's selected rows. They are valid until the
// next Read.
func (r *KeyReader) Read(b *Batch) *Keys {
	n := b.Rows()
	if r.keys.Offsets == nil || cap(r.keys.Hashes) < n {
		r.keys.Hashes = make([]uint64, max(n, RowsMax))
		r.keys.Fixed = make([]int64, max(n, RowsMax))
		r.keys.Offsets = make([]int32, max(n, RowsMax)+1)
		r.nulls = make(Bitmap, Words(max(n, RowsMax)))
	}
	r.keys.Hashes = r.keys.Hashes[:n]
	if r.keys.Layout == Key64 {
		r.readFixed(b, n)
	} else {
		r.readBytes(b, n)
	}
	return &r.keys
}

func (r *KeyReader) readFixed(b *Batch, n int) {
	k := &r.keys
	k.Fixed, k.Nulls = k.Fixed[:n], nil
	v := &b.Columns[r.columns[0]]
	canonical64(v, r.types[0], b.Sel(), k.Fixed)
	hashAll(k.Hashes, k.Fixed)
	if !v.HasNulls() && v.Encoding != Dictionary {
		return
	}
	for i := range n {
		if v.IsNull(b.Row(i)) {
			if k.Nulls == nil {
				k.Nulls = r.nulls[:Words(n)]
				k.Nulls.Fill(false)
			}
			k.Nulls.Set(i)
			k.Fixed[i], k.Hashes[i] = 0, hashNull
		}
	}
}

func hashAll(hashes []uint64, xs []int64) {
	hashes = hashes[:len(xs)]
	for i, x := range xs {
		hashes[i] = HashUint64(uint64(x))
	}
}

// canonical64 fills out with the canonical 64 bits of the selected rows.
func canonical64(v *Vector, t types.Type, sel []int32, out []int64) {
	switch t.Layout() {
	case types.LayoutInt64:
		gather64(v, sel, out, Values[int64])
	case types.LayoutInt32:
		gather64(v, sel, out, Values[int32])
	case types.LayoutInt16:
		gather64(v, sel, out, Values[int16])
	case types.LayoutInt8:
		gather64(v, sel, out, Values[int8])
	case types.LayoutFloat64:
		gatherFunc(v, sel, out, func(i int) int64 { return int64(CanonicalFloat64(Value[float64](v, i))) })
	case types.LayoutFloat32:
		gatherFunc(v, sel, out, func(i int) int64 { return int64(CanonicalFloat32(Value[float32](v, i))) })
	case types.LayoutBit:
		gatherFunc(v, sel, out, func(i int) int64 {
			if v.Bool(i) {
				return 1
			}
			return 0
		})
	}
}

func gather64[T int8 | int16 | int32 | int64](v *Vector, sel []int32, out []int64, values func(*Vector) []T) {
	switch {
	case v.Encoding == Dictionary:
		gatherFunc(v, sel, out, func(i int) int64 { return int64(Value[T](v, i)) })
	case len(out) == 0:
	case v.Encoding == Constant:
		x := int64(values(v)[0])
		for i := range out {
			out[i] = x
		}
	case sel == nil:
		for i, x := range values(v)[:len(out)] {
			out[i] = int64(x)
		}
	default:
		xs := values(v)
		for i, s := range sel[:len(out)] {
			out[i] = int64(xs[s])
		}
	}
}

// gatherFunc serves the layouts and encodings that are rare among keys.
func gatherFunc(v *Vector, sel []int32, out []int64, at func(int) int64) {
	for i := range out {
		row := i
		if sel != nil {
			row = int(sel[i])
		}
		if v.IsNull(row) {
			out[i] = 0
			continue
		}
		out[i] = at(row)
	}
}

// CanonicalFloat64 returns the bits of f with -0 as 0 and one NaN.
func CanonicalFloat64(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return 0x7ff8000000000000
	default:
		return math.Float64bits(f)
	}
}

// CanonicalFloat32 returns the bits of f with -0 as 0 and one NaN.
func CanonicalFloat32(f float32) uint32 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return 0x7fc00000
	default:
		return math.Float32bits(f)
	}
}

func (r *KeyReader) readBytes(b *Batch, n int) {
	k := &r.keys
	k.Offsets, k.Data = k.Offsets[:n+1], k.Data[:0]
	k.Offsets[0] = 0
	for i := range n {
		row := b.Row(i)
		h := uint64(hashK0)
		for c, col := range r.columns {
			v := &b.Columns[col]
			var ch uint64
			k.Data, ch = appendKeyColumn(k.Data, v, r.types[c], row)
			if c == 0 {
				h = ch
			} else {
				h = HashCombine(h, ch)
			}
		}
		k.Hashes[i] = h
		k.Offsets[i+1] = int32(len(k.Data))
	}
}

// appendKeyColumn appends the canonical bytes of row i of a key column: 0 for
// NULL; else 1 and the value: 8 bytes little-endian for fixed-width types (16
// for a wide DECIMAL), a uvarint length and the bytes for strings. It returns
// the column's hash too.
func appendKeyColumn(dst []byte, v *Vector, t types.Type, i int) ([]byte, uint64) {
	if v.IsNull(i) {
		return append(dst, 0), hashNull
	}
	dst = append(dst, 1)
	switch t.Layout() {
	case types.LayoutBytes:
		p := v.Bytes(i)
		dst = binary.AppendUvarint(dst, uint64(len(p)))
		return append(dst, p...), HashBytes(p)
	case types.LayoutInt128:
		x := Value[Int128](v, i)
		dst = binary.LittleEndian.AppendUint64(dst, x.Lo)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x.Hi))
		return dst, HashCombine(HashUint64(x.Lo), HashUint64(uint64(x.Hi)))
	default:
		var x [1]int64
		row := [1]int32{int32(i)}
		canonical64(v, t, row[:], x[:])
		return binary.LittleEndian.AppendUint64(dst, uint64(x[0])), HashUint64(uint64(x[0]))
	}
}

// KeyBuilder turns stored keys back into the columns they came from.
type KeyBuilder struct {
	builders []Builder
	types    []types.Type
}

// NewKeyBuilder returns a builder of key columns of these types.
func NewKeyBuilder(p *Pool, ts []types.Type, capacity int) *KeyBuilder {
	k := &KeyBuilder{types: ts, builders: make([]Builder, len(ts))}
	for i, t := range ts {
		k.builders[i].Init(p, t, capacity)
	}
	return k
}

// Append64 appends a Key64.
func (k *KeyBuilder) Append64(x int64, null bool) {
	b := &k.builders[0]
	if null {
		b.AppendNull()
		return
	}
	appendCanonical(b, uint64(x))
}

// Append64s appends Key64s none of which is NULL.
func (k *KeyBuilder) Append64s(xs []int64) {
	b := &k.builders[0]
	if b.layout == types.LayoutInt64 {
		AppendAll(b, xs)
		return
	}
	for _, x := range xs {
		appendCanonical(b, uint64(x))
	}
}

// AppendBytes appends a KeyBytes; it reports bytes that are not canonical.
func (k *KeyBuilder) AppendBytes(p []byte) error {
	for i := range k.builders {
		rest, err := k.appendColumn(&k.builders[i], p)
		if err != nil {
			return err
		}
		p = rest
	}
	if len(p) != 0 {
		return fmt.Errorf("key has %d bytes too many", len(p))
	}
	return nil
}

var errShortKey = fmt.Errorf("key ends early")

func (k *KeyBuilder) appendColumn(b *Builder, p []byte) ([]byte, error) {
	if len(p) == 0 {
		return nil, errShortKey
	}
	null := p[0] == 0
	p = p[1:]
	if null {
		b.AppendNull()
		return p, nil
	}
	switch b.layout {
	case types.LayoutBytes:
		n, w := binary.Uvarint(p)
		if w <= 0 || uint64(len(p)-w) < n {
			return nil, errShortKey
		}
		b.AppendBytes(p[w : w+int(n)])
		return p[w+int(n):], nil
	case types.LayoutInt128:
		if len(p) < 16 {
			return nil, errShortKey
		}
		AppendFixed(b, Int128{Lo: binary.LittleEndian.Uint64(p), Hi: int64(binary.LittleEndian.Uint64(p[8:]))})
		return p[16:], nil
	default:
		if len(p) < 8 {
			return nil, errShortKey
		}
		appendCanonical(b, binary.LittleEndian.Uint64(p))
		return p[8:], nil
	}
}

func appendCanonical(b *Builder, x uint64) {
	switch b.layout {
	case types.LayoutBit:
		b.AppendBool(x != 0)
	case types.LayoutInt8:
		AppendFixed(b, int8(x))
	case types.LayoutInt16:
		AppendFixed(b, int16(x))
	case types.LayoutInt32, types.LayoutFloat32:
		AppendFixed(b, int32(x))
	default:
		AppendFixed(b, int64(x))
	}
}

// Finish returns column i of the keys appended since the last Finish of it.
func (k *KeyBuilder) Finish(i int) Vector { return k.builders[i].Finish() }

// Close gives back what is unfinished.
func (k *KeyBuilder) Close() {
	for i := range k.builders {
		k.builders[i].Close()
	}
}
