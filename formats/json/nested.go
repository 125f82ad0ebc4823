package json

import (
	"bytes"

	"millrace/stream"
)

// span is a piece of the payload: the raw bytes of a key between its quotes.
type span struct{ start, end int }

// row decodes a ROW from an object.
func (d *Decoder) row(v *value, b *stream.Builder, p []byte, i int) int {
	if p[i] != '{' {
		return d.refuseText(p, i, "not an object")
	}
	if i = d.object(v.row, b.Children(), b.Len(), p, i+1); i != stop {
		b.AppendStruct()
	}
	return i
}

// array decodes an ARRAY.
func (d *Decoder) array(v *value, b *stream.Builder, p []byte, i int) int {
	if p[i] != '[' {
		return d.refuseText(p, i, "not an array")
	}
	if !d.enter(i) {
		return stop
	}
	elems := b.Child(0)
	i = skipSpace(p, i+1)
	for first := true; ; first = false {
		if first && i < len(p) && p[i] == ']' {
			break
		}
		if i = d.value(v.elem, elems, p, i); i == stop {
			return stop
		}
		i = skipSpace(p, i)
		if i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
			continue
		}
		if i >= len(p) || p[i] != ']' {
			return d.broken(i, "expected , or ] in an array")
		}
		break
	}
	d.depth--
	b.AppendList()
	return i + 1
}

// mapping decodes a MAP from an object, entries in its order. Of entries with
// one key the last counts.
func (d *Decoder) mapping(v *value, b *stream.Builder, p []byte, i int) int {
	if p[i] != '{' {
		return d.refuseText(p, i, "not an object")
	}
	if !d.enter(i) {
		return stop
	}
	start, mark := i+1, len(d.keys)
	entries := b.Child(0)
	key, val := entries.Child(0), entries.Child(1)
	distinct := true
	i = skipSpace(p, start)
	for first := true; ; first = false {
		if first && i < len(p) && p[i] == '}' {
			break
		}
		if i = d.mapKey(key, p, i, mark, &distinct); i == stop {
			return stop
		}
		if i = d.value(v.elem, val, p, i); i == stop {
			return stop
		}
		entries.AppendStruct()
		i = skipSpace(p, i)
		if i < len(p) && p[i] == ',' {
			i = skipSpace(p, i+1)
			continue
		}
		if i >= len(p) || p[i] != '}' {
			return d.broken(i, "expected , or } in an object")
		}
		break
	}
	d.keys = d.keys[:mark]
	if !distinct && d.lastOfMap(v, b, p, start) == stop {
		return stop
	}
	d.depth--
	b.AppendList()
	return i + 1
}

// mapKey decodes the key of an entry and the colon behind it, and clears
// distinct where the key may have stood in the map before: exactly, in a small
// map of keys without escapes; else it errs on the safe side.
func (d *Decoder) mapKey(key *stream.Builder, p []byte, i, mark int, distinct *bool) int {
	if i >= len(p) || p[i] != '"' {
		return d.broken(i, "expected a key")
	}
	text, next := d.text(p, i)
	if next == stop {
		return stop
	}
	key.AppendBytes(text)
	raw := span{i + 1, next - 1}
	if len(text) != raw.end-raw.start || len(d.keys)-mark >= mapScanMax {
		*distinct = false
	}
	if *distinct {
		for _, k := range d.keys[mark:] {
			if bytes.Equal(p[k.start:k.end], p[raw.start:raw.end]) {
				*distinct = false
			}
		}
		d.keys = append(d.keys, raw)
	}
	if next = d.colon(p, next); next == stop {
		return stop
	}
	return skipSpace(p, next)
}

// lastOfMap decodes the map whose brace opens before i anew, so that of entries
// with one key the last one's value stands in the place of the first. It may
// allocate.
func (d *Decoder) lastOfMap(v *value, b *stream.Builder, p []byte, i int) int {
	b.Truncate(b.Len())
	place := make(map[string]int)
	var names []string
	var values []int
	end := d.eachMember(p, i, func(name []byte, at int) {
		if k, ok := place[string(name)]; ok {
			values[k] = at
			return
		}
		place[string(name)] = len(names)
		names, values = append(names, string(name)), append(values, at)
	})
	if end == stop {
		return stop
	}
	entries := b.Child(0)
	for k, name := range names {
		entries.Child(0).AppendString(name)
		if d.value(v.elem, entries.Child(1), p, values[k]) == stop {
			return stop
		}
		entries.AppendStruct()
	}
	return end
}
