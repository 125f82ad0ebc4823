package inflight_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/exchange"
	"millrace/exchange/inflight"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "write the sample of the current version anew")

var bids = types.NewSchema(
	types.Field{Name: "auction", Type: types.Of(types.BigInt).NotNull()},
	types.Field{Name: "price", Type: types.Of(types.BigInt)},
	types.Field{Name: "bidder", Type: types.StringType()},
	types.Field{Name: "tags", Type: types.ArrayOf(types.StringType())},
)

// describe prints what was in flight, a line an element.
func describe(edge, from int32, w stream.Watermark, idle bool, elements []stream.Element) string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "edge %d from %d at %d idle=%v\n", edge, from, w, idle)
	for _, e := range elements {
		if e.Kind != stream.RowsElement {
			fmt.Fprintf(&sb, "  %s\n", e)
			continue
		}
		for i := range e.Batch.Rows() {
			fmt.Fprintf(&sb, "  %s %s\n", e.Batch.Kind(e.Batch.Row(i)), streamtest.Row(e.Batch, e.Batch.Row(i)))
		}
	}
	return sb.String()
}

func texts(f *exchange.InFlight) (out string) {
	for _, c := range f.Channels {
		out += describe(c.Edge, c.From, c.Watermark, c.Idle, c.Elements)
	}
	return out
}

// read returns the text of an object, and releases what it held.
func read(pool *stream.Pool, object []byte) (string, error) {
	channels, err := inflight.Open(object)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for i := range channels {
		c := &channels[i]
		var elements []stream.Element
		err := c.Each(pool, func(e stream.Element) error {
			elements = append(elements, e)
			return nil
		})
		out.WriteString(describe(c.Edge, c.From, c.Watermark, c.Idle, elements))
		for _, e := range elements {
			if e.Kind == stream.RowsElement {
				e.Batch.Release()
			}
		}
		if err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

func write(t interface{ Fatal(...any) }, f *exchange.InFlight, pool *stream.Pool) []byte {
	var b bytes.Buffer
	info, err := inflight.Write(&b, f, pool)
	if err != nil {
		t.Fatal(err)
	}
	if info.Bytes != int64(b.Len()) {
		t.Fatal(fmt.Sprintf("%d bytes, said to be %d", b.Len(), info.Bytes))
	}
	return b.Bytes()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var from, to stream.Pool
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		f := &exchange.InFlight{}
		for i := range rapid.IntRange(0, 4).Draw(t, "channels") {
			c := exchange.InFlightChannel{
				Edge: int32(i / 2), From: int32(i % 2), Watermark: stream.Watermark(r.Int64()), Idle: r.IntN(2) == 0,
			}
			for range rapid.IntRange(0, 5).Draw(t, "elements") {
				c.Elements = append(c.Elements, drawElement(t, r, &from))
			}
			f.Channels = append(f.Channels, c)
		}
		want := texts(f)
		got, err := read(&to, write(t, f, &from))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-written +read:\n%s", diff)
		}
		f.Release()
		if from.Live() != 0 || to.Live() != 0 {
			t.Fatalf("%d and %d buffers are out", from.Live(), to.Live())
		}
	})
}

func drawElement(t *rapid.T, r *rand.Rand, pool *stream.Pool) stream.Element {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return stream.WatermarkOf(stream.Watermark(r.Int64()))
	case 1:
		return stream.StatusOf(r.IntN(2) == 0)
	}
	b := streamtest.Random(r, pool, bids, streamtest.RandomOptions{
		Rows: 1 + r.IntN(200), NullPercent: r.IntN(60), Kinds: r.IntN(2) == 0, Reencode: r.IntN(2) == 0,
	})
	if r.IntN(2) == 0 { // half of the rows are selected
		buf := pool.Get(4 * b.Rows())
		n := 0
		for i := 0; i < b.Rows(); i += 2 {
			stream.Int32s(buf)[n] = int32(b.Row(i))
			n++
		}
		b.SetSel(buf, n)
	}
	return stream.RowsOf(b)
}

// sample is what was in flight in the sample of each version.
func sample(pool *stream.Pool) *exchange.InFlight {
	rows := func(text string) stream.Element {
		b, err := streamtest.Parse(pool, bids, text)
		if err != nil {
			panic(err)
		}
		return stream.RowsOf(b)
	}
	return &exchange.InFlight{Checkpoint: 7, Channels: []exchange.InFlightChannel{
		{Edge: 1, From: 0, Watermark: 1000, Elements: []stream.Element{
			rows("+I 1 100 'ada' ['a', 'b']\n-D 2 NULL 'bob' NULL"), stream.WatermarkOf(2000), rows("3 300 NULL []"), stream.StatusOf(true),
		}},
		{Edge: 1, From: 1, Watermark: stream.NoWatermark, Idle: true},
		{Edge: 2, From: 0, Watermark: stream.MaxWatermark, Elements: []stream.Element{stream.StatusOf(false)}},
	}}
}

