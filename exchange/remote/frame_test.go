package remote

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"pgregory.net/rapid"

	"millrace/exchange/frame"
	"millrace/failure"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// zoo has a column of each layout, nested ones among them.
var zoo = types.NewSchema(
	types.Field{Name: "bool", Type: types.Of(types.Boolean)},
	types.Field{Name: "tiny", Type: types.Of(types.TinyInt)},
	types.Field{Name: "small", Type: types.Of(types.SmallInt)},
	types.Field{Name: "int", Type: types.Of(types.Int)},
	types.Field{Name: "big", Type: types.Of(types.BigInt).NotNull()},
	types.Field{Name: "float", Type: types.Of(types.Float)},
	types.Field{Name: "double", Type: types.Of(types.Double)},
	types.Field{Name: "narrow", Type: types.DecimalOf(10, 2)},
	types.Field{Name: "wide", Type: types.DecimalOf(30, 2)},
	types.Field{Name: "string", Type: types.StringType()},
	types.Field{Name: "bytes", Type: types.BytesType()},
	types.Field{Name: "time", Type: types.TimestampOf(3)},
	types.Field{Name: "nothing", Type: types.Of(types.Null)},
	types.Field{Name: "list", Type: types.ArrayOf(types.StringType())},
	types.Field{Name: "map", Type: types.MapOf(types.StringType(), types.Of(types.Int))},
	types.Field{Name: "row", Type: types.RowOf(
		types.Field{Name: "a", Type: types.Of(types.Int)}, types.Field{Name: "b", Type: types.ArrayOf(types.Of(types.Double))})},
)

// wire carries batches from an encoder to a decoder.
type wire struct {
	from, to stream.Pool
	compact  frame.Compactor
	encode   encoder
	decode   frame.Decoder
	frames   [][]byte
}

func newWire() *wire {
	w := &wire{}
	w.compact.Pool, w.encode.flight, w.decode.Pool = &w.from, newFlight(&w.from), &w.to
	return w
}

// carry returns what arrives of a batch, which it takes over.
func (w *wire) carry(b *stream.Batch) ([]*stream.Batch, error) {
	var out []*stream.Batch
	w.frames = nil
	schema := b.Schema
	err := w.compact.Each(b, func(b *stream.Batch) error {
		m, err := w.encode.rows(frame.Header{Channel: 1, Attempt: 2, Sequence: 3, Value: 4}, b)
		if err != nil {
			return err
		}
		m.taken = true // as grpc does
		raw := m.slice.Materialize()
		m.slice.Free()
		m.sent()
		w.frames = append(w.frames, frameOf(raw))
		got, err := decodeFrame(&w.decode, schema, w.frames[len(w.frames)-1])
		if err == nil {
			out = append(out, got)
		}
		return err
	})
	return out, err
}

// frameOf cuts the prefix off a message.
func frameOf(message []byte) []byte {
	_, k := binary.Uvarint(message[1:])
	return message[1+k:]
}

// decodeFrame reads a frame that lies in pieces.
func decodeFrame(d *frame.Decoder, s *types.Schema, raw []byte) (*stream.Batch, error) {
	h, err := frame.Parse(raw, len(raw))
	if err != nil {
		return nil, err
	}
	if h.Kind != stream.RowsElement {
		return nil, failure.Internalf("control")
	}
	var pieces mem.BufferSlice
	for p := range slices.Chunk(raw, 1000) {
		pieces = append(pieces, mem.SliceBuffer(p))
	}
	from := newCursor(pieces)
	from.Skip(frame.HeaderBytes)
	return d.Rows(&h, s, &from)
}

func texts(batches ...*stream.Batch) []string {
	var out []string
	for _, b := range batches {
		for i := range b.Rows() {
			var line strings.Builder
			line.WriteString(b.Kind(b.Row(i)).String())
			for c := range b.Columns {
				line.WriteString(" " + streamtest.Value(&b.Columns[c], b.Row(i)))
			}
			out = append(out, line.String())
		}
	}
	return out
}

func TestBatchesSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWire()
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		b := streamtest.Random(r, &w.from, zoo, streamtest.RandomOptions{
			Rows:         rapid.SampledFrom([]int{0, 1, 2, 7, 64, 65, 300}).Draw(t, "rows"),
			NullPercent:  rapid.SampledFrom([]int{0, 30, 100}).Draw(t, "nulls"),
			ExtremeEvery: 5, Kinds: rapid.Bool().Draw(t, "kinds"), Reencode: rapid.Bool().Draw(t, "reencode"),
		})
		if rapid.Bool().Draw(t, "select") {
			selectSome(r, b)
		}
		want := texts(b)
		got, err := w.carry(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, texts(got...)); diff != "" {
			t.Fatalf("-sent +received:\n%s", diff)
		}
		for _, b := range got {
			if b.Split != stream.NoSplit {
				t.Fatalf("split %d", b.Split)
			}
			b.Release()
		}
		if w.from.Live() != 0 || w.to.Live() != 0 {
			t.Fatalf("%d and %d buffers are out", w.from.Live(), w.to.Live())
		}
	})
}

