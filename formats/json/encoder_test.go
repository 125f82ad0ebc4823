package json

import (
	"math"
	"strings"
	"testing"

	"millrace/failure"
	"millrace/formats"
	"millrace/stream"
	"millrace/types"
)

// encodeOne encodes a row of one column.
func encodeOne(t *testing.T, typ types.Type, opts Options, fill func(*stream.Builder)) (string, error) {
	t.Helper()
	var pool stream.Pool
	schema := types.NewSchema(types.Field{Name: "v", Type: typ})
	e, err := NewEncoder(schema, opts)
	if err != nil {
		t.Fatal(err)
	}
	b := pool.NewBatch(schema, 1)
	defer b.Release()
	builder := stream.NewBuilder(&pool, typ, 1)
	fill(builder)
	b.Columns[0] = builder.Finish()
	var out formats.Payloads
	if err := e.Encode(b, &out); err != nil {
		return "", err
	}
	text := string(out.At(0))
	return strings.TrimSuffix(strings.TrimPrefix(text, `{"v":`), "}"), nil
}

func TestEncodeValues(t *testing.T) {
	iso, plain := Options{TimestampFormat: ISO8601}, Options{DecimalAsPlainNumber: true}
	int64s := func(v int64) func(*stream.Builder) { return func(b *stream.Builder) { b.AppendInt64(v) } }
	float := func(v float64) func(*stream.Builder) {
		return func(b *stream.Builder) { stream.AppendFixed(b, v) }
	}
	float32s := func(v float32) func(*stream.Builder) {
		return func(b *stream.Builder) { stream.AppendFixed(b, v) }
	}
	int32s := func(v int32) func(*stream.Builder) {
		return func(b *stream.Builder) { stream.AppendFixed(b, v) }
	}
	text := func(v string) func(*stream.Builder) { return func(b *stream.Builder) { b.AppendString(v) } }
	wide := func(hi int64, lo uint64) func(*stream.Builder) {
		return func(b *stream.Builder) { stream.AppendFixed(b, types.Int128{Lo: lo, Hi: hi}) }
	}
	double, str := types.Of(types.Double), types.StringType()
	cases := []struct {
		typ  types.Type
		opts Options
		fill func(*stream.Builder)
		want string
	}{
		{types.Of(types.BigInt), Options{}, int64s(math.MinInt64), `-9223372036854775808`},
		{types.Of(types.BigInt), Options{}, (*stream.Builder).AppendNull, `null`},
		{double, Options{}, float(0), `0.0`},
		{double, Options{}, float(math.Copysign(0, -1)), `-0.0`},
		{double, Options{}, float(1), `1.0`},
		{double, Options{}, float(0.001), `0.001`},
		{double, Options{}, float(0.00099), `9.9E-4`},
		{double, Options{}, float(9999999), `9999999.0`},
		{double, Options{}, float(1e7), `1.0E7`},
		{double, Options{}, float(-1.25e10), `-1.25E10`},
		{double, Options{}, float(1e100), `1.0E100`},
		{double, Options{}, float(5e-324), `4.9E-324`},
		{double, Options{}, float(math.MaxFloat64), `1.7976931348623157E308`},
		{double, Options{}, float(math.NaN()), `"NaN"`},
		{double, Options{}, float(math.Inf(-1)), `"-Infinity"`},
		{types.Of(types.Float), Options{}, float32s(0.1), `0.1`},
		{types.Of(types.Float), Options{}, float32s(16777216), `1.6777216E7`},
		{types.DecimalOf(10, 2), Options{}, int64s(-1050), `-10.50`},
		{types.DecimalOf(10, 9), Options{}, int64s(27), `2.7E-8`},
		{types.DecimalOf(10, 9), plain, int64s(27), `0.000000027`},
		{types.DecimalOf(10, 9), Options{}, int64s(1000), `0.000001000`},
		{types.DecimalOf(10, 9), Options{}, int64s(0), `0E-9`},
		{types.DecimalOf(10, 9), plain, int64s(0), `0.000000000`},
		{types.DecimalOf(10, 0), Options{}, int64s(1000), `1000`},
		{types.DecimalOf(38, 2), Options{}, wide(5421010862427522170, 687399551400673279), `999999999999999999999999999999999999.99`},
		{types.DecimalOf(38, 2), Options{}, wide(-1, math.MaxUint64), `-0.01`},
		{str, Options{}, text("a\"\\/\b\f\n\r\t\x00\x1f\x7fé😀"), `"a\"\\/\b\f\n\r\t\u0000\u001F` + "\x7fé😀\""},
		{str, Options{}, text("é\xffx\xe2\x82"), "\"é\uFFFDx\uFFFD\""},
		{str, Options{}, text(""), `""`},
		{types.BytesType(), Options{}, text("\x00\x01\xff\xfe"), `"AAH//g=="`},
		{types.Of(types.Date), Options{}, int32s(-1), `"1969-12-31"`},
		{types.Of(types.Date), Options{}, int32s(2932897), `"+10000-01-01"`},
		{types.Of(types.Date), Options{}, int32s(-719893), `"-0001-01-01"`},
		{types.Of(types.Time), Options{}, int32s(45296120), `"12:34:56.12"`},
		{types.TimestampOf(3), Options{}, int64s(0), `"1970-01-01 00:00:00"`},
		{types.TimestampOf(3), Options{}, int64s(-1), `"1969-12-31 23:59:59.999"`},
		{types.TimestampOf(3), iso, int64s(1795364506610), `"2026-11-22T16:21:46.61"`},
		{types.TimestampOf(9), Options{}, int64s(1), `"1970-01-01 00:00:00.000000001"`},
		{types.TimestampLTZOf(6), Options{}, int64s(1500000), `"1970-01-01 00:00:01.5Z"`},
	}
	for _, c := range cases {
		if got, err := encodeOne(t, c.typ, c.opts, c.fill); err != nil || got != c.want {
			t.Errorf("%s: got %s, want %s (%v)", c.typ, got, c.want, err)
		}
	}
}

