package columnar

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

var (
	sampleColumns = []statebackend.ColumnSpec{
		{Name: "price", Type: types.DecimalOf(30, 2)},
		{Name: "note", Type: types.StringType()},
		{Name: "small", Type: types.Of(types.SmallInt)},
	}
	sampleMultimap = statebackend.MultimapSpec{
		ID: statebackend.TableID{Operator: "join", Name: "left"}, Keys: []types.Type{types.Of(types.BigInt)}, Columns: sampleColumns,
	}
	sampleOrdered = statebackend.OrderedMapSpec{
		ID: statebackend.TableID{Operator: "top", Name: "rows"}, Keys: []types.Type{types.StringType(), types.Of(types.Int)}, Columns: sampleColumns,
	}
	sampleBroadcast = statebackend.BroadcastSpec{ID: statebackend.TableID{Operator: "rules", Name: "rules"}}
)

// sampleTables are the tables of version 2.
type sampleTables struct {
	multi   statebackend.MultimapTable
	ordered statebackend.OrderedMapTable
	shared  statebackend.BroadcastTable
}

func declareSample(t *testing.T, s statebackend.Store) (x sampleTables) {
	t.Helper()
	var err [3]error
	x.multi, err[0] = s.Multimap(sampleMultimap)
	x.ordered, err[1] = s.OrderedMap(sampleOrdered)
	x.shared, err[2] = s.Broadcast(sampleBroadcast)
	if e := errors.Join(err[:]...); e != nil {
		t.Fatal(e)
	}
	return x
}

// sampleRows returns rows from a number on: NULL in turn, then of it.
func sampleRows(from, n int) *stream.Batch {
	var pool stream.Pool
	schema := &types.Schema{}
	for _, c := range sampleColumns {
		schema.Fields = append(schema.Fields, types.Field{Name: c.Name, Type: c.Type})
	}
	b := pool.NewBatch(schema, n)
	for c := range sampleColumns {
		bu := stream.NewBuilder(&pool, sampleColumns[c].Type, n)
		for i := from; i < from+n; i++ {
			switch {
			case i%4 == c:
				bu.AppendNull()
			case c == 0:
				stream.AppendFixed(bu, types.Int128{Lo: uint64(i), Hi: -1})
			case c == 1:
				bu.AppendString(strings.Repeat("é", i))
			default:
				stream.AppendFixed(bu, int16(-i))
			}
		}
		b.Columns[c] = bu.Finish()
	}
	return b
}

func sampleOrders(n int, prefix string) *statebackend.Orders {
	o := &statebackend.Orders{}
	for i := range n {
		o.Append([]byte(prefix + strings.Repeat("z", n-i)))
	}
	return o
}

// writeSample2 writes a base and a delta of the same content always.
func writeSample2(t *testing.T) (base, delta []byte) {
	t.Helper()
	s := newStore(sampleSpec())
	x := declareSample(t, s)
	keys, texts := sampleKeys(t, 6, sampleMultimap.Keys...), sampleKeys(t, 6, sampleOrdered.Keys...)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(x.multi.Append(keys, sampleRows(0, 6)))
	check(x.multi.Append(keys, sampleRows(6, 6)))
	check(x.ordered.Put(texts, sampleOrders(6, "a"), sampleRows(0, 6)))
	check(x.ordered.Put(texts, sampleOrders(6, "b-longer-than-eight"), sampleRows(6, 6)))
	check(x.shared.Put([]byte("one"), []byte("1")))
	check(x.shared.Put([]byte("two"), nil))
	base = writeFrozen(t, s)
	check(x.multi.DeleteOne(keys, sampleRows(0, 6), nil))
	check(x.multi.Append(keys, sampleRows(12, 6)))
	x.ordered.Delete(texts, sampleOrders(6, "a"), nil)
	check(x.ordered.Put(texts, sampleOrders(6, "b-longer-than-eight"), sampleRows(12, 6)))
	x.shared.Delete([]byte("one"))
	check(x.shared.Put([]byte(""), []byte("0")))
	return base, writeFrozen(t, s)
}

// TestFormatVersion2 reads the files that a program of format version 2 wrote.
// They are never written anew: a change that can't read them needs a version.
func TestFormatVersion2(t *testing.T) {
	base, delta := writeSample2(t)
	if os.Getenv("MILLRACE_REWRITE") == "v2" {
		for name, data := range map[string][]byte{"base": base, "delta": delta} {
			if err := os.WriteFile("testdata/v2-"+name+".mrst", data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	spec := sampleSpec()
	spec.Restore = [][]statebackend.File{sampleChain(t, "v2")}
	s, err := New().Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	x := declareSample(t, s)
	out := statebackend.OrderedRows{}
	var builders []*stream.Builder
	for _, c := range sampleColumns {
		builders = append(builders, stream.NewBuilder(&stream.Pool{}, c.Type, 1))
		out.Columns = append(out.Columns, stream.NewBuilder(&stream.Pool{}, c.Type, 1))
	}
	it := statebackend.MultimapIterator{Keys: sampleKeys(t, 6, sampleMultimap.Keys...)}
	positions, err := x.multi.Next(&it, 100, builders, nil)
	if diff := cmp.Diff([]int32{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}, positions); diff != "" || err != nil {
		t.Errorf("rows of the multimap: %v, %s", err, diff)
	}
	scan := statebackend.OrderedScan{Keys: sampleKeys(t, 6, sampleOrdered.Keys...)}
	if err := x.ordered.Next(&scan, 100, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleOrders(6, "b-longer-than-eight"), &out.Orders); diff != "" {
		t.Errorf("orders of the ordered map: %s", diff)
	}
	for c := range sampleColumns {
		multi, ordered := builders[c].Finish(), out.Columns[c].Finish()
		for i := range 6 {
			sameCell(t, c, &multi, 2*i, 6+i)
			sameCell(t, c, &multi, 2*i+1, 12+i)
			sameCell(t, c, &ordered, i, 12+i)
		}
	}
	var shared []string
	x.shared.Each(func(k, v []byte) bool { shared = append(shared, string(k)+"="+string(v)); return true })
	if diff := cmp.Diff([]string{"=0", "two="}, shared); diff != "" {
		t.Errorf("broadcast map: %s", diff)
	}
}

// sameCell compares a value with that of a row of sampleRows.
func sameCell(t *testing.T, column int, got *stream.Vector, i, row int) {
	t.Helper()
	want := &sampleRows(row, 1).Columns[column]
	switch {
	case want.IsNull(0) || got.IsNull(i):
		if want.IsNull(0) != got.IsNull(i) {
			t.Errorf("column %d of row %d: NULL is %v", column, row, got.IsNull(i))
		}
	case column == 0 && stream.Value[types.Int128](got, i) != stream.Value[types.Int128](want, 0),
		column == 1 && !bytes.Equal(got.Bytes(i), want.Bytes(0)),
		column == 2 && stream.Value[int16](got, i) != stream.Value[int16](want, 0):
		t.Errorf("column %d of row %d differs", column, row)
	}
}

// TestVersion1HasNoNewShapes reads a file that says it is older than what is in it.
func TestVersion1HasNoNewShapes(t *testing.T) {
	base, _ := writeSample2(t)
	base[4] = 1
	spec := sampleSpec()
	spec.Restore = [][]statebackend.File{{bytesFile{"older", resum(base)}}}
	if _, err := New().Open(t.Context(), spec); !errors.Is(err, statebackend.ErrCorrupt) || !strings.Contains(err.Error(), "unknown multimap") {
		t.Error(err)
	}
}
