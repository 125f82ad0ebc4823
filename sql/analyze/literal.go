package analyze

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"millrace/expr"
	"millrace/sql/ast"
	"millrace/types"
)

// literal returns the constant that a literal is, typed as Flink does. What is written is exact: no value is rounded here.
func (a *analyzer) literal(l *ast.Literal) (*expr.Literal, error) {
	e, err := literalOf(l)
	if err != nil {
		return nil, a.wrap(l, err)
	}
	return e, nil
}

func literalOf(l *ast.Literal) (*expr.Literal, error) {
	switch l.Kind {
	case ast.NullLiteral:
		return &expr.Literal{T: types.Of(types.Null)}, nil
	case ast.UnknownLiteral:
		return expr.Null(types.Of(types.Boolean)), nil
	case ast.TrueLiteral, ast.FalseLiteral:
		return expr.Bool(l.Kind == ast.TrueLiteral), nil
	case ast.IntegerLiteral, ast.DecimalLiteral:
		return exactLiteral(l.Text)
	case ast.DoubleLiteral:
		v, err := strconv.ParseFloat(l.Text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is beyond DOUBLE", l.Text)
		}
		return expr.Double(v), nil
	case ast.StringLiteral:
		return stringLiteral(l.Text), nil
	case ast.BinaryLiteral:
		return binaryLiteral(l.Text)
	default:
		return timeLiteral(l.Kind, l.Text)
	}
}

// stringLiteral is a CHAR of the text's length. The empty text, which no CHAR has, is a VARCHAR(1).
func stringLiteral(text string) *expr.Literal {
	n := utf8.RuneCountInString(text)
	if n == 0 {
		return &expr.Literal{T: types.VarCharOf(1).NotNull(), Value: text}
	}
	return &expr.Literal{T: types.Type{Kind: types.Char, Length: n}, Value: text}
}

func binaryLiteral(text string) (*expr.Literal, error) {
	v, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the binary text X'%s' has no whole bytes", text)
	}
	if len(v) == 0 {
		return &expr.Literal{T: types.Type{Kind: types.VarBinary, Length: 1}, Value: v}, nil
	}
	return &expr.Literal{T: types.Type{Kind: types.Binary, Length: len(v)}, Value: v}, nil
}

// exactLiteral is INT, BIGINT or DECIMAL: of the digits that are written, zeros included.
func exactLiteral(text string) (*expr.Literal, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if fraction == "" {
		if v, err := strconv.ParseInt(whole, 10, 64); err == nil {
			return integerLiteral(v), nil
		}
	}
	precision := max(len(whole)+len(fraction), 1)
	if fraction == "" {
		precision = max(len(strings.TrimLeft(whole, "0")), 1)
	}
	v, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return nil, fmt.Errorf("%s is no number", text)
	}
	if precision > types.MaxDecimalPrecision {
		return nil, fmt.Errorf("%s has %d digits, more than %d", text, precision, types.MaxDecimalPrecision)
	}
	t := types.DecimalOf(precision, len(fraction)).NotNull()
	if t.Layout() == types.LayoutInt64 {
		return &expr.Literal{T: t, Value: v.Int64()}, nil
	}
	low := new(big.Int).And(v, new(big.Int).SetUint64(^uint64(0)))
	return &expr.Literal{T: t, Value: types.Int128{Hi: new(big.Int).Rsh(v, 64).Int64(), Lo: low.Uint64()}}, nil
}

func integerLiteral(v int64) *expr.Literal {
	if int64(int32(v)) == v {
		return expr.Int(int32(v))
	}
	return expr.BigInt(v)
}

var timeShapes = map[ast.LiteralKind]struct {
	shape  *regexp.Regexp
	layout string
	want   string
}{
	ast.DateLiteral:         {regexp.MustCompile(`^\d{4}-\d{1,2}-\d{1,2}()$`), "2006-1-2", "DATE 'yyyy-MM-dd'"},
	ast.TimeLiteral:         {regexp.MustCompile(`^\d{1,2}:\d{1,2}:\d{1,2}(?:\.(\d{1,9}))?$`), "15:4:5", "TIME 'HH:mm:ss'"},
	ast.TimestampLiteral:    {regexp.MustCompile(`^\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{1,2}:\d{1,2}(?:\.(\d{1,9}))?$`), "2006-1-2 15:4:5", "TIMESTAMP 'yyyy-MM-dd HH:mm:ss'"},
	ast.TimestampLTZLiteral: {nil, "", ""},
}

var errLTZ = errors.New("a literal of TIMESTAMP_LTZ is not supported yet")

