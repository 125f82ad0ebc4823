package stream

import (
	"testing"

	"millrace/types"
)

// A decoder that gives up in the middle of the first list of a column has
// appended elements before the list had an offset.
func TestTruncateDropsElementsOfTheFirstList(t *testing.T) {
	var pool Pool
	row := types.RowOf(types.Field{Name: "l", Type: types.ArrayOf(types.Of(types.BigInt))})
	for name, typ := range map[string]types.Type{"list": row.Fields[0].Type, "list in a row": row} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(&pool, typ, 4)
			defer b.Close()
			list := b
			if typ.Kind == types.Row {
				list = &b.Children()[0]
			}
			list.Child(0).AppendInt64(1)
			b.Truncate(0)
			list.Child(0).AppendInt64(2)
			list.AppendList()
			if typ.Kind == types.Row {
				b.AppendStruct()
			}
			v := b.Finish()
			defer v.Release()
			l := &v
			if typ.Kind == types.Row {
				l = v.Child(0)
			}
			if got := Values[int64](l.Child(0)); len(got) != 1 || got[0] != 2 || l.Offsets()[1] != 1 {
				t.Errorf("list holds %v with offsets %v, want [2]", got, l.Offsets())
			}
		})
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}
