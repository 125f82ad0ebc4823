package statetest

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// evolvingColumn is a column of a table that evolves.
type evolvingColumn struct {
	name     string
	typ      types.Type
	nullable bool
}

const null = "NULL"

// evolvingColumns are the columns of a table, in their order.
type evolvingColumns []evolvingColumn

// drawType draws a type of those that state holds.
func drawType(c choice) types.Type {
	switch c.IntN(8) {
	case 0:
		return types.Of(types.TinyInt + types.Kind(c.IntN(4)))
	case 1:
		return types.Of(types.Float + types.Kind(c.IntN(2)))
	case 2, 3:
		precision := 1 + c.IntN(24)
		return types.DecimalOf(precision, c.IntN(precision+1))
	case 4:
		return types.Type{Kind: types.Char + types.Kind(c.IntN(2)), Nullable: true, Length: 1 + c.IntN(9)}
	case 5:
		return types.Type{Kind: types.Binary + types.Kind(c.IntN(2)), Nullable: true, Length: 1 + c.IntN(9)}
	case 6:
		return types.Of(types.Boolean)
	default:
		return []types.Type{types.Of(types.Date), types.TimestampOf(3), types.StringType()}[c.IntN(3)]
	}
}

// widened draws a type that another becomes.
func widened(c choice, t types.Type) types.Type {
	switch t.Kind {
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt:
		return types.Of(t.Kind + types.Kind(c.IntN(int(types.BigInt-t.Kind)+1)))
	case types.Float:
		return types.Of(types.Double)
	case types.Decimal:
		scale := t.Scale + c.IntN(min(12, types.MaxDecimalPrecision-t.Precision)+1)
		whole := t.Precision - t.Scale
		whole += c.IntN(types.MaxDecimalPrecision - scale - whole + 1)
		return types.DecimalOf(whole+scale, scale)
	case types.Char, types.VarChar:
		if t.Length > types.MaxLength/2 || c.IntN(4) == 0 {
			return types.StringType()
		}
		return types.VarCharOf(t.Length + c.IntN(5))
	case types.Binary, types.VarBinary:
		return types.Type{Kind: types.VarBinary, Nullable: true, Length: t.Length + c.IntN(5)}
	default:
		return t
	}
}

// drawColumns draws n columns; number gives each a name of its own.
func drawColumns(c choice, n int, number *int) (out evolvingColumns) {
	for range n {
		*number++
		out = append(out, evolvingColumn{fmt.Sprint("c", *number), drawType(c), c.IntN(2) == 0})
	}
	return out
}

// evolve draws columns that these become: some are gone, some new, some wider, some may be NULL now.
func (e evolvingColumns) evolve(c choice, number *int) evolvingColumns {
	var out evolvingColumns
	for _, col := range e {
		if c.IntN(4) == 0 {
			continue
		}
		if c.IntN(2) == 0 {
			col.typ = widened(c, col.typ)
		}
		col.nullable = col.nullable || c.IntN(4) == 0
		out = append(out, col)
	}
	out = append(out, drawColumns(c, c.IntN(3), number)...)
	for i := range out { // another order
		if c.IntN(2) == 0 {
			k := c.IntN(len(out))
			out[i], out[k] = out[k], out[i]
		}
	}
	return out
}

// specs declares the columns: with a flag behind each that may be NULL, or as a type that says so.
func (e evolvingColumns) specs(flags bool) []statebackend.ColumnSpec {
	var out []statebackend.ColumnSpec
	for _, col := range e {
		t := col.typ.NotNull()
		if col.nullable && !flags {
			t = t.AsNullable()
		}
		out = append(out, statebackend.ColumnSpec{Name: col.name, Type: t})
		if col.nullable && flags {
			out = append(out, statebackend.ColumnSpec{Name: col.name + "_null", Type: types.Of(types.Boolean).NotNull(), NullOf: col.name})
		}
	}
	return out
}

// become is what a row of the model is with these columns: the same values by name, and new ones.
func (e evolvingColumns) become(row map[string]string) map[string]string {
	out := make(map[string]string, len(e))
	for _, col := range e {
		value, ok := row[col.name]
		switch {
		case ok:
		case col.nullable:
			value = null
		default:
			value = meaning(col.typ, datum{})
		}
		out[col.name] = value
	}
	return out
}

