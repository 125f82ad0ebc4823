package exchange

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// tape is a Sender that writes down what it is sent, a line a row or control.
type tape struct {
	lines   []string
	batches []int // rows of each
	credit  int
	closed  bool
	splits  bool // a batch had a split
}

func (s *tape) Credit() int { return s.credit }
func (s *tape) Close()      { s.closed = true }

func (s *tape) Send(e stream.Element) {
	if e.Kind != stream.RowsElement {
		s.lines = append(s.lines, e.String())
		return
	}
	s.batches = append(s.batches, e.Batch.Rows())
	s.splits = s.splits || e.Batch.Split != stream.NoSplit
	for i := range e.Batch.Rows() {
		s.lines = append(s.lines, rowText(e.Batch, e.Batch.Row(i)))
	}
	e.Batch.Release()
}

func tapes(n int) ([]*tape, []Sender) {
	ts, ss := make([]*tape, n), make([]Sender, n)
	for i := range ts {
		ts[i] = &tape{credit: 1}
		ss[i] = ts[i]
	}
	return ts, ss
}

// rowText prints a physical row with its kind and every column.
func rowText(b *stream.Batch, row int) string {
	var sb strings.Builder
	sb.WriteString(b.Kind(row).String())
	for i := range b.Columns {
		sb.WriteByte(' ')
		sb.WriteString(valueText(&b.Columns[i], row))
	}
	return sb.String()
}

func valueText(v *stream.Vector, i int) string {
	if v.IsNull(i) {
		return "null"
	}
	switch v.Type.Layout() {
	case types.LayoutBit:
		return fmt.Sprint(v.Bool(i))
	case types.LayoutInt8:
		return fmt.Sprint(stream.Value[int8](v, i))
	case types.LayoutInt16:
		return fmt.Sprint(stream.Value[int16](v, i))
	case types.LayoutInt32:
		return fmt.Sprint(stream.Value[int32](v, i))
	case types.LayoutInt64:
		return fmt.Sprint(stream.Value[int64](v, i))
	case types.LayoutFloat32:
		return fmt.Sprintf("%x", stream.Value[uint32](v, i))
	case types.LayoutFloat64:
		return fmt.Sprintf("%x", stream.Value[uint64](v, i))
	case types.LayoutInt128:
		return fmt.Sprint(stream.Value[stream.Int128](v, i))
	case types.LayoutBytes:
		return fmt.Sprintf("%q", v.Bytes(i))
	case types.LayoutList:
		var parts []string
		for k := v.Offsets()[i]; k < v.Offsets()[i+1]; k++ {
			parts = append(parts, valueText(v.Child(0), int(k)))
		}
		return fmt.Sprint(parts)
	case types.LayoutStruct:
		return fmt.Sprintf("(%s %s)", valueText(v.Child(0), i), valueText(v.Child(1), i))
	default:
		return "?"
	}
}

// zooSchema has a column of each layout; those from firstNested on can't be keys.
var zooSchema = types.NewSchema(
	types.Field{Name: "id", Type: types.Of(types.BigInt)},
	types.Field{Name: "bool", Type: types.Of(types.Boolean)},
	types.Field{Name: "tiny", Type: types.Of(types.TinyInt)},
	types.Field{Name: "small", Type: types.Of(types.SmallInt)},
	types.Field{Name: "int", Type: types.Of(types.Int)},
	types.Field{Name: "float", Type: types.Of(types.Float)},
	types.Field{Name: "double", Type: types.Of(types.Double)},
	types.Field{Name: "wide", Type: types.DecimalOf(30, 2)},
	types.Field{Name: "string", Type: types.StringType()},
	types.Field{Name: "time", Type: types.TimestampOf(3)},
	types.Field{Name: "list", Type: types.ArrayOf(types.Of(types.Int))},
	types.Field{Name: "row", Type: types.RowOf(
		types.Field{Name: "a", Type: types.Of(types.Int)}, types.Field{Name: "b", Type: types.StringType()})},
)

const firstNested = 10

