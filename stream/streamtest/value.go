package streamtest

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"millrace/stream"
	"millrace/types"
)

// value appends the next value of the line to a builder of its type.
func (s *scanner) value(b *stream.Builder, t types.Type) error {
	if strings.HasPrefix(s.rest(), "NULL") {
		s.pos += len("NULL")
		b.AppendNull()
		return nil
	}
	switch t.Kind {
	case types.Boolean:
		v, err := strconv.ParseBool(s.word())
		if err != nil {
			return err
		}
		b.AppendBool(v)
		return nil
	case types.Float, types.Double:
		return s.float(b, t)
	case types.Decimal:
		return s.decimal(b, t)
	case types.Char, types.VarChar:
		v, err := s.quoted()
		if err != nil {
			return err
		}
		b.AppendString(v)
		return nil
	case types.Binary, types.VarBinary:
		return s.binary(b)
	case types.Array, types.Map, types.Row:
		return s.nested(b, t)
	default:
		return s.integer(b, t)
	}
}

func (s *scanner) float(b *stream.Builder, t types.Type) error {
	if t.Kind == types.Float {
		v, err := strconv.ParseFloat(s.word(), 32)
		if err != nil {
			return err
		}
		stream.AppendFixed(b, float32(v))
		return nil
	}
	v, err := strconv.ParseFloat(s.word(), 64)
	if err != nil {
		return err
	}
	stream.AppendFixed(b, v)
	return nil
}

func (s *scanner) binary(b *stream.Builder) error {
	if err := s.expect('X'); err != nil {
		return err
	}
	v, err := s.quoted()
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(v)
	if err != nil {
		return err
	}
	b.AppendBytes(raw)
	return nil
}

// integer takes the types that stand as integers: a number, or a date or time.
func (s *scanner) integer(b *stream.Builder, t types.Type) error {
	word := s.word()
	if v, err := strconv.ParseInt(word, 10, 64); err == nil {
		return appendInteger(b, t, v)
	}
	switch t.Kind {
	case types.Date:
		d, err := time.Parse(time.DateOnly, word)
		if err != nil {
			return err
		}
		return appendInteger(b, t, d.Unix()/86_400)
	case types.Time:
		d, err := time.Parse("15:04:05", word)
		if err != nil {
			return err
		}
		return appendInteger(b, t, int64(d.Sub(d.Truncate(24*time.Hour))/time.Millisecond))
	case types.Timestamp, types.TimestampLTZ:
		d, err := time.Parse(time.DateTime, word+" "+s.word())
		if err != nil {
			return err
		}
		return appendInteger(b, t, ticksOf(d, t.Unit()))
	default:
		return fmt.Errorf("%q is not a value of %s", word, t)
	}
}

func ticksOf(d time.Time, u types.TimeUnit) int64 {
	return d.Unix()*int64(u) + int64(d.Nanosecond())/(int64(types.Nanos)/int64(u))
}

func appendInteger(b *stream.Builder, t types.Type, v int64) error {
	bits := t.Layout().Width() * 8
	if bits < 64 && (v < -1<<(bits-1) || v >= 1<<(bits-1)) {
		return fmt.Errorf("%d is out of range for %s", v, t)
	}
	switch t.Layout() {
	case types.LayoutInt8:
		stream.AppendFixed(b, int8(v))
	case types.LayoutInt16:
		stream.AppendFixed(b, int16(v))
	case types.LayoutInt32:
		stream.AppendFixed(b, int32(v))
	default:
		b.AppendInt64(v)
	}
	return nil
}

func (s *scanner) decimal(b *stream.Builder, t types.Type) error {
	word := s.word()
	whole, fraction, _ := strings.Cut(word, ".")
	if len(fraction) > t.Scale {
		return fmt.Errorf("%s has more than %d digits after the point", word, t.Scale)
	}
	v, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", t.Scale-len(fraction)), 10)
	if !ok || len(new(big.Int).Abs(v).String()) > t.Precision {
		return fmt.Errorf("%s is not a value of %s", word, t)
	}
	if t.Layout() == types.LayoutInt64 {
		b.AppendInt64(v.Int64())
		return nil
	}
	stream.AppendFixed(b, Int128(v))
	return nil
}

// Int128 returns the low 128 bits of v in two's complement.
func Int128(v *big.Int) stream.Int128 {
	mask := new(big.Int).SetUint64(^uint64(0))
	lo := new(big.Int).And(v, mask).Uint64()
	hi := new(big.Int).And(new(big.Int).Rsh(v, 64), mask).Uint64()
	return stream.Int128{Lo: lo, Hi: int64(hi)}
}

// BigInt returns the value of x.
func BigInt(x stream.Int128) *big.Int {
	v := big.NewInt(x.Hi)
	v.Lsh(v, 64)
	return v.Add(v, new(big.Int).SetUint64(x.Lo))
}

// nested takes [a, b], {k: v, k: v} or (a, b).
func (s *scanner) nested(b *stream.Builder, t types.Type) error {
	switch t.Kind {
	case types.Row:
		if err := s.expect('('); err != nil {
			return err
		}
		for i, f := range t.Fields {
			if i > 0 {
				if err := s.expect(','); err != nil {
					return err
				}
			}
			if err := s.value(b.Child(i), f.Type); err != nil {
				return err
			}
		}
		b.AppendStruct()
		return s.expect(')')
	case types.Map:
		return s.list(b, '{', '}', func(entry *stream.Builder) error {
			if err := s.value(entry.Child(0), *t.Key); err != nil {
				return err
			}
			if err := s.expect(':'); err != nil {
				return err
			}
			err := s.value(entry.Child(1), *t.Elem)
			entry.AppendStruct()
			return err
		})
	default:
		return s.list(b, '[', ']', func(elem *stream.Builder) error { return s.value(elem, *t.Elem) })
	}
}

func (s *scanner) list(b *stream.Builder, first, last byte, element func(*stream.Builder) error) error {
	if err := s.expect(first); err != nil {
		return err
	}
	for n := 0; !s.accept(last); n++ {
		if n > 0 {
			if err := s.expect(','); err != nil {
				return err
			}
		}
		if err := element(b.Child(0)); err != nil {
			return err
		}
	}
	b.AppendList()
	return nil
}
