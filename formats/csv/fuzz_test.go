package csv

import (
	oracle "encoding/csv"
	"strings"
	"testing"

	"millrace/formats"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var fuzzSchema = types.NewSchema(
	types.Field{Name: "a", Type: types.StringType()},
	types.Field{Name: "b", Type: types.Of(types.BigInt)},
	types.Field{Name: "c", Type: types.ArrayOf(types.Of(types.Double))},
	types.Field{Name: "d", Type: types.RowOf(types.Field{Name: "x", Type: types.StringType()}, types.Field{Name: "y", Type: types.TimestampLTZOf(9)})},
	types.Field{Name: "e", Type: types.BytesType()},
)

// FuzzDecode feeds arbitrary bytes. What is a row is encoded to what is the
// same row, and nothing is left of what is none.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`a,1,1.5;2,x;2024-01-01 00:00:00Z,YQ==`, `"a""b",-1,,x;n/a,`, `\,\n,n/a,n/a,n/a,n/a`, `" a" ,1,NaN,";2024-01-01 00:00:00.123456789Z",`, "\"a\nb\",1,,n/a,", "#x", `"`, `a\`, `,,,,`,
	} {
		f.Add([]byte(seed), uint8(len(seed)))
	}
	variants := []map[string]string{
		{"null-literal": "n/a"},
		{"null-literal": "n/a", "escape-character": `\`},
		{"null-literal": "n/a", "escape-character": `\`, "disable-quote-character": "true"},
		{"null-literal": "n/a", "ignore-parse-errors": "true", "allow-comments": "true"},
	}
	f.Fuzz(func(t *testing.T, p []byte, variant uint8) {
		o := optionsOf(t, variants[int(variant)%len(variants)])
		d, err := NewDecoder(fuzzSchema, o)
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewEncoder(fuzzSchema, o)
		if err != nil {
			t.Fatal(err)
		}
		var pool stream.Pool
		rows := formats.NewRows(&pool, fuzzSchema, 1)
		defer rows.Close()
		if _, err := d.Decode([][]byte{p}, rows, 1); err != nil && rows.Len() != 0 {
			t.Fatalf("%d rows and %v", rows.Len(), err)
		}
		b := rows.Finish()
		defer b.Release()
		var out formats.Payloads
		if e.Encode(b, &out) != nil { // an element with blanks that only the quotes of others can bring in
			return
		}
		if b.Rows() == 0 {
			return
		}
		if n, err := d.Decode([][]byte{out.At(0)}, rows, 1); n != 1 || err != nil {
			t.Fatalf("%q became %q: %v", p, out.At(0), err)
		}
		again := rows.Finish()
		defer again.Release()
		if was, is := streamtest.Format(b), streamtest.Format(again); was != is {
			t.Errorf("%q became %q: %s, then %s", p, out.At(0), was, is)
		}
	})
}

// FuzzQuotes compares how a record falls into fields with encoding/csv, which
// takes quotes in the middle of a field as we do, and no blanks before one.
func FuzzQuotes(f *testing.F) {
	for _, seed := range []string{`a,b`, `"a,b",c`, `"a""b","` + "\n" + `"`, `"a" ,b`, `a"b,c`, `"a`, `"a"b,c`} {
		f.Add(seed)
	}
	schema := types.NewSchema(types.Field{Name: "a", Type: types.StringType()}, types.Field{Name: "b", Type: types.StringType()})
	f.Fuzz(func(t *testing.T, p string) {
		if p == "" || strings.ContainsAny(p, "\r\t ") || strings.HasSuffix(p, "\n") || strings.HasPrefix(p, "\n") || strings.ToValidUTF8(p, "") != p {
			return
		}
		r := oracle.NewReader(strings.NewReader(p))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil && strings.Contains(err.Error(), "bare") {
			return // a quote in the middle of a field, which others refuse
		}
		fails := err != nil || len(want) != 1 || len(want[0]) != 2
		d, err := NewDecoder(schema, optionsOf(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		var pool stream.Pool
		rows := formats.NewRows(&pool, schema, 1)
		_, err = d.Decode([][]byte{[]byte(p)}, rows, 1)
		b := rows.Finish()
		defer b.Release()
		if fails != (err != nil) {
			t.Fatalf("%q: %v, others read %q", p, err, want)
		}
		if err == nil && (string(b.Columns[0].Bytes(0)) != want[0][0] || string(b.Columns[1].Bytes(0)) != want[0][1]) {
			t.Errorf("%q: %s, others read %q", p, streamtest.Format(b), want)
		}
	})
}
