package ordering_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators/ordering"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file")

// sorted are types of every layout that has an order.
var sorted = []types.Type{
	types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Int), types.Of(types.BigInt).NotNull(),
	types.Of(types.Float), types.Of(types.Double), types.DecimalOf(9, 2), types.DecimalOf(38, 4), types.StringType(),
	types.BytesType(),
	{Kind: types.Char, Nullable: true, Length: 3},
	types.Of(types.Date), types.Of(types.Time), types.TimestampOf(3),
	types.TimestampLTZOf(9), types.Of(types.IntervalDayTime), types.Of(types.IntervalYearMonth),
}

func schemaOf(ts ...types.Type) *types.Schema {
	s := types.NewSchema()
	for i, t := range ts {
		s.Fields = append(s.Fields, types.Field{Name: fmt.Sprintf("c%d", i), Type: t})
	}
	return s
}

// compare is SQL's order of two rows, by the plainest means.
func compare(b *stream.Batch, by []jobgraph.SortColumn, x, y int) int {
	for _, c := range by {
		v := &b.Columns[c.Column]
		a, z := v.IsNull(x), v.IsNull(y)
		switch {
		case a && z:
			continue
		case a != z:
			if a == c.NullsLast {
				return 1
			}
			return -1
		}
		n := compareValues(v, x, y)
		if c.Descending {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

func compareValues(v *stream.Vector, x, y int) int {
	switch v.Type.Layout() {
	case types.LayoutBit:
		return cmp.Compare(fmt.Sprint(v.Bool(x)), fmt.Sprint(v.Bool(y)))
	case types.LayoutInt8:
		return cmp.Compare(stream.Value[int8](v, x), stream.Value[int8](v, y))
	case types.LayoutInt16:
		return cmp.Compare(stream.Value[int16](v, x), stream.Value[int16](v, y))
	case types.LayoutInt32:
		return cmp.Compare(stream.Value[int32](v, x), stream.Value[int32](v, y))
	case types.LayoutInt64:
		return cmp.Compare(stream.Value[int64](v, x), stream.Value[int64](v, y))
	case types.LayoutFloat32:
		return compareFloats(float64(stream.Value[float32](v, x)), float64(stream.Value[float32](v, y)))
	case types.LayoutFloat64:
		return compareFloats(stream.Value[float64](v, x), stream.Value[float64](v, y))
	case types.LayoutInt128:
		return streamtest.BigInt(stream.Value[types.Int128](v, x)).Cmp(streamtest.BigInt(stream.Value[types.Int128](v, y)))
	default:
		return bytes.Compare(v.Bytes(x), v.Bytes(y))
	}
}

// compareFloats has NaN behind everything; -0 equals 0 to Go too.
func compareFloats(x, y float64) int {
	switch {
	case math.IsNaN(x) && math.IsNaN(y):
		return 0
	case math.IsNaN(x):
		return 1
	case math.IsNaN(y):
		return -1
	default:
		return cmp.Compare(x, y)
	}
}

func TestBytesAreInTheOrderOfRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		ts := make([]types.Type, 1+r.IntN(4))
		by := make([]jobgraph.SortColumn, len(ts))
		for i := range ts {
			ts[i] = sorted[r.IntN(len(sorted))]
			by[i] = jobgraph.SortColumn{Column: i, Descending: r.IntN(2) == 0, NullsLast: r.IntN(2) == 0}
		}
		var pool stream.Pool
		b := streamtest.Random(r, &pool, schemaOf(ts...), streamtest.RandomOptions{Rows: 30, NullPercent: 20, ExtremeEvery: 3, Reencode: r.IntN(2) == 0})
		defer b.Release()
		e, err := ordering.NewEncoder(b.Schema, by)
		if err != nil {
			t.Fatal(err)
		}
		var orders statebackend.Orders
		e.Append(b, nil, &orders)
		for i := range b.Rows() {
			for k := range b.Rows() {
				want := compare(b, by, b.Row(i), b.Row(k))
				if got := bytes.Compare(orders.At(i), orders.At(k)); got != want {
					t.Fatalf("%s and %s by %+v: bytes compare as %d (%x, %x), rows as %d",
						streamtest.Row(b, b.Row(i)), streamtest.Row(b, b.Row(k)), by, got, orders.At(i), orders.At(k), want)
				}
			}
			if n := e.Columns(slices.Concat(orders.At(i), []byte{7, 0, 0}), len(by)); n != len(orders.At(i)) {
				t.Fatalf("%x: its columns are said to take %d bytes", orders.At(i), n)
			}
		}
	})
}

