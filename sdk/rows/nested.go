package rows

import (
	"cmp"
	"reflect"
	"slices"
	"unsafe"

	"millrace/stream"
	"millrace/types"
)

// listCodec is that of ARRAY. The elements of a tile stand in one array.
func listCodec(t reflect.Type, elem *codec) *codec {
	size := t.Elem().Size()
	return &codec{
		typ: types.ArrayOf(elem.typ),
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			v, at = r.flat(v, at)
			offsets, total := v.Offsets(), 0
			for i := range at.n {
				row := at.row(i)
				total += int(offsets[row+1] - offsets[row])
			}
			all := memory{reflect.MakeSlice(t, total, total).UnsafePointer(), size}
			used := 0
			for i := range at.n {
				row := at.row(i)
				n := int(offsets[row+1] - offsets[row])
				if n == 0 {
					*(*[]byte)(to.at(i)) = unsafe.Slice((*byte)(all.base), 0)
					continue
				}
				elem.read(r, v.Child(0), span{from: int(offsets[row]), n: n}, memory{all.at(used), size})
				*(*[]byte)(to.at(i)) = unsafe.Slice((*byte)(all.at(used)), n) // a header is a header: n counts elements
				used += n
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			for i := range n {
				list := *(*[]byte)(from.at(i))
				if len(list) > 0 {
					if err := elem.write(b.Child(0), memory{unsafe.Pointer(unsafe.SliceData(list)), size}, len(list)); err != nil {
						return err
					}
				}
				b.AppendList()
			}
			return nil
		},
	}
}

// mapCodec is that of MAP, by reflection: a map has no places to write to. Entries are written in the order of their keys.
func mapCodec(t reflect.Type, key, elem *codec) *codec {
	keys, elems := reflect.SliceOf(t.Key()), reflect.SliceOf(t.Elem())
	return &codec{
		typ: types.MapOf(key.typ, elem.typ),
		read: func(r *Reader, v *stream.Vector, at span, to memory) {
			v, at = r.flat(v, at)
			entry := v.Child(0)
			for i := range at.n {
				row := at.row(i)
				from := int(v.Offsets()[row])
				n := int(v.Offsets()[row+1]) - from
				ks, es := reflect.MakeSlice(keys, n, n), reflect.MakeSlice(elems, n, n)
				if n > 0 {
					of := span{from: from, n: n}
					key.read(r, entry.Child(0), of, memory{ks.UnsafePointer(), t.Key().Size()})
					elem.read(r, entry.Child(1), of, memory{es.UnsafePointer(), t.Elem().Size()})
				}
				m := reflect.MakeMapWithSize(t, n)
				for k := range n {
					m.SetMapIndex(ks.Index(k), es.Index(k))
				}
				reflect.NewAt(t, to.at(i)).Elem().Set(m)
			}
		},
		write: func(b *stream.Builder, from memory, n int) error {
			for i := range n {
				m := reflect.NewAt(t, from.at(i)).Elem()
				if err := writeEntries(b.Child(0), m, key, elem); err != nil {
					return err
				}
				b.AppendList()
			}
			return nil
		},
	}
}

func writeEntries(b *stream.Builder, m reflect.Value, key, elem *codec) error {
	t := m.Type()
	of := m.MapKeys()
	slices.SortFunc(of, compare)
	for _, k := range of {
		kp, ep := reflect.New(t.Key()), reflect.New(t.Elem())
		kp.Elem().Set(k)
		ep.Elem().Set(m.MapIndex(k))
		if err := key.write(b.Child(0), memory{base: kp.UnsafePointer()}, 1); err != nil {
			return err
		}
		if err := elem.write(b.Child(1), memory{base: ep.UnsafePointer()}, 1); err != nil {
			return err
		}
		b.AppendStruct()
	}
	return nil
}

// compare orders the keys of a map that have an order.
func compare(a, b reflect.Value) int {
	switch a.Kind() {
	case reflect.String:
		return cmp.Compare(a.String(), b.String())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return cmp.Compare(a.Int(), b.Int())
	case reflect.Float32, reflect.Float64:
		return cmp.Compare(a.Float(), b.Float())
	default:
		return 0
	}
}
