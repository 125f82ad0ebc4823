package rows

import (
	"fmt"
	"math/big"
	"time"

	"millrace/types"
)

// Date is a DATE: days since 1970-01-01.
type Date int32

// DateOf returns the date of a time, in that time's own zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

const secondsPerDay = 86_400

// Time returns the beginning of the date in UTC.
func (d Date) Time() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// String prints the date as 2006-01-02.
func (d Date) String() string { return d.Time().Format(time.DateOnly) }

// Decimal is a DECIMAL: an integer of up to 38 digits and how many of them stand behind the point. The zero value is 0. Compare by Cmp: 1.0 and 1.00 are
// equal, and not ==.
type Decimal struct {
	unscaled types.Int128
	scale    int32
}

// DecimalOf returns unscaled / 10^scale.
func DecimalOf(unscaled int64, scale int) Decimal {
	return Decimal{unscaled: types.Int128{Lo: uint64(unscaled), Hi: unscaled >> 63}, scale: int32(scale)}
}

// ParseDecimal reads a number such as -12.50.
func ParseDecimal(text string) (Decimal, error) {
	digits, scale := make([]byte, 0, len(text)), 0
	point := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.' && !point:
			point = true
		case c >= '0' && c <= '9' || i == 0 && (c == '-' || c == '+'):
			digits = append(digits, c)
			if point {
				scale++
			}
		default:
			return Decimal{}, fmt.Errorf("%q is no decimal number", text)
		}
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	if !ok || n.CmpAbs(pow10(types.MaxDecimalPrecision)) >= 0 {
		return Decimal{}, fmt.Errorf("%q is no decimal number of at most %d digits", text, types.MaxDecimalPrecision)
	}
	return Decimal{unscaled: int128(n), scale: int32(scale)}, nil
}

// Unscaled returns the number without its point.
func (d Decimal) Unscaled() *big.Int {
	n := new(big.Int).SetInt64(d.unscaled.Hi)
	return n.Add(n.Lsh(n, 64), new(big.Int).SetUint64(d.unscaled.Lo))
}

// Scale returns how many digits stand behind the point.
func (d Decimal) Scale() int { return int(d.scale) }

// Float64 returns the nearest float64.
func (d Decimal) Float64() float64 {
	f, _ := new(big.Rat).SetFrac(d.Unscaled(), pow10(int(d.scale))).Float64()
	return f
}

// Cmp compares numbers: -1 where d is less than e, 1 where it is greater.
func (d Decimal) Cmp(e Decimal) int {
	a, b := d.Unscaled(), e.Unscaled()
	if d.scale < e.scale {
		a.Mul(a, pow10(int(e.scale-d.scale)))
	} else {
		b.Mul(b, pow10(int(d.scale-e.scale)))
	}
	return a.Cmp(b)
}

// String prints the number with all digits of its scale.
func (d Decimal) String() string {
	n := d.Unscaled()
	if d.scale == 0 {
		return n.String()
	}
	return new(big.Rat).SetFrac(n, pow10(int(d.scale))).FloatString(int(d.scale))
}

// MarshalText prints the number as String does.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText printed.
func (d *Decimal) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDecimal(string(text))
	return err
}

// as returns the unscaled number as a column of the type has it: rounded half up, as Flink casts. It fails where that has too many digits.
func (d Decimal) as(t types.Type) (types.Int128, error) {
	n := d.Unscaled()
	switch more := t.Scale - int(d.scale); {
	case more > 0:
		n.Mul(n, pow10(more))
	case more < 0:
		by := pow10(-more)
		half := new(big.Int).Rsh(by, 1)
		if n.Sign() < 0 {
			half.Neg(half)
		}
		n.Quo(n.Add(n, half), by)
	}
	if n.CmpAbs(pow10(t.Precision)) >= 0 {
		return types.Int128{}, fmt.Errorf("%s does not fit into %s", d, t)
	}
	return int128(n), nil
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

var mask64 = new(big.Int).SetUint64(^uint64(0))

// int128 returns a number that has at most 127 bits and a sign.
func int128(n *big.Int) types.Int128 {
	lo := new(big.Int).And(n, mask64) // And of a negative number is that of its two's complement
	hi := new(big.Int).Rsh(n, 64)     // and Rsh rounds down
	return types.Int128{Lo: lo.Uint64(), Hi: hi.Int64()}
}
