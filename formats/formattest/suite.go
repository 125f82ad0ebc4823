package formattest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// Format is what Run tests.
type Format struct {
	NewDecoder func(*types.Schema) (formats.Decoder, error)
	NewEncoder func(*types.Schema) (formats.Encoder, error)
	// Schemas are some that the format can express; every check runs on each.
	Schemas []*types.Schema
	// Bad are payloads that are no record under any of the schemas. A format
	// that takes all bytes has none.
	Bad [][]byte
}

const (
	rowsOfCase = 40
	seeds      = 4
)

// Run checks that the format keeps the contract of package formats: what was
// encoded is decoded to equal rows, in pieces of any size, from any encoding of
// the vectors; a bad record is named and leaves no trace; a missing payload
// yields no row; arbitrary bytes do no harm; no buffer leaks.
func Run(t *testing.T, f Format) {
	for s, schema := range f.Schemas {
		t.Run(fmt.Sprintf("schema%d", s), func(t *testing.T) {
			c := &conformance{Format: f, schema: schema}
			t.Run("round trip", c.each(c.roundTrip))
			t.Run("pieces", c.each(c.pieces))
			t.Run("vector encodings", c.each(c.vectorEncodings))
			t.Run("bad record at each place", c.each(c.badRecord))
			t.Run("missing payloads", c.each(c.missingPayloads))
			t.Run("garbage", c.each(c.garbage))
		})
	}
}

// conformance is one schema under test; each check gets its own pool and seed.
type conformance struct {
	Format
	schema *types.Schema
}

