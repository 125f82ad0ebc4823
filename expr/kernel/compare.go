package kernel

import (
	"bytes"
	"fmt"
	"unsafe"

	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// relation is a comparison operator.
type relation uint8

const (
	equal relation = iota
	notEqual
	less
	lessOrEqual
	greater
	greaterOrEqual
)

var relations = map[string]relation{
	"=": equal, "<>": notEqual, "<": less, "<=": lessOrEqual, ">": greater, ">=": greaterOrEqual,
	"IS NOT DISTINCT FROM": equal, "IS DISTINCT FROM": notEqual,
}

// flipped is the relation with its sides changed.
var flipped = [...]relation{equal, notEqual, greater, greaterOrEqual, less, lessOrEqual}

// holds tells whether the relation holds for a three-way comparison.
func (r relation) holds(c int) bool {
	switch r {
	case equal:
		return c == 0
	case notEqual:
		return c != 0
	case less:
		return c < 0
	case lessOrEqual:
		return c <= 0
	case greater:
		return c > 0
	default:
		return c >= 0
	}
}

func bit(b bool) uint64 {
	var u uint64
	if b {
		u = 1
	}
	return u
}

// span returns the rows of word w among n.
func span(w, n int) (lo, hi int) { return w << 6, min(w<<6+64, n) }

func equalVS[T number](out stream.Bitmap, a []T, s T) {
	for w := range out {
		lo, hi := span(w, len(a))
		var m uint64
		for j, x := range a[lo:hi] {
			m |= bit(x == s) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func lessVS[T number](out stream.Bitmap, a []T, s T) {
	for w := range out {
		lo, hi := span(w, len(a))
		var m uint64
		for j, x := range a[lo:hi] {
			m |= bit(x < s) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func lessOrEqualVS[T number](out stream.Bitmap, a []T, s T) {
	for w := range out {
		lo, hi := span(w, len(a))
		var m uint64
		for j, x := range a[lo:hi] {
			m |= bit(x <= s) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func greaterVS[T number](out stream.Bitmap, a []T, s T) {
	for w := range out {
		lo, hi := span(w, len(a))
		var m uint64
		for j, x := range a[lo:hi] {
			m |= bit(x > s) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func greaterOrEqualVS[T number](out stream.Bitmap, a []T, s T) {
	for w := range out {
		lo, hi := span(w, len(a))
		var m uint64
		for j, x := range a[lo:hi] {
			m |= bit(x >= s) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func equalVV[T number](out stream.Bitmap, a, b []T) {
	for w := range out {
		lo, hi := span(w, len(a))
		x, y := a[lo:hi], b[lo:hi]
		y = y[:len(x)]
		var m uint64
		for j := range x {
			m |= bit(x[j] == y[j]) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func lessVV[T number](out stream.Bitmap, a, b []T) {
	for w := range out {
		lo, hi := span(w, len(a))
		x, y := a[lo:hi], b[lo:hi]
		y = y[:len(x)]
		var m uint64
		for j := range x {
			m |= bit(x[j] < y[j]) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func lessOrEqualVV[T number](out stream.Bitmap, a, b []T) {
	for w := range out {
		lo, hi := span(w, len(a))
		x, y := a[lo:hi], b[lo:hi]
		y = y[:len(x)]
		var m uint64
		for j := range x {
			m |= bit(x[j] <= y[j]) << (uint(j) & 63)
		}
		out[w] = m
	}
}

func invert(m stream.Bitmap) {
	for i := range m {
		m[i] = ^m[i]
	}
}

func compareVS[T number](r relation, out stream.Bitmap, a []T, s T) {
	switch r {
	case equal:
		equalVS(out, a, s)
	case notEqual:
		equalVS(out, a, s)
		invert(out)
	case less:
		lessVS(out, a, s)
	case lessOrEqual:
		lessOrEqualVS(out, a, s)
	case greater:
		greaterVS(out, a, s)
	default:
		greaterOrEqualVS(out, a, s)
	}
}

func compareVV[T number](r relation, out stream.Bitmap, a, b []T) {
	switch r {
	case equal:
		equalVV(out, a, b)
	case notEqual:
		equalVV(out, a, b)
		invert(out)
	case less:
		lessVV(out, a, b)
	case lessOrEqual:
		lessOrEqualVV(out, a, b)
	case greater:
		lessVV(out, b, a)
	default:
		lessOrEqualVV(out, b, a)
	}
}

func compareLoop[T number](r relation) loop {
	return func(k *call, out *stream.Vector) error {
		a, b := stream.Values[T](&k.args[0]), stream.Values[T](&k.args[1])
		switch vs, sv := k.shape(); {
		case vs:
			compareVS(r, out.Bits(), a, b[0])
		case sv:
			compareVS(flipped[r], out.Bits(), b, a[0])
		default:
			compareVV(r, out.Bits(), a, b)
		}
		return nil
	}
}

// compareRows serves values that are compared one by one.
func compareRows(r relation, three func(k *call, i int) int) loop {
	return func(k *call, out *stream.Vector) error {
		bits := out.Bits()
		for w := range bits {
			lo, hi := span(w, k.n)
			var m uint64
			for i := lo; i < hi; i++ {
				m |= bit(r.holds(three(k, i))) << uint(i-lo)
			}
			bits[w] = m
		}
		return nil
	}
}

// bytesOf reads a flat or constant bytes argument.
type bytesOf struct {
	offsets []int32
	data    []byte
	mask    int
}

func bytesOperand(v *stream.Vector) bytesOf {
	b := bytesOf{offsets: v.Offsets(), data: v.Data(), mask: -1}
	if v.Encoding == stream.Constant {
		b.mask = 0
	}
	return b
}

func (b bytesOf) at(i int) []byte {
	i &= b.mask
	return b.data[b.offsets[i]:b.offsets[i+1]]
}

// equalBytesVS compares text with one value: lengths first, bytes only where
// they agree.
func equalBytesVS(out stream.Bitmap, offsets []int32, data []byte, s []byte) {
	n := len(offsets) - 1
	key := unsafe.String(unsafe.SliceData(s), len(s))
	for w := range out {
		lo, hi := span(w, n)
		var m uint64
		start := offsets[lo]
		for j, end := range offsets[lo+1 : hi+1] {
			if int(end-start) == len(key) && string(data[start:end]) == key {
				m |= 1 << (uint(j) & 63)
			}
			start = end
		}
		out[w] = m
	}
}

func compareBytesLoop(r relation) loop {
	return func(k *call, out *stream.Vector) error {
		a, b := &k.args[0], &k.args[1]
		if vs, sv := k.shape(); (vs || sv) && r <= notEqual {
			if sv {
				a, b = b, a
			}
			equalBytesVS(out.Bits(), a.Offsets(), a.Data(), b.Bytes(0))
			if r == notEqual {
				invert(out.Bits())
			}
			return nil
		}
		x, y, bits := bytesOperand(a), bytesOperand(b), out.Bits()
		for w := range bits {
			lo, hi := span(w, k.n)
			var m uint64
			for i := lo; i < hi; i++ {
				m |= bit(r.holds(bytes.Compare(x.at(i), y.at(i)))) << uint(i-lo)
			}
			bits[w] = m
		}
		return nil
	}
}

func compareBits(k *call, i int) int {
	at := func(v *stream.Vector) int {
		if v.Encoding == stream.Constant {
			return int(bit(v.Bits().Get(0)))
		}
		return int(bit(v.Bits().Get(i)))
	}
	return at(&k.args[0]) - at(&k.args[1])
}

// comparisonLoop returns the loop that compares values of two types, which
// differ for DECIMALs and text only.
func comparisonLoop(r relation, a, b types.Type) (loop, error) {
	if a.Kind == types.Decimal && (a.Scale != b.Scale || a.Layout() != b.Layout() || a.Layout() == types.LayoutInt128) {
		return compareDecimals(r, a, b), nil
	}
	switch a.Layout() {
	case types.LayoutBit:
		return compareRows(r, compareBits), nil
	case types.LayoutInt8:
		return compareLoop[int8](r), nil
	case types.LayoutInt16:
		return compareLoop[int16](r), nil
	case types.LayoutInt32:
		return compareLoop[int32](r), nil
	case types.LayoutInt64:
		return compareLoop[int64](r), nil
	case types.LayoutFloat32:
		return compareLoop[float32](r), nil
	case types.LayoutFloat64:
		return compareLoop[float64](r), nil
	case types.LayoutBytes:
		return compareBytesLoop(r), nil
	default:
		return nil, fmt.Errorf("values of type %s can't be compared", a)
	}
}

func bindComparison(e *expr.Call, args []node) (node, error) {
	run, err := comparisonLoop(relations[e.Func], e.Args[0].Type(), e.Args[1].Type())
	if err != nil {
		return nil, err
	}
	return strict(e, args, run), nil
}

// bindDistinct binds IS [NOT] DISTINCT FROM: a comparison, corrected where a
// side is NULL.
func bindDistinct(e *expr.Call, args []node) (node, error) {
	run, err := comparisonLoop(equal, e.Args[0].Type(), e.Args[1].Type())
	if err != nil {
		return nil, err
	}
	negated := relations[e.Func] == notEqual
	withNulls := func(k *call, out *stream.Vector) error {
		if err := run(k, out); err != nil {
			return err
		}
		bits := out.Bits()
		for w := range bits {
			a, b := validWord(&k.args[0], w), validWord(&k.args[1], w)
			bits[w] = bits[w]&a&b | ^a&^b
		}
		if negated {
			invert(bits)
		}
		return nil
	}
	return newCall(&callNode{args: args, run: withNulls, typ: e.T, nulls: true}, e), nil
}

// validWord returns word w of the validity of a flat or constant vector.
func validWord(v *stream.Vector, w int) uint64 {
	switch {
	case v.Valid() == nil:
		return ^uint64(0)
	case v.Encoding == stream.Constant:
		return -bit(v.Valid().Get(0))
	default:
		return v.Valid()[w]
	}
}
