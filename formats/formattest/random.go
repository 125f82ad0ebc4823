package formattest

import (
	"math"
	"math/rand/v2"
	"strconv"

	"millrace/stream"
	"millrace/types"
)

// AllTypes returns a schema with a nullable column of every type that a column
// may have, nested ones included.
func AllTypes() *types.Schema {
	row := types.RowOf(
		types.Field{Name: "id", Type: types.Of(types.BigInt)},
		types.Field{Name: "tags", Type: types.ArrayOf(types.StringType())},
		types.Field{Name: "inner", Type: types.RowOf(types.Field{Name: "x", Type: types.Of(types.Double)})},
	)
	all := []types.Type{
		types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Int), types.Of(types.BigInt),
		types.Of(types.Float), types.Of(types.Double), types.DecimalOf(9, 0), types.DecimalOf(18, 9), types.DecimalOf(38, 20),
		{Kind: types.Char, Nullable: true, Length: 7},
		types.StringType(), types.BytesType(), types.Of(types.Date),
		{Kind: types.Time, Nullable: true, Precision: 3},
		types.TimestampOf(0), types.TimestampOf(3), types.TimestampOf(6),
		types.TimestampOf(9), types.TimestampLTZOf(3), types.TimestampLTZOf(9), types.Of(types.IntervalYearMonth),
		types.Of(types.IntervalDayTime), types.Of(types.Null), types.ArrayOf(types.Of(types.Int)), types.ArrayOf(row),
		types.MapOf(types.StringType(), types.ArrayOf(types.Of(types.BigInt))), types.MapOf(types.StringType(), row), row,
	}
	s := &types.Schema{}
	for i, t := range all {
		s.Fields = append(s.Fields, types.Field{Name: "f" + strconv.Itoa(i), Type: t})
	}
	return s
}

// NotNull returns the schema with every column NOT NULL.
func NotNull(s *types.Schema) *types.Schema {
	out := &types.Schema{}
	for _, f := range s.Fields {
		out.Fields = append(out.Fields, types.Field{Name: f.Name, Type: f.Type.NotNull()})
	}
	return out
}

// RandomBatch returns a batch of n rows of random values, which the caller
// owns: extremes and NULLs among them, text valid, points in time in the years
// 1700 to 2200, the keys of a MAP distinct.
func RandomBatch(p *stream.Pool, s *types.Schema, n int, rng *rand.Rand) *stream.Batch {
	b := p.NewBatch(s, n)
	for c, f := range s.Fields {
		builder := stream.NewBuilder(p, f.Type, n)
		for range n {
			appendRandom(builder, f.Type, rng)
		}
		b.Columns[c] = builder.Finish()
	}
	return b
}

func appendRandom(b *stream.Builder, t types.Type, rng *rand.Rand) {
	if t.Kind == types.Null || (t.Nullable && rng.IntN(5) == 0) {
		b.AppendNull()
		return
	}
	switch t.Kind {
	case types.Boolean:
		b.AppendBool(rng.IntN(2) == 0)
	case types.TinyInt:
		stream.AppendFixed(b, int8(randomInt(rng)))
	case types.SmallInt:
		stream.AppendFixed(b, int16(randomInt(rng)))
	case types.Int, types.IntervalYearMonth:
		stream.AppendFixed(b, int32(randomInt(rng)))
	case types.BigInt, types.IntervalDayTime:
		b.AppendInt64(randomInt(rng))
	case types.Float:
		stream.AppendFixed(b, float32(randomFloat(rng)))
	case types.Double:
		stream.AppendFixed(b, randomFloat(rng))
	case types.Decimal:
		appendRandomDecimal(b, t, rng)
	case types.Char, types.VarChar:
		b.AppendString(randomText(rng))
	case types.Binary, types.VarBinary:
		b.AppendBytes([]byte(randomText(rng) + "\xff\x00")[rng.IntN(2):])
	case types.Date:
		stream.AppendFixed(b, int32(rng.IntN(180_000)-98_000))
	case types.Time:
		step := int32(math.Pow10(3 - min(t.Precision, 3)))
		stream.AppendFixed(b, rng.Int32N(86_400_000)/step*step)
	case types.Timestamp, types.TimestampLTZ:
		b.AppendInt64(randomTicks(t, rng))
	default:
		appendRandomNested(b, t, rng)
	}
}

func appendRandomNested(b *stream.Builder, t types.Type, rng *rand.Rand) {
	switch t.Kind {
	case types.Array:
		for range rng.IntN(4) {
			appendRandom(b.Child(0), *t.Elem, rng)
		}
		b.AppendList()
	case types.Map:
		entries := b.Child(0)
		for i := range rng.IntN(4) {
			entries.Child(0).AppendString(strconv.Itoa(i) + randomText(rng))
			appendRandom(entries.Child(1), *t.Elem, rng)
			entries.AppendStruct()
		}
		b.AppendList()
	case types.Row:
		for i, f := range t.Fields {
			appendRandom(b.Child(i), f.Type, rng)
		}
		b.AppendStruct()
	}
}

// randomInt returns numbers of every length, the extremes often.
func randomInt(rng *rand.Rand) int64 {
	switch rng.IntN(10) {
	case 0:
		return math.MinInt64
	case 1:
		return math.MaxInt64
	case 2:
		return 0
	default:
		return int64(rng.Uint64()) >> rng.IntN(64)
	}
}

func randomFloat(rng *rand.Rand) float64 {
	special := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1e7, 1e-3, 9999999, 0.1, 5e-324, math.MaxFloat64, 1e21, 123456789}
	if rng.IntN(3) == 0 {
		return special[rng.IntN(len(special))]
	}
	return (rng.Float64() - 0.5) * math.Pow10(rng.IntN(40)-20)
}

func appendRandomDecimal(b *stream.Builder, t types.Type, rng *rand.Rand) {
	if t.Layout() == types.LayoutInt64 {
		limit := int64(math.Pow10(t.Precision))
		b.AppendInt64(randomInt(rng) % limit >> rng.IntN(40))
		return
	}
	// |hi| < 2^62 keeps below 38 digits.
	hi := int64(rng.Uint64()) >> (2 + rng.IntN(62))
	stream.AppendFixed(b, types.Int128{Lo: rng.Uint64(), Hi: hi})
}

func randomTicks(t types.Type, rng *rand.Rand) int64 {
	const seconds = 8_000_000_000
	step := int64(math.Pow10(9 - t.Precision))
	nanos := rng.Int64N(int64(types.Nanos)) / step * step
	if rng.IntN(3) == 0 {
		nanos = 0
	}
	unit := int64(t.Unit())
	return (rng.Int64N(2*seconds)-seconds)*unit + nanos/(int64(types.Nanos)/unit)
}

func randomText(rng *rand.Rand) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz \"\\/\b\f\n\r\t\x00\x1f\x7fé€😀,{}[]:\u2028"
	letters := []rune(alphabet)
	text := make([]rune, rng.IntN(40))
	for i := range text {
		if text[i] = letters[rng.IntN(26)]; rng.IntN(8) == 0 {
			text[i] = letters[rng.IntN(len(letters))]
		}
	}
	return string(text)
}
