package json

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/formats"
	"millrace/formats/scalar"
	"millrace/stream"
	"millrace/types"
)

// decodeAll decodes payloads in one call and prints each row.
func decodeAll(t *testing.T, schema *types.Schema, opts Options, payloads ...string) ([]string, error) {
	t.Helper()
	d, err := NewDecoder(schema, opts)
	if err != nil {
		t.Fatal(err)
	}
	return decodeWith(t, d, schema, payloads...)
}

func decodeWith(t *testing.T, d *Decoder, schema *types.Schema, payloads ...string) ([]string, error) {
	t.Helper()
	var pool stream.Pool
	rows := formats.NewRows(&pool, schema, 4)
	in := make([][]byte, len(payloads))
	for i, p := range payloads {
		in[i] = []byte(p)
	}
	n, err := d.Decode(in, rows, stream.RowsMax)
	if err == nil && n != len(in) {
		t.Fatalf("%d of %d payloads done", n, len(in))
	}
	b := rows.Finish()
	var out []string
	for i := range b.Len() {
		line := ""
		for c := range b.Columns {
			line += " " + show(&b.Columns[c], i)
		}
		out = append(out, line[1:])
	}
	b.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
	return out, err
}

// show prints a value in its physical form.
func show(v *stream.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
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
		return fmt.Sprint(stream.Value[float32](v, i))
	case types.LayoutFloat64:
		return fmt.Sprint(stream.Value[float64](v, i))
	case types.LayoutInt128:
		return string(scalar.AppendDecimal(nil, stream.Value[types.Int128](v, i), 0, true))
	case types.LayoutBytes:
		return fmt.Sprintf("%q", v.Bytes(i))
	case types.LayoutList:
		s := "["
		for k := v.Offsets()[i]; k < v.Offsets()[i+1]; k++ {
			s += show(v.Child(0), int(k)) + ","
		}
		return s + "]"
	default:
		s := "("
		for c := range v.NumChildren() {
			s += show(v.Child(c), i) + ","
		}
		return s + ")"
	}
}

func bidSchema() *types.Schema {
	return types.NewSchema(
		types.Field{Name: "auction", Type: types.Of(types.BigInt)},
		types.Field{Name: "bidder", Type: types.Of(types.BigInt)},
		types.Field{Name: "price", Type: types.Of(types.BigInt)},
		types.Field{Name: "channel", Type: types.StringType()},
		types.Field{Name: "url", Type: types.StringType()},
		types.Field{Name: "dateTime", Type: types.TimestampOf(3)},
		types.Field{Name: "extra", Type: types.StringType()},
	)
}

const bid = `{"auction":1000,"bidder":2001,"price":43793,"channel":"channel-9536","url":"https://www.nexmark.com/x.htm?query=1","dateTime":"2026-11-22 16:21:46.616","extra":"R]]K\\RY"}`

