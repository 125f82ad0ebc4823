package expr

import (
	"fmt"
	"strings"

	"millrace/types"
)

// Unit is a unit of time, or a part of a date, as EXTRACT, FLOOR, CEIL,
// TIMESTAMPADD and TIMESTAMPDIFF take it: a constant text.
type Unit uint8

// The units, from the smallest up, and the parts that are no units.
const (
	Nanosecond Unit = iota + 1
	Microsecond
	Millisecond
	Second
	Minute
	Hour
	Day
	Week
	Month
	Quarter
	Year
	Decade
	Century
	Millennium
	DayOfWeek    // 1 for Sunday
	ISODayOfWeek // 1 for Monday
	DayOfYear
	ISOYear
	Epoch // seconds since 1970
)

var unitNames = [...]string{
	"", "NANOSECOND", "MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR",
	"DECADE", "CENTURY", "MILLENNIUM", "DOW", "ISODOW", "DOY", "ISOYEAR", "EPOCH",
}

// String returns the name in SQL.
func (u Unit) String() string {
	if int(u) < len(unitNames) {
		return unitNames[u]
	}
	return fmt.Sprintf("UNIT(%d)", uint8(u))
}

// UnitOf returns the unit that a constant names, in any case and with or
// without SQL_TSI_ before it.
func UnitOf(e Expr) (Unit, error) {
	l, ok := e.(*Literal)
	if !ok {
		return 0, fmt.Errorf("a unit of time must be a constant")
	}
	name, ok := l.Value.(string)
	if !ok {
		return 0, fmt.Errorf("%s is no unit of time", e)
	}
	short := strings.TrimPrefix(strings.ToUpper(name), "SQL_TSI_")
	for u := Nanosecond; int(u) < len(unitNames); u++ {
		if unitNames[u] == short {
			return u, nil
		}
	}
	return 0, fmt.Errorf("%q is no unit of time; units are %s", name, strings.Join(unitNames[1:], ", "))
}

// isUnit: a length of time, no part of a date.
func isUnit(u Unit) bool { return u <= Millennium }

// extractable tells whether a type of time has a part.
func extractable(u Unit, t types.Type) bool {
	switch t.Kind {
	case types.Date, types.Timestamp, types.TimestampLTZ:
		return true
	case types.Time:
		return u <= Hour
	case types.IntervalDayTime:
		return u >= Millisecond && u <= Day || u == Epoch
	case types.IntervalYearMonth:
		return u == Month || u == Quarter || u == Year
	default:
		return false
	}
}
