package rows

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"
	"unsafe"

	"millrace/stream"
	"millrace/types"
)

// number are the Go types that stand in vectors as they are.
type number interface {
	int8 | int16 | int32 | int64 | float32 | float64
}

func fixed[D number]() *codec {
	return &codec{
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			v, at = r.flat(v, at)
			readFixed[D](stream.Values[D](v), at, to)
		},
		write: func(b *stream.Builder, from memory, n int) error {
			writeFixed(b, from, n, func(x D) D { return x })
			return nil
		},
		store: func(p unsafe.Pointer, words []uint64) error { words[0] = wordOf(*(*D)(p)); return nil },
		load:  func(words []uint64, p unsafe.Pointer) { *(*D)(p) = ofWord[D](words[0]) },
	}
}

func readFixed[D number](xs []D, at span, to memory) {
	if at.sel != nil {
		for i, s := range at.sel {
			*(*D)(to.at(i)) = xs[s]
		}
		return
	}
	for i, x := range xs[at.from : at.from+at.n] {
		*(*D)(to.at(i)) = x
	}
}

// fewRows are appended faster without an array.
const fewRows = 16

// writeFixed appends what is made of n values, a tile at a time: to fill a small array and append that costs half of appending one by one.
func writeFixed[S stream.Fixed, D any](b *stream.Builder, from memory, n int, to func(D) S) {
	if n < fewRows {
		for i := range n {
			stream.AppendFixed(b, to(*(*D)(from.at(i))))
		}
		return
	}
	var tile [TileRows]S
	for done := 0; done < n; done += TileRows {
		some := tile[:min(n-done, TileRows)]
		for i := range some {
			some[i] = to(*(*D)(from.at(done + i)))
		}
		stream.AppendAll(b, some)
	}
}

// wordOf returns a number as a state table has it: integers sign-extended, floats as their bits.
func wordOf[D number](x D) uint64 {
	switch x := any(x).(type) {
	case float32:
		return uint64(math.Float32bits(x))
	case float64:
		return math.Float64bits(x)
	}
	return uint64(int64(x))
}

func ofWord[D number](w uint64) (x D) {
	switch p := any(&x).(type) {
	case *float32:
		*p = math.Float32frombits(uint32(w))
	case *float64:
		*p = math.Float64frombits(w)
	default:
		x = D(int64(w))
	}
	return x
}

func boolCodec() *codec {
	return &codec{
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			v, at = r.flat(v, at)
			bits := v.Bits()
			for i := range at.n {
				*(*bool)(to.at(i)) = bits.Get(at.row(i))
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			for i := range n {
				b.AppendBool(*(*bool)(from.at(i)))
			}
			return nil
		},
		store: func(p unsafe.Pointer, words []uint64) error {
			words[0] = 0
			if *(*bool)(p) {
				words[0] = 1
			}
			return nil
		},
		load: func(words []uint64, p unsafe.Pointer) { *(*bool)(p) = words[0] != 0 },
	}
}