func TestDecodeBid(t *testing.T) {
	row := `1000 2001 43793 "channel-9536" "https://www.nexmark.com/x.htm?query=1" 1795364506616 "R]]K\\RY"`
	got, err := decodeAll(t, bidSchema(), Options{}, bid, "", bid)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{row, row}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeObjects(t *testing.T) {
	schema := types.NewSchema(
		types.Field{Name: "a", Type: types.Of(types.BigInt)},
		types.Field{Name: "b", Type: types.StringType()},
		types.Field{Name: "r", Type: types.RowOf(types.Field{Name: "x", Type: types.Of(types.Int)}, types.Field{Name: "y", Type: types.Of(types.Boolean)})},
	)
	cases := []struct{ name, in, want string }{
		{"empty", `{}`, `NULL NULL NULL`},
		{"blanks", " {\n \"a\" : 1 ,\t\"b\"\r: \"x\" , \"r\" : { } } ", `1 "x" (NULL,NULL,)`},
		{"other order", `{"r":{"y":true,"x":3},"b":"x","a":1}`, `1 "x" (3,true,)`},
		{"null everywhere", `{"a":null,"b":null,"r":null}`, `NULL NULL NULL`},
		{"unread fields", `{"z":[1,{"a":"]}"},"\""],"a":1,"y":"\\\"","w":-1.5e3,"v":null}`, `1 NULL NULL`},
		{"key twice", `{"a":1,"b":"x","a":2}`, `2 "x" NULL`},
		{"key twice, then null", `{"a":1,"b":"long enough to matter","b":null}`, `1 NULL NULL`},
		{"key twice in a row", `{"r":{"x":1,"x":2,"y":false},"a":7,"r":{"y":true,"y":false,"x":5}}`, `7 NULL (5,false,)`},
		{"escaped key", `{"\u0061":1}`, `1 NULL NULL`},
		{"escapes", `{"b":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, `NULL "\"\\/\b\f\n\r\té😀" NULL`},
		{"half a pair", `{"b":"\ud83dx\ude00"}`, `NULL "?x?" NULL`},
		{"two halves of the same side", `{"b":"\ud83d\ud83d\ude00"}`, `NULL "?😀" NULL`},
		{"malformed UTF-8", "{\"b\":\"a\xe2\x82b\xffc\xf0\x9f\x98d\xc0\xaf\"}", "NULL \"a\uFFFDb\uFFFDc\uFFFDd\uFFFD\uFFFD\" NULL"},
		{"object as text", `{"b":{"x" : [1, 1e3,-0.50,"\u0041\n"], "y":null}}`, `NULL "{\"x\":[1,1000.0,-0.5,\"A\\n\"],\"y\":null}" NULL`},
		{"number as text", `{"b":1.50}`, `NULL "1.50" NULL`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := decodeAll(t, schema, Options{}, c.in, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.want, c.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	schema := types.NewSchema(
		types.Field{Name: "a", Type: types.Of(types.Int)},
		types.Field{Name: "s", Type: types.StringType()},
		types.Field{Name: "r", Type: types.RowOf(types.Field{Name: "x", Type: types.ArrayOf(types.Of(types.TinyInt))})},
	)
	cases := []struct {
		in   string
		want formats.RecordError
	}{
		{` `, formats.RecordError{Offset: 1, Reason: "record is not a JSON object"}},
		{`[{"a":1}]`, formats.RecordError{Offset: 0, Reason: "record is not a JSON object"}},
		{`null`, formats.RecordError{Offset: 0, Reason: "record is not a JSON object"}},
		{`{"a":1} {`, formats.RecordError{Offset: 8, Reason: "more bytes behind the object"}},
		{`{"a":1`, formats.RecordError{Offset: 6, Reason: "expected , or } in an object"}},
		{`{"a":1,}`, formats.RecordError{Offset: 7, Reason: "expected a key"}},
		{`{"a":01}`, formats.RecordError{Column: "a", Offset: 5, Reason: "malformed number"}},
		{`{"a":1x}`, formats.RecordError{Offset: 6, Reason: "expected , or } in an object"}},
		{`{"a":2147483648}`, formats.RecordError{Column: "a", Offset: 5, Reason: "integer out of range"}},
		{`{"a":true}`, formats.RecordError{Column: "a", Offset: 5, Reason: "not a number"}},
		{`{"a":"1 2"}`, formats.RecordError{Column: "a", Offset: 5, Reason: "not an integer"}},
		{`{"a":nul}`, formats.RecordError{Column: "a", Offset: 5, Reason: "unknown literal"}},
		{`{"s":"a` + "\n" + `"}`, formats.RecordError{Column: "s", Offset: 7, Reason: "control character in a string"}},
		{`{"s":"\u12g4"}`, formats.RecordError{Column: "s", Offset: 6, Reason: "unknown escape in a string"}},
		{`{"s":"abc`, formats.RecordError{Column: "s", Offset: 9, Reason: "unexpected end in a string"}},
		{`{"r":{"x":[1,2,128]}}`, formats.RecordError{Column: "r.x", Offset: 15, Reason: "integer out of range"}},
		{`{"r":7}`, formats.RecordError{Column: "r", Offset: 5, Reason: "not an object"}},
	}
	good := `{"a":5,"s":"x","r":{"x":[1]}}`
	for _, c := range cases {
		t.Run(c.in, func(t *testing.T) {
			got, err := decodeAll(t, schema, Options{}, good, c.in)
			var record *formats.RecordError
			if !errors.As(err, &record) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(c.want, *record); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{`5 "x" ([1,],)`}, got); diff != "" {
				t.Errorf("the row before: %s", diff)
			}
		})
	}
}