// appendZoo appends a value that follows from x; few of them, so that keys repeat.
func appendZoo(b *stream.Builder, x int) {
	if x%7 == 3 {
		b.AppendNull()
		return
	}
	switch b.Type().Layout() {
	case types.LayoutBit:
		b.AppendBool(x%2 == 0)
	case types.LayoutInt8:
		stream.AppendFixed(b, int8(x))
	case types.LayoutInt16:
		stream.AppendFixed(b, int16(x*3))
	case types.LayoutInt32:
		stream.AppendFixed(b, int32(x*5))
	case types.LayoutInt64:
		b.AppendInt64(int64(x) << 20)
	case types.LayoutFloat32:
		stream.AppendFixed(b, [4]float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(x)}[x%4])
	case types.LayoutFloat64:
		stream.AppendFixed(b, [4]float64{0, math.Copysign(0, -1), math.NaN(), float64(x)}[x%4])
	case types.LayoutInt128:
		stream.AppendFixed(b, stream.Int128{Lo: uint64(x), Hi: int64(x % 3)})
	case types.LayoutBytes:
		b.AppendString(strings.Repeat("ab", x%5) + fmt.Sprint(x))
	case types.LayoutList:
		for i := range x % 4 {
			stream.AppendFixed(b.Child(0), int32(i+x))
		}
		b.AppendList()
	case types.LayoutStruct:
		appendZoo(b.Child(0), x)
		appendZoo(b.Child(1), x+1)
		b.AppendStruct()
	}
}

// zooBatch draws a batch whose column 0 numbers the rows from first.
func zooBatch(t *rapid.T, pool *stream.Pool, first int) *stream.Batch {
	n := rapid.IntRange(0, 60).Draw(t, "rows")
	b := pool.NewBatch(zooSchema, n)
	seed := rapid.IntRange(0, 50).Draw(t, "seed")
	for c, f := range zooSchema.Fields {
		if c == 0 {
			ids := stream.NewBuilder(pool, f.Type, n)
			for i := range n {
				ids.AppendInt64(int64(first + i))
			}
			b.Columns[0] = ids.Finish()
			continue
		}
		b.Columns[c] = zooColumn(t, pool, f.Type, n, seed+c)
	}
	if rapid.Bool().Draw(t, "kinds") {
		for i := range b.MakeKinds() {
			b.MakeKinds()[i] = stream.RowKind((i + seed) % 4)
		}
	}
	if rapid.Bool().Draw(t, "selection") {
		buf := pool.Get(4 * max(n, 1))
		k := 0
		for i := range n {
			if rapid.Bool().Draw(t, "selected") {
				stream.Int32s(buf)[k] = int32(i)
				k++
			}
		}
		b.SetSel(buf, k)
	}
	b.Split = int32(rapid.IntRange(-1, 2).Draw(t, "split"))
	return b
}

func zooColumn(t *rapid.T, pool *stream.Pool, typ types.Type, n, seed int) stream.Vector {
	values := stream.NewBuilder(pool, typ, 4)
	encoding := rapid.SampledFrom([]stream.Encoding{stream.Flat, stream.Flat, stream.Constant, stream.Dictionary}).Draw(t, "encoding")
	if encoding == stream.Flat || len(typ.Children()) > 0 {
		for i := range n {
			appendZoo(values, (seed+i)%23)
		}
		return values.Finish()
	}
	for i := range 5 {
		appendZoo(values, (seed+i)%23)
	}
	few := values.Finish()
	if encoding == stream.Constant {
		defer few.Release()
		return stream.ConstantOf(pool, &few, seed%5, n)
	}
	indices := pool.Get(4 * max(n, 1))
	for i := range n {
		stream.Int32s(indices)[i] = int32((i*i + seed) % 5)
	}
	return stream.DictionaryOf(typ, indices, n, few)
}

// twinHash deals rows out one at a time.
type twinHash struct {
	keys   []int
	groups int
	lines  [][]string
}

func (h *twinHash) rows(t *rapid.T, pool *stream.Pool, b *stream.Batch) {
	for i := range b.Rows() {
		one := b.Share()
		buf := pool.Get(4)
		stream.Int32s(buf)[0] = int32(b.Row(i))
		one.SetSel(buf, 1)
		reader, err := stream.NewKeyReader(zooSchema, h.keys)
		if err != nil {
			t.Fatal(err)
		}
		group := types.KeyGroupOf(reader.Read(one).Hashes[0], h.groups)
		c := types.SubtaskOf(group, len(h.lines), h.groups)
		h.lines[c] = append(h.lines[c], rowText(b, b.Row(i)))
		one.Release()
	}
}

