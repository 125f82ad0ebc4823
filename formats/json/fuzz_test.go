package json

import (
	"bytes"
	oracle "encoding/json"
	"io"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"millrace/formats"
	"millrace/formats/formattest"
	"millrace/stream"
	"millrace/types"
)

// fuzzSchema has a column that takes any value, so that everything under key s
// is parsed in full, and columns that most values don't convert to.
var fuzzSchema = types.NewSchema(
	types.Field{Name: "s", Type: types.StringType()},
	types.Field{Name: "i", Type: types.Of(types.BigInt)},
	types.Field{Name: "r", Type: types.RowOf(types.Field{Name: "s", Type: types.StringType()}, types.Field{Name: "m", Type: types.MapOf(types.StringType(), types.StringType())})},
	types.Field{Name: "l", Type: types.ArrayOf(types.StringType())},
)

// FuzzDecode compares the decoder with encoding/json on arbitrary bytes: what
// is refused as malformed here is malformed there, and what both read is the
// same. Not the other way round: unread fields are not looked at closely.
// FuzzCompact has the parser that does look.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		bid, `{}`, `{"s":"x","i":1,"r":{"s":null,"m":{"a":"b"}},"l":["x",1,{}]}`, `{"s":{"a":[1,2.5e3,"\u00e9"]},"s":"\ud83d\ude00"}`,
		"{\"s\":\"a\xffb\"}", `{"r":{"m":{"a":1,"a":2},"s":1},"r":{}}`, ` {"i" : "12" , "z" : [{"}":"]"}] } `, `{"i":-1.5e+3,"l":null}`, `{"s":"\"\\\/\b\f\n\r\t"}`,
		`{"s":1}{"s":2}`, `[{"s":1}]`, `nul`, `{"s":tru}`, `{"l":[[[[]]]]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) == 0 {
			return
		}
		value, wellFormed := oracleDecode(p)
		for _, opts := range []Options{{}, {IgnoreParseErrors: true}} {
			checkDecode(t, p, opts, value, wellFormed)
		}
	})
}

// oracleDecode returns the object in p, nil if p is not exactly one.
func oracleDecode(p []byte) (value map[string]any, wellFormed bool) {
	d := oracle.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	if d.Decode(&value) != nil || value == nil {
		return nil, false
	}
	_, err := d.Token()
	return value, err == io.EOF
}

func checkDecode(t *testing.T, p []byte, opts Options, value map[string]any, wellFormed bool) {
	d, err := NewDecoder(fuzzSchema, opts)
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	rows := formats.NewRows(&pool, fuzzSchema, 1)
	n, err := d.Decode([][]byte{p}, rows, 1)
	if (err == nil) != (n == 1) {
		t.Fatalf("%d done, %v", n, err)
	}
	refused := err != nil || rows.Len() == 0
	if refused && wellFormed && d.fault.syntax && d.fault.reason != "nested too deeply" {
		t.Fatalf("%q is well-formed, refused: %+v", p, d.fault)
	}
	b := rows.Finish()
	if !refused && wellFormed && utf8.Valid(p) && !bytes.Contains(p, []byte(`\u`)) {
		if want, ok := value["s"].(string); ok && want != string(b.Columns[0].Bytes(0)) {
			t.Fatalf("%q: text %q, want %q", p, b.Columns[0].Bytes(0), want)
		}
		if want, ok := value["i"].(oracle.Number); ok && opts == (Options{}) && !bytes.ContainsAny([]byte(want), ".eE") {
			if got := string(appendInt(nil, stream.Value[int64](&b.Columns[1], 0))); got != string(want) && want != "-0" {
				t.Fatalf("%q: number %s, want %s", p, got, want)
			}
		}
	}
	for i := range b.Columns {
		checkUTF8(t, &b.Columns[i])
	}
	b.Release()
	if pool.Live() != 0 {
		t.Fatalf("%q: %d buffers leak", p, pool.Live())
	}
}

// FuzzCompact compares the one parser that looks at every byte with
// encoding/json: both take the same texts, and what is written is well-formed,
// in valid UTF-8, and compact already.
func FuzzCompact(f *testing.F) {
	for _, seed := range []string{
		`[]`, `{}`, `{"a":[1,-0,0.5,1e3,1E-7,"x\n\u0041\ud83d\ude00\ud83d"],"b":{"c":null}}`, " [ true , false\n,\tnull ] ", `[1,]`, `{"a"}`, `[01]`, `[1e]`, `[-]`,
		"[\"\x01\"]", "[\"\xff\"]", `[1e999,123456789012345678901234567890]`, `[tru]`, `{"a":1,"a":2}`, `[[[{"":{}}]]]`, `["\x"]`, `[1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) == 0 || (p[0] != '[' && p[0] != '{') {
			return
		}
		d := &Decoder{}
		out, next := d.compact(nil, p, 0)
		accepted := next != stop && skipSpace(p, next) == len(p)
		if next == stop && d.fault.reason == "nested too deeply" {
			return
		}
		if accepted != oracle.Valid(p) {
			t.Fatalf("%q: accepted %v, %+v", p, accepted, d.fault)
		}
		if !accepted {
			return
		}
		if !oracle.Valid(out) || !utf8.Valid(out) {
			t.Fatalf("%q written as %q", p, out)
		}
		if again, _ := (&Decoder{}).compact(nil, out, 0); !bytes.Equal(again, out) {
			t.Fatalf("%q written as %q, then as %q", p, out, again)
		}
	})
}