// integer is the codec of a type whose values are made of integers of a width.
func integer[S int32 | int64, D any](typ types.Type, of func(S) D, to func(D) S) *codec {
	return &codec{
		typ: typ,
		read: func(r *Reader, v *stream.Vector, at span, m memory) {
			v, at = r.flat(v, at)
			xs := stream.Values[S](v)
			for i := range at.n {
				*(*D)(m.at(i)) = of(xs[at.row(i)])
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			writeFixed(b, from, n, to)
			return nil
		},
		store: func(p unsafe.Pointer, words []uint64) error { words[0] = uint64(int64(to(*(*D)(p)))); return nil },
		load:  func(words []uint64, p unsafe.Pointer) { *(*D)(p) = of(S(int64(words[0]))) },
	}
}

// timeCodec is that of TIMESTAMP and TIMESTAMP_LTZ. The times are in UTC; what is below the unit of the type is cut off.
func timeCodec(t types.Type) *codec {
	switch t.Unit() {
	case types.Millis:
		return integer(t, func(x int64) time.Time { return time.UnixMilli(x).UTC() }, time.Time.UnixMilli)
	case types.Micros:
		return integer(t, func(x int64) time.Time { return time.UnixMicro(x).UTC() }, time.Time.UnixMicro)
	default:
		return integer(t, func(x int64) time.Time { return time.Unix(0, x).UTC() }, time.Time.UnixNano)
	}
}

// durationCodec is that of INTERVAL DAY TO SECOND, and of TIME, which is what passed since midnight: milliseconds.
func durationCodec(t types.Type) *codec {
	if t.Kind == types.Time {
		return integer(t, func(x int32) time.Duration { return time.Duration(x) * time.Millisecond }, func(d time.Duration) int32 { return int32(d.Milliseconds()) })
	}
	return integer(t, func(x int64) time.Duration { return time.Duration(x) * time.Millisecond }, time.Duration.Milliseconds)
}

func decimalCodec(t types.Type) *codec {
	scale := int32(t.Scale)
	if t.Layout() == types.LayoutInt64 {
		c := integer(t, func(x int64) Decimal { return DecimalOf(x, t.Scale) }, nil)
		c.write = func(b *stream.Builder, from memory, n int) error {
			return writeDecimals(t, from, n, func(x types.Int128) { b.AppendInt64(int64(x.Lo)) })
		}
		c.store = func(p unsafe.Pointer, words []uint64) error {
			x, err := (*Decimal)(p).as(t)
			words[0] = x.Lo
			return err
		}
		return c
	}
	return &codec{
		typ: t,
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			v, at = r.flat(v, at)
			xs := stream.Values[types.Int128](v)
			for i := range at.n {
				*(*Decimal)(to.at(i)) = Decimal{unscaled: xs[at.row(i)], scale: scale}
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			return writeDecimals(t, from, n, func(x types.Int128) { stream.AppendFixed(b, x) })
		},
		store: func(p unsafe.Pointer, words []uint64) error {
			x, err := (*Decimal)(p).as(t)
			words[0], words[1] = x.Lo, uint64(x.Hi)
			return err
		},
		load: func(words []uint64, p unsafe.Pointer) {
			*(*Decimal)(p) = Decimal{unscaled: types.Int128{Lo: words[0], Hi: int64(words[1])}, scale: scale}
		},
	}
}

func writeDecimals(t types.Type, from memory, n int, appendTo func(types.Int128)) error {
	for i := range n {
		x, err := (*Decimal)(from.at(i)).as(t)
		if err != nil {
			return err
		}
		appendTo(x)
	}
	return nil
}

// readStrings gives strings that alias one copy of the tile's.
func readStrings(r *Reader, v *stream.Vector, at span, to memory) {
	v, at = r.flat(v, at)
	all := r.copied(v, at)
	used := 0
	offsets := v.Offsets()
	for i := range at.n {
		row := at.row(i)
		n := int(offsets[row+1] - offsets[row])
		if n == 0 {
			*(*string)(to.at(i)) = ""
			continue
		}
		*(*string)(to.at(i)) = unsafe.String(&all[used], n)
		used += n
	}
}

func readBytes(r *Reader, v *stream.Vector, at span, to memory) {
	v, at = r.flat(v, at)
	all := r.copied(v, at)
	used := 0
	offsets := v.Offsets()
	for i := range at.n {
		row := at.row(i)
		n := int(offsets[row+1] - offsets[row])
		*(*[]byte)(to.at(i)) = all[used : used+n : used+n]
		used += n
	}
}

func writeStrings(b *stream.Builder, from memory, n int) error {
	for i := range n {
		b.AppendString(*(*string)(from.at(i)))
	}
	return nil
}

func writeBytes(b *stream.Builder, from memory, n int) error {
	for i := range n {
		b.AppendBytes(*(*[]byte)(from.at(i)))
	}
	return nil
}

// bounded has the codec check the length of what is written: characters of CHAR and VARCHAR, bytes of BINARY and VARBINARY. CHAR and BINARY have just their length.
func (c *codec) bounded() {
	t, write, pack := c.typ, c.write, c.pack
	check := func(p unsafe.Pointer) error {
		value, _ := pack(p)
		length := len(value)
		if t.Kind == types.Char || t.Kind == types.VarChar {
			length = utf8.RuneCount(value)
		}
		if length > t.Length || length < t.Length && (t.Kind == types.Char || t.Kind == types.Binary) {
			return fmt.Errorf("a value of length %d is no %s", length, t)
		}
		return nil
	}
	c.write = func(b *stream.Builder, from memory, n int) error {
		for i := range n {
			if err := check(from.at(i)); err != nil {
				return err
			}
		}
		return write(b, from, n)
	}
	c.pack = func(p unsafe.Pointer) ([]byte, error) {
		if err := check(p); err != nil {
			return nil, err
		}
		return pack(p)
	}
}

func stringCodec() *codec {
	return &codec{
		read: readStrings, write: writeStrings,
		pack: func(p unsafe.Pointer) ([]byte, error) {
			s := *(*string)(p)
			return unsafe.Slice(unsafe.StringData(s), len(s)), nil
		},
		unpack: func(b []byte, p unsafe.Pointer) error { *(*string)(p) = string(b); return nil },
	}
}

func bytesCodec() *codec {
	return &codec{
		read: readBytes, write: writeBytes,
		pack:   func(p unsafe.Pointer) ([]byte, error) { return *(*[]byte)(p), nil },
		unpack: func(b []byte, p unsafe.Pointer) error { *(*[]byte)(p) = append([]byte(nil), b...); return nil },
	}
}