func (h *twinHash) control(e stream.Element) {
	for c := range h.lines {
		h.lines[c] = append(h.lines[c], e.String())
	}
}

// TestHashOutletEqualsItsTwin: every row once, on its channel, in order, with its
// kind and all its columns; control behind the rows that came before it.
func TestHashOutletEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pool stream.Pool
		n := rapid.IntRange(1, 7).Draw(t, "channels")
		twin := &twinHash{
			keys:   rapid.SliceOfN(rapid.IntRange(0, firstNested-1), 0, 3).Draw(t, "keys"),
			groups: rapid.SampledFrom([]int{7, 100, 128, 32768}).Draw(t, "groups"),
			lines:  make([][]string, n),
		}
		to, senders := tapes(n)
		o, err := NewOutlet(jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: twin.keys}, zooSchema, senders, &pool, twin.groups,
			OutletOptions{
				ShareRowsMin: rapid.SampledFrom([]int{1, 4, 10, 100}).Draw(t, "share"),
				HoldRows:     rapid.SampledFrom([]int{1, 8, 30, 1000}).Draw(t, "hold"),
				HoldBytes:    rapid.SampledFrom([]int{100, 1000, 0}).Draw(t, "hold bytes"),
			})
		if err != nil {
			t.Fatal(err)
		}
		next, dealt := 0, 0
		for i := range rapid.IntRange(1, 8).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				e := stream.WatermarkOf(stream.Watermark(i))
				o.Control(e)
				twin.control(e)
				checkNothingHeld(t, o)
			case 1:
				o.Flush()
				checkNothingHeld(t, o)
			default:
				b := zooBatch(t, &pool, next)
				next += b.Len()
				dealt += b.Rows()
				twin.rows(t, &pool, b)
				if err := o.Rows(b); err != nil {
					t.Fatal(err)
				}
			}
			sent := 0
			for _, s := range to {
				for _, rows := range s.batches {
					sent += rows
				}
			}
			if sent+o.Held() != dealt {
				t.Fatalf("%d rows were sent and %d are held, of %d", sent, o.Held(), dealt)
			}
		}
		o.Control(stream.End())
		twin.control(stream.End())
		o.Close()
		checkTapes(t, to, twin.lines)
		if pool.Live() != 0 {
			t.Fatalf("%d buffers are out", pool.Live())
		}
	})
}

func checkNothingHeld(t *rapid.T, o Outlet) {
	if o.Held() != 0 {
		t.Fatalf("%d rows are held back", o.Held())
	}
}

func checkTapes(t *rapid.T, to []*tape, want [][]string) {
	for c, s := range to {
		if diff := cmp.Diff(want[c], s.lines); diff != "" {
			t.Fatalf("channel %d (-want +got):\n%s", c, diff)
		}
		if s.splits || !s.closed {
			t.Fatalf("channel %d: split kept %v, closed %v", c, s.splits, s.closed)
		}
	}
}

// numbers returns a batch of n rows numbered from first.
func numbers(pool *stream.Pool, first, n int) *stream.Batch {
	b := pool.NewBatch(numberSchema, n)
	b.Columns[0] = stream.NewFixed(pool, numberSchema.Fields[0].Type, n)
	for i := range n {
		stream.Values[int64](&b.Columns[0])[i] = int64(first + i)
	}
	return b
}

var numberSchema = types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)})