// datum is a value as it stands in state: words, or bytes.
type datum struct {
	lo, hi uint64
	bytes  string
}

// drawDatum draws a value of a type.
func drawDatum(c choice, t types.Type) datum {
	switch t.Kind {
	case types.Boolean:
		return datum{lo: uint64(c.IntN(2))}
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.Date, types.Timestamp:
		n := 8 * t.Layout().Width()
		return datum{lo: uint64(drawInt(c) << (64 - n) >> (64 - n))}
	case types.Float:
		return datum{lo: uint64(math.Float32bits(float32(drawInt(c)%1_000_000) / 128))}
	case types.Double:
		return datum{lo: math.Float64bits(float64(drawInt(c)) / 1024)}
	case types.Decimal:
		x, limit := big.NewInt(drawInt(c)), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil)
		x.Mul(x, big.NewInt(drawInt(c)))
		x.Rem(x, limit) // of the sign of x
		if c.IntN(4) == 0 {
			x.Sub(limit, big.NewInt(1))
		}
		return datumOf(x)
	default:
		return datum{bytes: strings.Repeat("é?x", 4)[:c.IntN(min(t.Length, 12)+1)]}
	}
}

// drawInt draws any integer.
func drawInt(c choice) int64 {
	return int64(uint64(c.IntN(1<<16))<<48|uint64(c.IntN(1<<24))<<24|uint64(c.IntN(1<<24))) >> (c.IntN(7) * 8)
}

// datumOf is the two's complement of a number.
func datumOf(x *big.Int) datum {
	word := new(big.Int).SetUint64(math.MaxUint64)
	return datum{lo: new(big.Int).And(x, word).Uint64(), hi: new(big.Int).And(new(big.Int).Rsh(x, 64), word).Uint64()}
}

// meaning is what a value says, in whatever type that holds it.
func meaning(t types.Type, d datum) string {
	switch t.Layout() {
	case types.LayoutBytes:
		return "bytes " + d.bytes
	case types.LayoutFloat32:
		return new(big.Rat).SetFloat64(float64(math.Float32frombits(uint32(d.lo)))).RatString()
	case types.LayoutFloat64:
		return new(big.Rat).SetFloat64(math.Float64frombits(d.lo)).RatString()
	case types.LayoutInt128:
		x := new(big.Int).Lsh(big.NewInt(int64(d.hi)), 64)
		return scaled(x.Add(x, new(big.Int).SetUint64(d.lo)), t.Scale)
	default:
		return scaled(big.NewInt(int64(d.lo)), t.Scale)
	}
}

func scaled(x *big.Int, scale int) string {
	return new(big.Rat).SetFrac(x, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).RatString()
}

// drawRow draws a row, and what it means.
func (e evolvingColumns) drawRow(c choice) (row []datum, nulls []bool, means map[string]string) {
	means = make(map[string]string, len(e))
	for _, col := range e {
		d, isNull := drawDatum(c, col.typ), col.nullable && c.IntN(3) == 0
		if isNull {
			d = datum{}
		}
		row, nulls = append(row, d), append(nulls, isNull)
		if means[col.name] = meaning(col.typ, d); isNull {
			means[col.name] = null
		}
	}
	return row, nulls, means
}

// setRow puts a row into a Part.
func (e evolvingColumns) setRow(p statebackend.Part, s statebackend.Slot, row []datum, nulls []bool) error {
	specs := e.specs(true)
	words, _ := statebackend.WordOf(specs)
	at := 0
	for i, col := range e {
		to := p.Rows().At(s)[words[at]:]
		switch col.typ.Layout() {
		case types.LayoutBytes:
			if err := p.SetBytes(at, s, []byte(row[i].bytes)); err != nil {
				return err
			}
		case types.LayoutInt128:
			to[0], to[1] = row[i].lo, row[i].hi
		default:
			to[0] = row[i].lo
		}
		at++
		if col.nullable {
			p.Rows().At(s)[words[at]] = map[bool]uint64{true: 1}[nulls[i]]
			at++
		}
	}
	return nil
}