// selectSome gives the batch a selection of about a random share of its rows.
func selectSome(r *rand.Rand, b *stream.Batch) {
	share := r.Float64()
	buf := b.Pool().Get(4 * max(b.Rows(), 1))
	k := 0
	for i := range b.Rows() {
		if r.Float64() < share {
			stream.Int32s(buf)[k] = int32(b.Row(i))
			k++
		}
	}
	b.SetSel(buf, k)
}

// A frame's layout is spoken between versions: these bytes never change while
// FrameVersion is 2.
func TestGoldenFrame(t *testing.T) {
	w := newWire()
	schema := types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)}, types.Field{Name: "s", Type: types.StringType()})
	b, err := streamtest.Parse(&w.from, schema, "+I 1 'one'\n-U 2 NULL\n+U NULL 'three'\n")
	if err != nil {
		t.Fatal(err)
	}
	sel := w.from.Get(12)
	copy(stream.Int32s(sel), []int32{0, 1, 2})
	b.SetSel(sel, 3)
	clearUnused(b)
	got, err := w.carry(b)
	if err != nil {
		t.Fatal(err)
	}
	defer got[0].Release()
	text := hex.Dump(w.frames[0])
	for _, e := range []stream.Element{
		stream.WatermarkOf(-5), stream.StatusOf(true), stream.BarrierOf(stream.Barrier{ID: 9, Kind: stream.Savepoint, Triggered: 0x1122334455667788}), stream.End(),
	} {
		h := frame.ControlHeader(e)
		h.Channel, h.Attempt, h.Sequence = 7, 8, 9
		m := w.encode.control(h)
		text += e.String() + "\n" + hex.Dump(frameOf(m.slice.Materialize()))
		m.sent()
	}
	const path = "testdata/frame.golden"
	if *rewrite {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"+I 1 'one'", "-U 2 NULL", "+U NULL 'three'"}, texts(got...)); diff != "" {
		t.Error(diff)
	}
}

// clearUnused makes the bytes that mean nothing the same in every run.
func clearUnused(b *stream.Batch) {
	for c := range b.Columns {
		v := &b.Columns[c]
		for i := range v.Len() {
			if v.IsNull(i) && v.Type.Layout() == types.LayoutInt64 {
				stream.Values[int64](v)[i] = 0
			}
		}
	}
}

func TestLargeBatchesAreCut(t *testing.T) {
	w := newWire()
	schema := types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)}, types.Field{Name: "s", Type: types.StringType()})
	b := w.from.NewBatch(schema, 200)
	n, s := stream.NewBuilder(&w.from, schema.Fields[0].Type, 200), stream.NewBuilder(&w.from, schema.Fields[1].Type, 200)
	for i := range 200 {
		n.AppendInt64(int64(i))
		s.AppendString(strings.Repeat("x", 50_000))
	}
	b.Columns[0], b.Columns[1] = n.Finish(), s.Finish()
	got, err := w.carry(b)
	if err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for _, p := range got {
		if size := p.SizeBytes(); size > frame.CutBytes {
			t.Errorf("a piece of %d bytes", size)
		}
		for i := range p.Rows() {
			if v := stream.Value[int64](&p.Columns[0], i); v != next {
				t.Fatalf("row %d where %d is due", v, next)
			}
			next++
		}
		p.Release()
	}
	if len(got) < 2 || next != 200 || w.from.Live() != 0 || w.to.Live() != 0 {
		t.Errorf("%d pieces, %d rows, %d and %d buffers are out", len(got), next, w.from.Live(), w.to.Live())
	}
}