// TestGolden holds the bytes, which stand in checkpoints.
func TestGolden(t *testing.T) {
	rows := []struct {
		t    types.Type
		text string
	}{
		{types.Of(types.BigInt), "-9223372036854775808\n-257\n-256\n-1\n0\n1\n255\n256\n9223372036854775807\nNULL"},
		{types.Of(types.Boolean), "FALSE\nTRUE"},
		{types.Of(types.Float), "-1.5\n0\n1.5\nNaN"},
		{types.Of(types.Double), "-Inf\n-1.5\n0\n1.5\n+Inf\nNaN"},
		{types.DecimalOf(38, 0), "-18446744073709551617\n-1\n0\n255\n18446744073709551616"},
		{types.StringType(), "''\n'a'\n'ab'"},
		{types.BytesType(), "X''\nX'00'\nX'0000'\nX'FF'"},
		{types.TimestampOf(3), "1700000000000"},
	}
	var page strings.Builder
	for _, r := range rows {
		var pool stream.Pool
		b := streamtest.Batch(t, &pool, schemaOf(r.t), r.text)
		for _, by := range []jobgraph.SortColumn{{}, {Descending: true, NullsLast: true}} {
			e, err := ordering.NewEncoder(b.Schema, []jobgraph.SortColumn{by})
			if err != nil {
				t.Fatal(err)
			}
			var orders statebackend.Orders
			e.Append(b, []byte{0xAA}, &orders)
			for i := range b.Rows() {
				fmt.Fprintf(&page, "%s %s descending=%v: %s\n", r.t, streamtest.Row(b, i), by.Descending, hex.EncodeToString(orders.At(i)))
			}
		}
		b.Release()
	}
	const name = "testdata/bytes.golden"
	if *rewrite {
		if err := os.WriteFile(name, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := streamtest.Diff(strings.Split(string(want), "\n"), strings.Split(page.String(), "\n"), true); diff != "" {
		t.Errorf("(-golden +got):\n%s", diff)
	}
}

func TestWhatHasNoOrderIsRefused(t *testing.T) {
	s := schemaOf(types.ArrayOf(types.Of(types.Int)), types.Of(types.Int))
	for _, by := range []int{0, 2, -1} {
		if _, err := ordering.NewEncoder(s, []jobgraph.SortColumn{{Column: by}}); err == nil {
			t.Errorf("column %d: no error", by)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, ts := range map[string][]types.Type{
		"bigint":        {types.Of(types.BigInt)},
		"bigint+time":   {types.Of(types.BigInt), types.TimestampOf(3)},
		"string+double": {types.StringType(), types.Of(types.Double)},
	} {
		b.Run(name, func(b *testing.B) {
			var pool stream.Pool
			batch := streamtest.Random(rand.New(rand.NewPCG(1, 1)), &pool, schemaOf(ts...), streamtest.RandomOptions{Rows: stream.RowsMax, ExtremeEvery: 2})
			defer batch.Release()
			by := make([]jobgraph.SortColumn, len(ts))
			for i := range by {
				by[i] = jobgraph.SortColumn{Column: i, Descending: i == 0}
			}
			e, err := ordering.NewEncoder(batch.Schema, by)
			if err != nil {
				b.Fatal(err)
			}
			var orders statebackend.Orders
			tail := make([]byte, 8)
			b.ReportAllocs()
			for b.Loop() {
				orders.Reset()
				e.Append(batch, tail, &orders)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
		})
	}
}