// rowAt says what a row of a Part means.
func (e evolvingColumns) rowAt(p statebackend.Part, s statebackend.Slot) map[string]string {
	specs := e.specs(true)
	words, _ := statebackend.WordOf(specs)
	out := make(map[string]string, len(e))
	at := 0
	for _, col := range e {
		from := p.Rows().At(s)[words[at]:]
		d := datum{lo: from[0]}
		switch col.typ.Layout() {
		case types.LayoutBytes:
			d = datum{bytes: string(p.Bytes(at, s))}
		case types.LayoutInt128:
			d.hi = from[1]
		}
		out[col.name] = meaning(col.typ, d)
		at++
		if col.nullable {
			if p.Rows().At(s)[words[at]] != 0 {
				out[col.name] = null
			}
			at++
		}
	}
	return out
}

// batch makes rows for a multimap or an ordered map, and says what they mean.
func (e evolvingColumns) batch(c choice, pool *stream.Pool, n int) (*stream.Batch, []map[string]string) {
	schema := &types.Schema{}
	for _, s := range e.specs(false) {
		schema.Fields = append(schema.Fields, types.Field{Name: s.Name, Type: s.Type})
	}
	builders := e.builders(pool)
	var means []map[string]string
	for range n {
		row, nulls, m := e.drawRow(c)
		means = append(means, m)
		for i, b := range builders {
			if nulls[i] {
				b.AppendNull()
			} else {
				appendDatum(b, e[i].typ, row[i])
			}
		}
	}
	b := pool.NewBatch(schema, n)
	for i, bu := range builders {
		b.Columns[i] = bu.Finish()
	}
	return b, means
}

func (e evolvingColumns) builders(pool *stream.Pool) (out []*stream.Builder) {
	for _, s := range e.specs(false) {
		out = append(out, stream.NewBuilder(pool, s.Type, 1))
	}
	return out
}

func appendDatum(b *stream.Builder, t types.Type, d datum) {
	switch t.Layout() {
	case types.LayoutBit:
		b.AppendBool(d.lo != 0)
	case types.LayoutInt8:
		stream.AppendFixed(b, int8(d.lo))
	case types.LayoutInt16:
		stream.AppendFixed(b, int16(d.lo))
	case types.LayoutInt32, types.LayoutFloat32:
		stream.AppendFixed(b, int32(d.lo))
	case types.LayoutInt128:
		stream.AppendFixed(b, types.Int128{Lo: d.lo, Hi: int64(d.hi)})
	case types.LayoutBytes:
		b.AppendBytes([]byte(d.bytes))
	default:
		stream.AppendFixed(b, int64(d.lo))
	}
}

// read says what the rows in builders mean.
func (e evolvingColumns) read(builders []*stream.Builder) (out []map[string]string) {
	for i, b := range builders {
		v := b.Finish()
		for k := range v.Len() {
			if i == 0 {
				out = append(out, map[string]string{})
			}
			if v.IsNull(k) {
				out[k][e[i].name] = null
				continue
			}
			out[k][e[i].name] = meaning(e[i].typ, datumAt(&v, k))
		}
		v.Release()
	}
	return out
}

func datumAt(v *stream.Vector, i int) datum {
	switch v.Type.Layout() {
	case types.LayoutBit:
		return datum{lo: map[bool]uint64{true: 1}[v.Bool(i)]}
	case types.LayoutInt8:
		return datum{lo: uint64(int64(stream.Value[int8](v, i)))}
	case types.LayoutInt16:
		return datum{lo: uint64(int64(stream.Value[int16](v, i)))}
	case types.LayoutInt32, types.LayoutFloat32:
		return datum{lo: uint64(int64(stream.Value[int32](v, i)))}
	case types.LayoutInt128:
		x := stream.Value[types.Int128](v, i)
		return datum{lo: x.Lo, hi: uint64(x.Hi)}
	case types.LayoutBytes:
		return datum{bytes: string(v.Bytes(i))}
	default:
		return datum{lo: uint64(stream.Value[int64](v, i))}
	}
}

// same tells whether two lists of columns are the same.
func (e evolvingColumns) same(o evolvingColumns) bool {
	return slices.EqualFunc(e, o, func(a, b evolvingColumn) bool {
		return a.name == b.name && a.nullable == b.nullable && a.typ.Equal(b.typ)
	})
}