// A dictionary that is larger than its rows would be does not travel.
func TestLargeDictionariesAreFlattened(t *testing.T) {
	w := newWire()
	schema := types.NewSchema(types.Field{Name: "s", Type: types.StringType()})
	dict := stream.NewBuilder(&w.from, schema.Fields[0].Type, 1000)
	for range 1000 {
		dict.AppendString("some text that takes room")
	}
	indices := w.from.Get(8)
	stream.Int32s(indices)[0], stream.Int32s(indices)[1] = 5, 999
	b := w.from.NewBatch(schema, 2)
	b.Columns[0] = stream.DictionaryOf(schema.Fields[0].Type, indices, 2, dict.Finish())
	got, err := w.carry(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(w.frames[0]); n > 512 || got[0].Columns[0].Encoding != stream.Flat {
		t.Errorf("a frame of %d bytes, encoding %d", n, got[0].Columns[0].Encoding)
	}
	got[0].Release()
}

func TestFramesThatCannotBe(t *testing.T) {
	w := newWire()
	schema := types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)}, types.Field{Name: "s", Type: types.StringType()})
	b, err := streamtest.Parse(&w.from, schema, "+I 1 'one'\n-U 2 'two'\n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.carry(b)
	if err != nil {
		t.Fatal(err)
	}
	got[0].Release()
	good := w.frames[0]
	h, err := frame.Parse(good, len(good))
	if err != nil {
		t.Fatal(err)
	}
	lengths := frame.HeaderBytes + 8*int(binary.LittleEndian.Uint32(good[40:]))
	cases := []struct {
		name, want string
		change     func(f []byte) []byte
	}{
		{"empty", "no header", func([]byte) []byte { return nil }},
		{"short", "its header says", func(f []byte) []byte { return f[:len(f)-1] }},
		{"long", "its header says", func(f []byte) []byte { return append(f, 0) }},
		{"version", "frame version 1, want 2", func(f []byte) []byte { f[0] = 1; return f }},
		{"kind", "kind 9", func(f []byte) []byte { f[1] = 9; return f }},
		{"flags", "flags 0x80", func(f []byte) []byte { f[2] = 0x80; return f }},
		{"rows", "rows, the limit", func(f []byte) []byte { f[34] = 0xFF; return f }},
		{"selected", "rows, the limit", func(f []byte) []byte { f[36] = 3; return f }},
		{"nodes", "vectors", func(f []byte) []byte { f[43] = 0x7F; return f }},
		{"body", "the limit is", func(f []byte) []byte { f[52] = 1; return f }},
		{"unknown", "unknown fields", func(f []byte) []byte { f[60] = 1; return f }},
		{"lengths", "in a body of", func(f []byte) []byte { f[lengths] = 0xFF; return f }},
		{"encoding", "column n BIGINT: encoding 7", func(f []byte) []byte { f[frame.HeaderBytes] = 7; return f }},
		{"column's rows", "column n BIGINT: 1 rows of 2", func(f []byte) []byte { f[frame.HeaderBytes+4] = 1; return f }},
		{"offset", "column s STRING: offset", func(f []byte) []byte {
			f[h.BodyAt()+64+8+1] = 9
			return f
		}},
		{"row kind", "row kinds: RowKind(8)", func(f []byte) []byte { f[h.BodyAt()+3*64] = 8; return f }},
	}
	for _, c := range cases {
		f := c.change(slices.Clone(good))
		got, err := decodeFrame(&w.decode, schema, f)
		if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err) != (failure.Class{}) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
			got.Release()
		}
	}
	wrong := types.NewSchema(types.Field{Name: "a", Type: types.Of(types.BigInt)})
	if _, err := decodeFrame(&w.decode, wrong, good); err == nil || !strings.Contains(err.Error(), "more than the schema") {
		t.Errorf("too many columns: %v", err)
	}
	other := types.NewSchema(types.Field{Name: "a", Type: types.StringType()}, types.Field{Name: "b", Type: types.StringType()})
	if _, err := decodeFrame(&w.decode, other, good); err == nil || !strings.Contains(err.Error(), "column a STRING") {
		t.Errorf("another column: %v", err)
	}
	if _, err := decodeFrame(&w.decode, nil, good); err == nil {
		t.Error("rows without a schema")
	}
	if w.to.Live() != 0 {
		t.Errorf("%d buffers are out", w.to.Live())
	}
}

// FuzzFrame: whatever comes is refused or is a batch that can be read to its end.
func FuzzFrame(f *testing.F) {
	w := newWire()
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 12 {
		b := streamtest.Random(r, &w.from, zoo, streamtest.RandomOptions{Rows: i, NullPercent: 20, Kinds: i%2 == 0, Reencode: i%3 == 0})
		got, err := w.carry(b)
		if err != nil {
			f.Fatal(err)
		}
		for _, b := range got {
			b.Release()
		}
		for _, raw := range w.frames {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var pool stream.Pool
		d := frame.Decoder{Pool: &pool}
		b, err := decodeFrame(&d, zoo, raw)
		if err == nil {
			touch(b)
			if n := pool.LiveBytes(); n > int64(8*len(raw)+256*256) {
				t.Errorf("%d bytes of memory for a frame of %d", n, len(raw))
			}
			b.Release()
		}
		if pool.Live() != 0 {
			t.Errorf("%d buffers are out", pool.Live())
		}
	})
}

// touch reads the values of each column, nested ones without what is inside of them:
// constants there make much of few bytes.
func touch(b *stream.Batch) {
	for c := range b.Columns {
		v := &b.Columns[c]
		if v.Encoding == stream.Dictionary {
			for i := range v.Len() {
				_ = v.IsNull(i)
			}
			v = v.Dict()
		}
		for i := range v.Physical() {
			if v.NumChildren() > 0 {
				_ = v.IsNull(i)
			} else {
				_ = streamtest.Value(v, i)
			}
		}
	}
	for i := range b.Rows() {
		_ = b.Kind(b.Row(i))
	}
}

// FuzzMessage: whatever a stream carries is a frame, a message or refused.
func FuzzMessage(f *testing.F) {
	f.Add([]byte{frameTag, 0})
	f.Add([]byte{frameTag, 64, frame.Version})
	f.Add([]byte{0x1a, 2, 8, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		u := &upward{frame: func(from *cursor, n int) error {
			if n != from.left {
				t.Errorf("a frame of %d bytes, %d are there", n, from.left)
			}
			return nil
		}}
		if err := u.read(mem.BufferSlice{mem.SliceBuffer(data)}); err != nil && failure.ClassOf(err).Domain != failure.DomainInternal {
			t.Error(err)
		}
	})
}