func openOutlet(t *testing.T, kind jobgraph.PartitioningKind, pool *stream.Pool, senders []Sender) Outlet {
	t.Helper()
	p := jobgraph.Partitioning{Kind: kind}
	if kind == jobgraph.Hash {
		p.Keys = []int{0}
	}
	o, err := NewOutlet(p, numberSchema, senders, pool, 128, OutletOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestWholeBatchOutlets(t *testing.T) {
	cases := []struct {
		kind jobgraph.PartitioningKind
		want [][]string
	}{
		{jobgraph.Forward, [][]string{{"+I 0", "+I 1", "watermark(5)", "+I 2", "+I 3", "+I 4", "+I 5", "end"}}},
		{jobgraph.Rebalance, [][]string{
			{"+I 0", "+I 1", "watermark(5)", "+I 4", "+I 5", "end"}, {"watermark(5)", "+I 2", "+I 3", "end"},
		}},
		{jobgraph.Broadcast, [][]string{
			{"+I 0", "+I 1", "watermark(5)", "+I 2", "+I 3", "+I 4", "+I 5", "end"},
			{"+I 0", "+I 1", "watermark(5)", "+I 2", "+I 3", "+I 4", "+I 5", "end"},
		}},
	}
	for _, c := range cases {
		t.Run(c.kind.String(), func(t *testing.T) {
			var pool stream.Pool
			to, senders := tapes(len(c.want))
			o := openOutlet(t, c.kind, &pool, senders)
			for i := range 3 {
				b := numbers(&pool, 2*i, 2)
				b.Split = 3
				if err := o.Rows(b); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					o.Control(stream.WatermarkOf(5))
					if err := o.Rows(numbers(&pool, 0, 0)); err != nil { // an empty batch says nothing
						t.Fatal(err)
					}
				}
			}
			o.Flush()
			o.Control(stream.End())
			o.Close()
			for i, s := range to {
				if diff := cmp.Diff(c.want[i], s.lines); diff != "" || s.splits || !s.closed {
					t.Errorf("channel %d: split kept %v, closed %v (-want +got):\n%s", i, s.splits, s.closed, diff)
				}
			}
			if o.Held() != 0 || pool.Live() != 0 {
				t.Errorf("%d rows are held, %d buffers out", o.Held(), pool.Live())
			}
		})
	}
}

// A batch that another outlet still holds keeps its split and its selection.
func TestOutletsLeaveASharedBatchAlone(t *testing.T) {
	var pool stream.Pool
	for _, kind := range []jobgraph.PartitioningKind{jobgraph.Hash, jobgraph.Rebalance, jobgraph.Broadcast} {
		_, senders := tapes(2)
		o := openOutlet(t, kind, &pool, senders)
		b := numbers(&pool, 0, 2000)
		b.Split = 1
		if err := o.Rows(b.Retain()); err != nil {
			t.Fatal(err)
		}
		if b.Split != 1 || b.Sel() != nil || b.Rows() != 2000 {
			t.Errorf("%s changed the batch", kind)
		}
		b.Release()
		o.Close()
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}

func TestLargeSharesAreNotCopiedAndSmallOnesHeld(t *testing.T) {
	var pool stream.Pool
	to, senders := tapes(2)
	o := openOutlet(t, jobgraph.Hash, &pool, senders)
	if err := o.Rows(numbers(&pool, 0, 8192)); err != nil {
		t.Fatal(err)
	}
	if o.Held() != 0 || len(to[0].batches) != 1 || len(to[1].batches) != 1 {
		t.Errorf("large shares: %d held, batches %v and %v", o.Held(), to[0].batches, to[1].batches)
	}
	for i := range 40 {
		if err := o.Rows(numbers(&pool, 100*i, 100)); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range to {
		if n := len(s.batches); n != 2 || s.batches[1] < HoldRows {
			t.Errorf("channel %d: small shares left as %v", i, s.batches[1:])
		}
	}
	o.Close()
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}

func TestReadyNeedsCreditEverywhere(t *testing.T) {
	var pool stream.Pool
	to, senders := tapes(3)
	o := openOutlet(t, jobgraph.Broadcast, &pool, senders)
	if !o.Ready() {
		t.Error("not ready with credit everywhere")
	}
	to[2].credit = 0
	if o.Ready() {
		t.Error("ready without credit on a channel")
	}
}

func TestOutletsThatCannotBe(t *testing.T) {
	var pool stream.Pool
	hash := func(keys ...int) jobgraph.Partitioning { return jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: keys} }
	cases := []struct {
		name     string
		p        jobgraph.Partitioning
		channels int
		groups   int
	}{
		{"no channels", jobgraph.Partitioning{Kind: jobgraph.Broadcast}, 0, 128},
		{"forward to two", jobgraph.Partitioning{Kind: jobgraph.Forward}, 2, 128},
		{"key out of range", hash(99), 2, 128},
		{"negative key", hash(-1), 2, 128},
		{"nested key", hash(firstNested), 2, 128},
		{"fewer groups than channels", hash(0), 3, 2},
		{"too many groups", hash(0), 3, types.MaxMaxParallelism + 1},
		{"unknown", jobgraph.Partitioning{Kind: 99}, 1, 128},
	}
	for _, c := range cases {
		_, senders := tapes(c.channels)
		if _, err := NewOutlet(c.p, zooSchema, senders, &pool, c.groups, OutletOptions{}); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}
