package columnar

import (
	"math"
	"slices"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// stage turns the selected rows of a batch into words (null bits, columns), row
// after row. Of a column of bytes the word stays 0.
func (t *sortedTable) stage(rows *stream.Batch) {
	stride := t.nullWords + t.width
	n := rows.Rows()
	t.staged = slices.Grow(t.staged[:0], n*stride)[:n*stride]
	clear(t.staged)
	if n == 0 {
		return
	}
	for c := range t.columns {
		v := &rows.Columns[c]
		at := t.staged[t.nullWords+t.words[c]:]
		switch t.columns[c].Type.Layout() {
		case types.LayoutBit:
			for i := range n {
				if v.Bool(rows.Row(i)) {
					at[i*stride] = 1
				}
			}
		case types.LayoutInt8:
			stageInts[int8](v, rows, at, stride)
		case types.LayoutInt16:
			stageInts[int16](v, rows, at, stride)
		case types.LayoutInt32:
			stageInts[int32](v, rows, at, stride)
		case types.LayoutFloat32:
			for i := range n {
				at[i*stride] = uint64(math.Float32bits(stream.Value[float32](v, rows.Row(i))))
			}
		case types.LayoutInt128:
			for i := range n {
				x := stream.Value[types.Int128](v, rows.Row(i))
				at[i*stride], at[i*stride+1] = x.Lo, uint64(x.Hi)
			}
		case types.LayoutBytes:
		default:
			stageInts[int64](v, rows, at, stride)
		}
		if v.HasNulls() || v.Encoding == stream.Dictionary {
			t.stageNulls(c, v, rows, stride)
		}
	}
}

func stageInts[T int8 | int16 | int32 | int64](v *stream.Vector, rows *stream.Batch, at []uint64, stride int) {
	for i := range rows.Rows() {
		at[i*stride] = uint64(int64(stream.Value[T](v, rows.Row(i))))
	}
}

// stageNulls marks the NULLs of a column; what stands in their place is 0.
func (t *sortedTable) stageNulls(c int, v *stream.Vector, rows *stream.Batch, stride int) {
	words := 1
	if t.columns[c].Type.Layout() == types.LayoutInt128 {
		words = 2
	}
	for i := range rows.Rows() {
		if v.IsNull(rows.Row(i)) {
			row := t.staged[i*stride : (i+1)*stride]
			row[c>>6] |= 1 << (c & 63)
			clear(row[t.nullWords+t.words[c]:][:words])
		}
	}
}

// fill gives a row the columns of staged row i, whose bytes stand in the batch.
func (t *sortedTable) fill(s Slot, rows *stream.Batch, i int) error {
	stride := t.nullWords + t.width
	row, staged := t.row(s)[sortedFront:], t.staged[i*stride:(i+1)*stride]
	for _, w := range t.byteWord { // kept in place where they fit
		staged[t.nullWords+w] = row[t.nullWords+w]
	}
	copy(row, staged)
	if len(t.byteWord) == 0 {
		return nil
	}
	for c := range t.columns {
		if t.columns[c].Type.Layout() != types.LayoutBytes {
			continue
		}
		if err := t.bytes.set(&row[t.nullWords+t.words[c]], bytesAt(&rows.Columns[c], rows.Row(i))); err != nil {
			return err
		}
	}
	return nil
}

// bytesAt returns the bytes of a row, none of NULL.
func bytesAt(v *stream.Vector, i int) []byte {
	if v.IsNull(i) {
		return nil
	}
	return v.Bytes(i)
}

// equals tells whether a row has the columns of staged row i.
func (t *sortedTable) equals(s Slot, rows *stream.Batch, i int) bool {
	stride := t.nullWords + t.width
	row, staged := t.row(s)[sortedFront:], t.staged[i*stride:(i+1)*stride]
	for _, w := range t.byteWord {
		staged[t.nullWords+w] = row[t.nullWords+w]
	}
	if !slices.Equal(row, staged) {
		return false
	}
	if len(t.byteWord) == 0 {
		return true
	}
	for c := range t.columns {
		if t.columns[c].Type.Layout() == types.LayoutBytes &&
			string(t.bytes.get(row[t.nullWords+t.words[c]])) != string(bytesAt(&rows.Columns[c], rows.Row(i))) {
			return false
		}
	}
	return true
}

// emit appends the columns of rows to builders, one a column.
func (t *sortedTable) emit(slots []Slot, out []*stream.Builder) {
	for c, b := range out {
		t.emitColumn(slots, c, b)
	}
}

// emitColumn appends a column of rows to a builder.
func (t *sortedTable) emitColumn(slots []Slot, c int, b *stream.Builder) {
	at := sortedFront + t.nullWords + t.words[c]
	switch t.columns[c].Type.Layout() {
	case types.LayoutBit:
		emit(t, slots, c, b, func(row []uint64) { b.AppendBool(row[at] != 0) })
	case types.LayoutInt8:
		emit(t, slots, c, b, func(row []uint64) { stream.AppendFixed(b, int8(row[at])) })
	case types.LayoutInt16:
		emit(t, slots, c, b, func(row []uint64) { stream.AppendFixed(b, int16(row[at])) })
	case types.LayoutInt32, types.LayoutFloat32:
		emit(t, slots, c, b, func(row []uint64) { stream.AppendFixed(b, int32(row[at])) })
	case types.LayoutInt128:
		emit(t, slots, c, b, func(row []uint64) {
			stream.AppendFixed(b, types.Int128{Lo: row[at], Hi: int64(row[at+1])})
		})
	case types.LayoutBytes:
		emit(t, slots, c, b, func(row []uint64) { b.AppendBytes(t.bytes.get(row[at])) })
	default:
		emit(t, slots, c, b, func(row []uint64) { stream.AppendFixed(b, int64(row[at])) })
	}
}

// emit appends a column of rows, NULL where it is.
func emit(t *sortedTable, slots []Slot, c int, b *stream.Builder, value func(row []uint64)) {
	word, bit := sortedFront+c>>6, uint64(1)<<(c&63)
	for _, s := range slots {
		row := t.row(s)
		if row[word]&bit != 0 {
			b.AppendNull()
			continue
		}
		value(row)
	}
}

// columnsFit tells whether declared columns are the restored ones.
func columnsFit(id statebackend.TableID, have, want []statebackend.ColumnSpec) error {
	for i := range max(len(have), len(want)) {
		switch {
		case i >= len(have):
			return mismatch(id, "the snapshot lacks column %s", want[i].Name)
		case i >= len(want):
			return mismatch(id, "the snapshot has a column %s more", have[i].Name)
		case have[i].Name != want[i].Name:
			return mismatch(id, "column %s is %s in the snapshot", want[i].Name, have[i].Name)
		case !have[i].Type.EqualIgnoringNull(want[i].Type):
			return mismatch(id, "column %s is %s, in the snapshot %s", want[i].Name, want[i].Type.NotNull(), have[i].Type.NotNull())
		case have[i].NullOf != "" && want[i].NullOf != "" && have[i].NullOf != want[i].NullOf: // files may say nothing of it
			return mismatch(id, "column %s says whether %s is NULL, in the snapshot whether %s is", want[i].Name, want[i].NullOf, have[i].NullOf)
		}
	}
	return nil
}