// timeLiteral has the precision of the fraction that is written.
func timeLiteral(kind ast.LiteralKind, text string) (*expr.Literal, error) {
	s, ok := timeShapes[kind]
	if !ok || s.shape == nil {
		return nil, errLTZ
	}
	m := s.shape.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("'%s' is no time of the form %s", text, s.want)
	}
	whole, _, _ := strings.Cut(text, ".")
	at, err := time.Parse(s.layout, whole)
	if err != nil {
		return nil, fmt.Errorf("'%s' is no time of the form %s", text, s.want)
	}
	digits := len(m[1])
	nanos, _ := strconv.ParseInt((m[1] + "000000000")[:9], 10, 64) // digits alone, by the shape
	switch kind {
	case ast.DateLiteral:
		return &expr.Literal{T: types.Of(types.Date).NotNull(), Value: at.Unix() / 86_400}, nil
	case ast.TimeLiteral:
		seconds := int64(at.Hour()*3600 + at.Minute()*60 + at.Second())
		return &expr.Literal{T: types.Type{Kind: types.Time, Precision: digits}, Value: seconds*1000 + nanos/1_000_000}, nil
	default:
		return timestampLiteral(at.Unix(), nanos, digits)
	}
}

func timestampLiteral(seconds, nanos int64, digits int) (*expr.Literal, error) {
	t := types.TimestampOf(digits).NotNull()
	switch {
	case digits <= 3:
		return &expr.Literal{T: t, Value: seconds*1_000 + nanos/1_000_000}, nil
	case digits <= 6:
		return &expr.Literal{T: t, Value: seconds*1_000_000 + nanos/1_000}, nil
	}
	const most = 1<<63 - 1
	if seconds > most/1_000_000_000-1 || seconds < -(most/1_000_000_000) {
		return nil, fmt.Errorf("%s reaches from 1677-09-21 to 2262-04-11", t)
	}
	return &expr.Literal{T: t, Value: seconds*1_000_000_000 + nanos}, nil
}

// months is how many months a unit of an interval has, 0 for those of days and time.
func months(u ast.Unit) int64 {
	switch u {
	case ast.Year:
		return 12
	case ast.Quarter:
		return 3
	case ast.Month:
		return 1
	default:
		return 0
	}
}

func millis(u ast.Unit) int64 {
	switch u {
	case ast.Week:
		return 7 * 86_400_000
	case ast.Day:
		return 86_400_000
	case ast.Hour:
		return 3_600_000
	case ast.Minute:
		return 60_000
	case ast.Second:
		return 1_000
	default:
		return 0
	}
}

// interval returns the constant of an interval: months, or milliseconds.
func (a *analyzer) interval(i *ast.Interval) (*expr.Literal, error) {
	q := i.Qualifier
	text, negative := i.Value, i.Negative
	if rest, minus := strings.CutPrefix(strings.TrimSpace(text), "-"); minus {
		text, negative = rest, !negative
	} else {
		text = strings.TrimPrefix(strings.TrimSpace(text), "+")
	}
	kind, units := types.IntervalDayTime, []ast.Unit{ast.Day, ast.Hour, ast.Minute, ast.Second}
	measure := millis
	if months(q.From) > 0 {
		kind, units, measure = types.IntervalYearMonth, []ast.Unit{ast.Year, ast.Month}, months
	}
	v, err := intervalValue(text, q, units, measure)
	if err != nil {
		return nil, a.failf(i, "'%s' is no INTERVAL %s", i.Value, q)
	}
	if negative {
		v = -v
	}
	if kind == types.IntervalYearMonth && int64(int32(v)) != v {
		return nil, a.failf(i, "INTERVAL '%s' is too long", i.Value)
	}
	return &expr.Literal{T: types.Of(kind).NotNull(), Value: v}, nil
}

// intervalSeparators stand before the unit of the same place: DAY HOUR MINUTE SECOND, or YEAR MONTH.
var intervalSeparators = map[ast.Unit]string{ast.Hour: " ", ast.Minute: ":", ast.Second: ":", ast.Month: "-"}

var errInterval = errors.New("no such interval")

func intervalValue(text string, q ast.Qualifier, units []ast.Unit, measure func(ast.Unit) int64) (int64, error) {
	if q.To == "" {
		return intervalField(text, q.From, measure(q.From))
	}
	var sum int64
	started := false
	for i, u := range units {
		started = started || u == q.From
		if !started {
			continue
		}
		field, rest := text, ""
		if u != q.To && i+1 < len(units) {
			var found bool
			if field, rest, found = strings.Cut(text, intervalSeparators[units[i+1]]); !found {
				return 0, errInterval
			}
		}
		v, err := intervalField(field, u, measure(u))
		if err != nil {
			return 0, err
		}
		if sum += v; sum < 0 {
			return 0, errInterval
		}
		if text = rest; u == q.To {
			return sum, nil
		}
	}
	return 0, errInterval
}

// intervalField is a number of units; seconds may have a fraction.
func intervalField(text string, u ast.Unit, size int64) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if fraction != "" && u != ast.Second || len(whole) > 15 || len(fraction) > 9 {
		return 0, errInterval
	}
	n, err := strconv.ParseUint(whole, 10, 63)
	if err != nil {
		return 0, errInterval
	}
	var part uint64
	if fraction != "" {
		if part, err = strconv.ParseUint((fraction + "00")[:3], 10, 32); err != nil {
			return 0, errInterval
		}
	}
	v := int64(n)*size + int64(part) //nolint:gosec // both are checked above and below.
	if size == 0 || int64(n) > (1<<62)/size {
		return 0, errInterval
	}
	return v, nil
}