func (c *conformance) each(check func(*testing.T, *stream.Pool, *rand.Rand)) func(*testing.T) {
	return func(t *testing.T) {
		for seed := range uint64(seeds) {
			pool := &stream.Pool{}
			check(t, pool, rand.New(rand.NewPCG(seed, 1)))
			if n := pool.Live(); n != 0 {
				t.Errorf("seed %d: %d buffers or batches leak", seed, n)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func (c *conformance) decoder(t *testing.T) formats.Decoder {
	t.Helper()
	d, err := c.NewDecoder(c.schema)
	if err != nil {
		t.Fatalf("decoder of %s: %v", c.schema, err)
	}
	return d
}

// encode returns a payload for each selected row.
func (c *conformance) encode(t *testing.T, b *stream.Batch) [][]byte {
	t.Helper()
	e, err := c.NewEncoder(c.schema)
	if err != nil {
		t.Fatalf("encoder of %s: %v", c.schema, err)
	}
	var out formats.Payloads
	if err := e.Encode(b, &out); err != nil {
		t.Fatalf("encode: %v", err)
	}
	if out.Len() != b.Rows() {
		t.Fatalf("%d payloads of %d rows", out.Len(), b.Rows())
	}
	payloads := make([][]byte, out.Len())
	for i := range payloads {
		payloads[i] = out.At(i)
	}
	return payloads
}

// finish prints the rows and empties them.
func finish(rows *formats.Rows) []string {
	b := rows.Finish()
	defer b.Release()
	return Print(b)
}

func (c *conformance) random(pool *stream.Pool, rng *rand.Rand) *stream.Batch {
	return RandomBatch(pool, c.schema, rowsOfCase, rng)
}

func (c *conformance) roundTrip(t *testing.T, pool *stream.Pool, rng *rand.Rand) {
	b := c.random(pool, rng)
	defer b.Release()
	c.decodesTo(t, pool, b, c.encode(t, b))
}

// decodesTo decodes the payloads at once, which must give the rows of b.
func (c *conformance) decodesTo(t *testing.T, pool *stream.Pool, b *stream.Batch, payloads [][]byte) {
	t.Helper()
	rows := formats.NewRows(pool, c.schema, 1) // less than comes: columns grow
	defer rows.Close()
	if n, err := c.decoder(t).Decode(payloads, rows, stream.RowsMax); n != len(payloads) || err != nil {
		t.Fatalf("decoded %d of %d: %v\n%q", n, len(payloads), err, payloads[min(n, len(payloads)-1)])
	}
	if diff := cmp.Diff(Print(b), finish(rows)); diff != "" {
		t.Error(diff)
	}
}

// pieces decodes a list of payloads with every small rowsMax, and cut in two
// at many places, with one decoder.
func (c *conformance) pieces(t *testing.T, pool *stream.Pool, rng *rand.Rand) {
	b := c.random(pool, rng)
	defer b.Release()
	payloads, want := c.encode(t, b), Print(b)
	d := c.decoder(t)
	rows := formats.NewRows(pool, c.schema, 8)
	defer rows.Close()
	for rowsMax := 1; rowsMax <= len(want); rowsMax += 1 + rowsMax/4 {
		var got []string
		for left := payloads; len(left) > 0; {
			n, err := d.Decode(left, rows, rowsMax)
			if err != nil || n == 0 || rows.Len() > rowsMax {
				t.Fatalf("rows at most %d: %d done, %d rows, %v", rowsMax, n, rows.Len(), err)
			}
			left, got = left[n:], append(got, finish(rows)...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("rows at most %d: %s", rowsMax, diff)
		}
	}
	for cut := 0; cut < len(payloads); cut += 1 + rng.IntN(4) {
		for _, part := range [][][]byte{payloads[:cut], payloads[cut:]} {
			if n, err := d.Decode(part, rows, stream.RowsMax); n != len(part) || err != nil {
				t.Fatalf("cut at %d: %d of %d, %v", cut, n, len(part), err)
			}
		}
		if diff := cmp.Diff(want, finish(rows)); diff != "" {
			t.Fatalf("cut at %d: %s", cut, diff)
		}
	}
}

// vectorEncodings encodes one meaning in several vector encodings and under a
// selection.
func (c *conformance) vectorEncodings(t *testing.T, pool *stream.Pool, rng *rand.Rand) {
	source := c.random(pool, rng)
	defer source.Release()
	b := pool.NewBatch(c.schema, source.Len())
	defer b.Release()
	for i := range b.Columns {
		v := &source.Columns[i]
		switch rng.IntN(3) {
		case 0:
			b.Columns[i] = stream.ConstantOf(pool, v, rng.IntN(v.Len()), v.Len())
		case 1:
			v.Retain()
			indices := pool.Get(4 * v.Len())
			for k := range v.Len() {
				stream.Int32s(indices)[k] = rng.Int32N(int32(v.Len()))
			}
			b.Columns[i] = stream.DictionaryOf(v.Type, indices, v.Len(), *v)
		default:
			v.Retain()
			b.Columns[i] = *v
		}
	}
	sel, n := pool.Get(4*b.Len()), 0
	for i := range b.Len() {
		if rng.IntN(2) == 0 {
			stream.Int32s(sel)[n] = int32(i)
			n++
		}
	}
	b.SetSel(sel, n)
	c.decodesTo(t, pool, b, c.encode(t, b))
}

func (c *conformance) badRecord(t *testing.T, pool *stream.Pool, rng *rand.Rand) {
	b := c.random(pool, rng)
	defer b.Release()
	payloads, want := c.encode(t, b), Print(b)
	d := c.decoder(t)
	rows := formats.NewRows(pool, c.schema, 8)
	defer rows.Close()
	for _, bad := range c.Bad {
		for at := 0; at <= len(payloads); at += 1 + rng.IntN(12) {
			n, err := d.Decode(append(payloads[:at:at], bad), rows, stream.RowsMax)
			var record *formats.RecordError
			if n != at || !errors.As(err, &record) || rows.Len() != at {
				t.Fatalf("bad record %q at %d: %d done, %d rows, %v", bad, at, n, rows.Len(), err)
			}
			if record.Offset < 0 || record.Offset > len(bad) || record.Reason == "" {
				t.Fatalf("bad record %q: %+v", bad, record)
			}
			if _, err := d.Decode(payloads[at:], rows, stream.RowsMax); err != nil {
				t.Fatalf("behind bad record %q: %v", bad, err)
			}
			if diff := cmp.Diff(want, finish(rows)); diff != "" {
				t.Fatalf("bad record %q at %d: %s", bad, at, diff)
			}
		}
	}
}

func (c *conformance) missingPayloads(t *testing.T, pool *stream.Pool, rng *rand.Rand) {
	b := c.random(pool, rng)
	defer b.Release()
	var payloads [][]byte
	for _, p := range c.encode(t, b) {
		for range rng.IntN(3) {
			payloads = append(payloads, nil)
		}
		payloads = append(payloads, p)
	}
	payloads = append(payloads, nil)
	c.decodesTo(t, pool, b, payloads)
}

// garbage decodes damaged payloads: each is a row or an error, all columns stay
// of one length, and the good records between them are as they should be.
func (c *conformance) garbage(t *testing.T, pool *stream.Pool, rng *rand.Rand) {
	b := c.random(pool, rng)
	defer b.Release()
	payloads, want := c.encode(t, b), Print(b)
	d := c.decoder(t)
	rows := formats.NewRows(pool, c.schema, 8)
	defer rows.Close()
	for range 10 * len(payloads) {
		k := rng.IntN(len(payloads))
		before := rows.Len()
		n, err := d.Decode([][]byte{damaged(payloads[k], rng), payloads[k]}, rows, stream.RowsMax)
		if err != nil {
			var record *formats.RecordError
			if !errors.As(err, &record) || n != 0 || rows.Len() != before {
				t.Fatalf("%d done, %d rows of %d, %v", n, rows.Len(), before, err)
			}
			_, err = d.Decode(payloads[k:k+1], rows, stream.RowsMax)
		}
		if err != nil {
			t.Fatalf("good record behind a damaged one: %v", err)
		}
		got := finish(rows)
		if len(got) == 0 || got[len(got)-1] != want[k] {
			t.Fatal(cmp.Diff(want[k:k+1], got))
		}
	}
}

// damaged returns a copy of p with some bytes replaced, cut out or doubled.
func damaged(p []byte, rng *rand.Rand) []byte {
	q := append([]byte(nil), p...)
	for range 1 + rng.IntN(3) {
		if len(q) == 0 {
			return q
		}
		i := rng.IntN(len(q))
		j := i + rng.IntN(min(len(q)-i, 16)+1)
		switch rng.IntN(4) {
		case 0:
			q[i] = byte(rng.Uint32())
		case 1:
			q = append(q[:i:i], q[j:]...)
		case 2:
			q = append(q[:j:j], q[i:]...)
		default:
			q = q[:i]
		}
	}
	return q
}