// checkUTF8 checks that text is valid whatever the bytes were.
func checkUTF8(t *testing.T, v *stream.Vector) {
	if v.Type.Kind == types.VarChar && !utf8.Valid(v.Data()) {
		t.Fatalf("column holds invalid UTF-8: %q", v.Data())
	}
	for i := range v.NumChildren() {
		checkUTF8(t, v.Child(i))
	}
}

// FuzzEncode checks that what is encoded is well-formed JSON, in valid UTF-8,
// and decodes to the same rows.
func FuzzEncode(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, "text", []byte("bytes"))
	}
	f.Add(uint64(9), "a\"\\\x00\xff\u2028", []byte{0xF0, 0x9F})
	schema := formattest.AllTypes()
	schema.Fields = append(schema.Fields, types.Field{Name: "key \"\\\n é", Type: types.StringType()}, types.Field{Name: "b", Type: types.BytesType()})
	f.Fuzz(func(t *testing.T, seed uint64, text string, blob []byte) {
		var pool stream.Pool
		b := formattest.RandomBatch(&pool, schema, 2, rand.New(rand.NewPCG(seed, 0)))
		last := len(schema.Fields) - 2
		for i, v := range [][]byte{[]byte(text), blob} {
			b.Columns[last+i].Release()
			builder := stream.NewBuilder(&pool, schema.Fields[last+i].Type, 2)
			builder.AppendBytes(v)
			builder.AppendNull()
			b.Columns[last+i] = builder.Finish()
		}
		e, err := NewEncoder(schema, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out formats.Payloads
		if err := e.Encode(b, &out); err != nil {
			t.Fatal(err)
		}
		checkEncoded(t, b, &out, utf8.ValidString(text))
		b.Release()
		if pool.Live() != 0 {
			t.Fatalf("%d buffers leak", pool.Live())
		}
	})
}

func checkEncoded(t *testing.T, b *stream.Batch, out *formats.Payloads, exact bool) {
	d, err := NewDecoder(b.Schema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := formats.NewRows(b.Pool(), b.Schema, 2)
	for i := range out.Len() {
		if p := out.At(i); !oracle.Valid(p) || !utf8.Valid(p) {
			t.Fatalf("not JSON: %q", p)
		}
		if _, err := d.Decode([][]byte{out.At(i)}, rows, 2); err != nil {
			t.Fatalf("%q: %v", out.At(i), err)
		}
	}
	back := rows.Finish()
	defer back.Release()
	got, want := formattest.Print(back), formattest.Print(b)
	for i := range want {
		if exact && got[i] != want[i] {
			t.Fatalf("row %d: got %s, want %s", i, got[i], want[i])
		}
	}
}