func TestEncodeMapNullKey(t *testing.T) {
	typ := types.MapOf(types.StringType(), types.Of(types.BigInt))
	fill := func(b *stream.Builder) {
		entries := b.Child(0)
		entries.Child(0).AppendNull()
		entries.Child(1).AppendInt64(1)
		entries.AppendStruct()
		entries.Child(0).AppendString("k")
		entries.Child(1).AppendInt64(2)
		entries.AppendStruct()
		b.AppendList()
	}
	for opts, want := range map[Options]string{
		{MapNullKeyMode: NullKeyDrop}:                               `{"k":2}`,
		{MapNullKeyMode: NullKeyLiteral}:                            `{"null":1,"k":2}`,
		{MapNullKeyMode: NullKeyLiteral, MapNullKeyLiteral: "a\nb"}: `{"a\nb":1,"k":2}`,
	} {
		if got, err := encodeOne(t, typ, opts, fill); err != nil || got != want {
			t.Errorf("%+v: got %s, want %s (%v)", opts, got, want, err)
		}
	}
	if got, err := encodeOne(t, typ, Options{}, fill); failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestEncodeIgnoresNullFields(t *testing.T) {
	typ := types.RowOf(types.Field{Name: "a", Type: types.Of(types.BigInt)}, types.Field{Name: "b", Type: types.Of(types.BigInt)})
	got, err := encodeOne(t, typ, Options{IgnoreNullFields: true}, func(b *stream.Builder) {
		b.Child(0).AppendNull()
		b.Child(1).AppendInt64(2)
		b.AppendStruct()
	})
	if err != nil || got != `{"b":2}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestEncodeRefusesRetractions(t *testing.T) {
	var pool stream.Pool
	schema := types.NewSchema(types.Field{Name: "v", Type: types.Of(types.Int).NotNull()})
	e, err := NewEncoder(schema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := pool.NewBatch(schema, 2)
	defer b.Release()
	b.Columns[0] = stream.NewFixed(&pool, schema.Fields[0].Type, 2)
	copy(stream.Values[int32](&b.Columns[0]), []int32{1, 2})
	kinds := b.MakeKinds()
	kinds[0], kinds[1] = stream.UpdateAfter, stream.UpdateBefore
	out := formats.Payloads{Data: []byte("kept"), Ends: []int{4}}
	if err := e.Encode(b, &out); failure.ClassOf(err).Domain != failure.DomainUser || string(out.Data) != "kept" || out.Len() != 1 {
		t.Errorf("%v, data %q", err, out.Data)
	}
	kinds[1] = stream.Insert
	if err := e.Encode(b, &out); err != nil || string(out.At(1)) != `{"v":1}` || string(out.At(2)) != `{"v":2}` {
		t.Errorf("%v, data %q", err, out.Data)
	}
}
