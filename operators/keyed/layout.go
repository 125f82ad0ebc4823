package keyed

import (
	"bytes"
	"fmt"
	"math"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// Words in front of a row's null bits.
const (
	wordThere, wordWritten, front = 0, 1, 2
)

// layout is where the columns of a row stand.
type layout struct {
	columns []statebackend.ColumnSpec // of the table
	first   int                       // the first of the row's own
	nulls   int                       // word of the first null bits
	words   []int                     // of the row's own columns
}

func newLayout(s *types.Schema) layout {
	l := layout{nulls: front}
	number := types.Of(types.BigInt)
	l.columns = append(l.columns, statebackend.ColumnSpec{Name: "$there", Type: number}, statebackend.ColumnSpec{Name: "$written", Type: number})
	for i := range stream.Words(s.Len()) {
		l.columns = append(l.columns, statebackend.ColumnSpec{Name: fmt.Sprintf("$nulls%d", i), Type: number})
	}
	l.first = len(l.columns)
	l.columns = append(l.columns, statebackend.ColumnsOf(s.Fields)...)
	all, _ := statebackend.WordOf(l.columns)
	l.words = all[l.first:]
	return l
}

// write gives rows of the table the columns of physical rows of a batch.
func (l *layout) write(part statebackend.Part, slots []statebackend.Slot, b *stream.Batch, at []int32) error {
	rows := part.Rows()
	for _, s := range slots {
		clear(rows.At(s)[l.nulls : l.nulls+l.first-front])
	}
	for c, word := range l.words {
		v := &b.Columns[c]
		if err := l.writeColumn(part, rows, slots, c, word, v, at); err != nil {
			return err
		}
		if !v.HasNulls() && v.Encoding != stream.Dictionary {
			continue
		}
		for i, s := range slots {
			if v.IsNull(int(at[i])) {
				rows.At(s)[l.nulls+c>>6] |= 1 << (c & 63)
			}
		}
	}
	return nil
}

func (l *layout) writeColumn(part statebackend.Part, rows statebackend.Rows, slots []statebackend.Slot, c, word int, v *stream.Vector, at []int32) error {
	switch v.Type.Layout() {
	case types.LayoutBit:
		for i, s := range slots {
			x := uint64(0)
			if v.Bool(int(at[i])) {
				x = 1
			}
			rows.At(s)[word] = x
		}
	case types.LayoutInt8:
		writeInts[int8](rows, slots, word, v, at)
	case types.LayoutInt16:
		writeInts[int16](rows, slots, word, v, at)
	case types.LayoutInt32:
		writeInts[int32](rows, slots, word, v, at)
	case types.LayoutFloat32:
		for i, s := range slots {
			rows.At(s)[word] = uint64(math.Float32bits(stream.Value[float32](v, int(at[i]))))
		}
	case types.LayoutInt128:
		for i, s := range slots {
			x := stream.Value[types.Int128](v, int(at[i]))
			row := rows.At(s)
			row[word], row[word+1] = x.Lo, uint64(x.Hi)
		}
	case types.LayoutBytes:
		for i, s := range slots {
			var p []byte
			if !v.IsNull(int(at[i])) {
				p = v.Bytes(int(at[i]))
			}
			if err := part.SetBytes(l.first+c, s, p); err != nil {
				return err
			}
		}
	default:
		writeInts[int64](rows, slots, word, v, at)
	}
	return nil
}

func writeInts[T int8 | int16 | int32 | int64](rows statebackend.Rows, slots []statebackend.Slot, word int, v *stream.Vector, at []int32) {
	if v.Encoding != stream.Flat {
		for i, s := range slots {
			rows.At(s)[word] = uint64(int64(stream.Value[T](v, int(at[i]))))
		}
		return
	}
	values := stream.Values[T](v)
	for i, s := range slots {
		rows.At(s)[word] = uint64(int64(values[at[i]]))
	}
}

// append appends rows of the table to builders, one a column.
func (l *layout) append(part statebackend.Part, slots []statebackend.Slot, to []*stream.Builder) {
	rows := part.Rows()
	for c, word := range l.words {
		b := to[c]
		switch l.columns[l.first+c].Type.Layout() {
		case types.LayoutBit:
			appendColumn(l, rows, slots, c, b, func(_ statebackend.Slot, row []uint64) { b.AppendBool(row[word] != 0) })
		case types.LayoutInt8:
			appendColumn(l, rows, slots, c, b, func(_ statebackend.Slot, row []uint64) { stream.AppendFixed(b, int8(row[word])) })
		case types.LayoutInt16:
			appendColumn(l, rows, slots, c, b, func(_ statebackend.Slot, row []uint64) { stream.AppendFixed(b, int16(row[word])) })
		case types.LayoutInt32, types.LayoutFloat32:
			appendColumn(l, rows, slots, c, b, func(_ statebackend.Slot, row []uint64) { stream.AppendFixed(b, int32(row[word])) })
		case types.LayoutInt128:
			appendColumn(l, rows, slots, c, b, func(_ statebackend.Slot, row []uint64) {
				stream.AppendFixed(b, types.Int128{Lo: row[word], Hi: int64(row[word+1])})
			})
		case types.LayoutBytes:
			appendColumn(l, rows, slots, c, b, func(s statebackend.Slot, _ []uint64) { b.AppendBytes(part.Bytes(l.first+c, s)) })
		default:
			appendColumn(l, rows, slots, c, b, func(_ statebackend.Slot, row []uint64) { stream.AppendFixed(b, int64(row[word])) })
		}
	}
}

func appendColumn(l *layout, rows statebackend.Rows, slots []statebackend.Slot, c int, b *stream.Builder, value func(statebackend.Slot, []uint64)) {
	word, bit := l.nulls+c>>6, uint64(1)<<(c&63)
	for _, s := range slots {
		if row := rows.At(s); row[word]&bit == 0 {
			value(s, row)
			continue
		}
		b.AppendNull()
	}
}

// equal tells whether a row of the table has the columns of a physical row of a batch, bit by bit.
func (l *layout) equal(part statebackend.Part, s statebackend.Slot, b *stream.Batch, i int) bool {
	rows := part.Rows()
	row := rows.At(s)
	for c, word := range l.words {
		v := &b.Columns[c]
		null := row[l.nulls+c>>6]&(1<<(c&63)) != 0
		if v.IsNull(i) != null {
			return false
		}
		if !null && !l.equalValue(part, s, row, c, word, v, i) {
			return false
		}
	}
	return true
}

func (l *layout) equalValue(part statebackend.Part, s statebackend.Slot, row []uint64, c, word int, v *stream.Vector, i int) bool {
	switch v.Type.Layout() {
	case types.LayoutBit:
		return row[word] != 0 == v.Bool(i)
	case types.LayoutInt8:
		return int8(row[word]) == stream.Value[int8](v, i)
	case types.LayoutInt16:
		return int16(row[word]) == stream.Value[int16](v, i)
	case types.LayoutInt32, types.LayoutFloat32:
		return uint32(row[word]) == stream.Value[uint32](v, i)
	case types.LayoutInt128:
		return types.Int128{Lo: row[word], Hi: int64(row[word+1])} == stream.Value[types.Int128](v, i)
	case types.LayoutBytes:
		return bytes.Equal(part.Bytes(l.first+c, s), v.Bytes(i))
	default:
		return row[word] == stream.Value[uint64](v, i)
	}
}