// TestSamples reads an object that each version of the format wrote. Samples of versions
// that were released are never written anew.
func TestSamples(t *testing.T) {
	var pool stream.Pool
	f := sample(&pool)
	defer f.Release()
	for version := 1; version <= inflight.FormatVersion; version++ {
		path := fmt.Sprintf("testdata/inflight-v%d", version)
		if *rewrite && version == inflight.FormatVersion {
			if err := os.WriteFile(path, write(t, f, &pool), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		object, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(&pool, object)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(texts(f), got); diff != "" {
			t.Errorf("version %d: -want +got:\n%s", version, diff)
		}
		if again := write(t, f, &pool); version == inflight.FormatVersion && !bytes.Equal(again, object) {
			t.Errorf("version %d is written in other bytes now: a change of the layout needs a new version", version)
		}
	}
}

// sealed gives an object that was changed the checksum of its bytes.
func sealed(object []byte) []byte {
	body := object[:len(object)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestWhatWasNotWrittenIsRefused(t *testing.T) {
	var pool stream.Pool
	f := sample(&pool)
	good := write(t, f, &pool)
	f.Release()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, err := read(&pool, bad); err == nil {
			t.Fatalf("byte %d was changed, and nobody noticed", i)
		}
	}
	const firstFrame = 16 + 28 // behind the heads and the schema, whose size stands at 36
	at := firstFrame + int(binary.LittleEndian.Uint32(good[36:]))
	cases := []struct {
		name, want string
		change     func([]byte) []byte
	}{
		{"nothing", "0 bytes", func([]byte) []byte { return nil }},
		{"cut", "checksum", func(b []byte) []byte { return b[:len(b)-9] }},
		{"something else", "does not begin", func(b []byte) []byte { b[0] = 'X'; return sealed(b) }},
		{"version", "format version 2, this build reads version 1", func(b []byte) []byte { b[8] = 2; return sealed(b) }},
		{"channels", "channels in", func(b []byte) []byte { b[15] = 0x7F; return sealed(b) }},
		{"fewer channels", "behind the last channel", func(b []byte) []byte { b[12] = 2; return sealed(b) }},
		{"more channels", "head of a channel", func(b []byte) []byte { b[12] = 4; return sealed(b) }},
		{"number", "head of a channel is wrong", func(b []byte) []byte { b[40] = 5; return sealed(b) }},
		{"schema", "a schema", func(b []byte) []byte { b[39] = 0x7F; return sealed(b) }},
		{"length", "are left", func(b []byte) []byte { b[at+6] = 1; return sealed(b) }},
		{"sequence", "it says that it is frame 9 of channel 0", func(b []byte) []byte { b[at+8+16] = 9; return sealed(b) }},
		{"channel", "it says that it is frame 1 of channel 3", func(b []byte) []byte { b[at+8+4] = 3; return sealed(b) }},
		{"frame version", "frame version 9", func(b []byte) []byte { b[at+8] = 9; return sealed(b) }},
		{"kind", "column", func(b []byte) []byte { b[at+8+64] = 9; return sealed(b) }},
	}
	for _, c := range cases {
		_, err := read(&pool, c.change(bytes.Clone(good)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && c.name != "version" && !errors.Is(err, inflight.ErrCorrupt) {
			t.Errorf("%s: %v is not corrupt", c.name, err)
		}
	}
	if pool.Live() != 0 {
		t.Errorf("%d buffers are out", pool.Live())
	}
}

// FuzzOpen: whatever comes is refused, or can be read to its end, and takes no more
// memory than its bytes are worth.
func FuzzOpen(f *testing.F) {
	var pool stream.Pool
	s := sample(&pool)
	f.Add(write(f, s, &pool))
	s.Release()
	f.Add(write(f, &exchange.InFlight{}, &pool))
	f.Fuzz(func(t *testing.T, object []byte) {
		var pool stream.Pool
		if len(object) > 4 {
			object = sealed(bytes.Clone(object))
		}
		_, _ = read(&pool, object)
		if pool.Live() != 0 {
			t.Errorf("%d buffers are out", pool.Live())
		}
	})
}
