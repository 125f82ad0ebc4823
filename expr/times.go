package expr

import (
	"fmt"

	"millrace/types"
)

// The types that functions of time give.
var (
	bigint    = types.Of(types.BigInt)
	double    = types.Of(types.Double)
	date      = types.Of(types.Date)
	clockTime = types.Type{Kind: types.Time, Nullable: true}
	timestamp = types.TimestampOf(3)
	instant   = types.TimestampLTZOf(3)
)

var (
	unitParam  = param{isText, "a unit of time", types.StringType(), true}
	timeParam  = param{isTemporal, "a time", types.TimestampOf(3), true}
	momentText = param{func(t types.Type) bool { return isTimestamp(t) || t.Kind == types.Date || isText(t) }, "a timestamp or text", types.TimestampOf(3), true}
)

func times() []Signature {
	table := []Signature{
		{Name: "EXTRACT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: extractParams, ResolveArgs: extractType, Constants: []int{0}, Zoned: true, Doc: "A part of a time or interval."},
		{Name: "DATE_FORMAT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: dateFormatParams, Resolve: nullable(types.StringType()), Zoned: true, Doc: "A time printed by a pattern of Java's DateTimeFormatter."},
		{Name: "TO_DATE", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: parameters(textParam), Resolve: nullable(date), Doc: "The date that a text shows, by a pattern, yyyy-MM-dd without one; NULL where it does not fit."},
		{Name: "TO_TIMESTAMP", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: parameters(textParam), Resolve: nullable(timestamp), Doc: "The timestamp that a text shows, by a pattern, yyyy-MM-dd HH:mm:ss without one; NULL where it does not fit."},
		{Name: "TO_TIMESTAMP_LTZ", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: parameters(param{isNumber, "a number", bigint, true}, intParam), Resolve: nullable(instant), Doc: "The moment of a number of seconds (precision 0) or milliseconds (precision 3, the default) since 1970."},
		{Name: "FROM_UNIXTIME", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: parameters(bigintParam, textParam), Resolve: nullable(types.StringType()), Zoned: true, Doc: "Seconds since 1970 printed by a pattern, yyyy-MM-dd HH:mm:ss without one, in the session's time zone."},
		{Name: "UNIX_TIMESTAMP", Kind: ScalarFunc, MinArgs: 0, MaxArgs: 2, Params: parameters(textParam), Resolve: always(bigint), Zoned: true, Varies: true, Doc: "Seconds since 1970: of now, or of what a text shows by a pattern in the session's time zone."},
		{Name: "CONVERT_TZ", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: parameters(textParam), Resolve: nullable(types.StringType()), Doc: "A text of the form yyyy-MM-dd HH:mm:ss moved from one time zone to another."},
		{Name: "TIMESTAMPADD", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: parameters(unitParam, bigintParam, timeParam), ResolveArgs: addedType, Constants: []int{0}, Zoned: true, Doc: "A time moved by a number of units."},
		{Name: "TIMESTAMPDIFF", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: differenceParams, ResolveArgs: differenceType, Constants: []int{0}, Zoned: true, Doc: "The whole units from the first time to the second."},
	}
	for _, f := range []struct{ name, doc string }{
		{"YEAR", "The year of a date."},
		{"QUARTER", "The quarter of the year, 1 to 4."},
		{"MONTH", "The month, 1 to 12."},
		{"WEEK", "The week of the year by ISO 8601, 1 to 53."},
		{"DAYOFYEAR", "The day of the year, 1 to 366."},
		{"DAYOFMONTH", "The day of the month, 1 to 31."},
		{"DAYOFWEEK", "The day of the week, 1 for Sunday to 7."},
		{"HOUR", "The hour, 0 to 23."},
		{"MINUTE", "The minute, 0 to 59."},
		{"SECOND", "The second, 0 to 59."},
	} {
		table = append(table, Signature{Name: f.name, Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: parameters(timeParam), ResolveArgs: partType(f.name), Zoned: true, Doc: f.doc})
	}
	for _, f := range []struct {
		name string
		t    types.Type
		doc  string
	}{
		{"CURRENT_TIMESTAMP", instant, "The time."},
		{"NOW", instant, "Same as CURRENT_TIMESTAMP."},
		{"CURRENT_ROW_TIMESTAMP", instant, "The time when the row is computed, also in a bounded query."},
		{"PROCTIME", instant, "The processing time."},
		{"LOCALTIMESTAMP", timestamp, "The time in the session's time zone."},
		{"CURRENT_DATE", date, "The date in the session's time zone."},
		{"CURRENT_TIME", clockTime, "The time of the day in the session's time zone."},
		{"LOCALTIME", clockTime, "Same as CURRENT_TIME."},
	} {
		table = append(table, Signature{Name: f.name, Kind: ScalarFunc, Resolve: neverNull(f.t), Varies: true, Zoned: true, Doc: f.doc})
	}
	return table
}

// PartOf returns the unit of which a function like YEAR is EXTRACT.
func PartOf(name string) Unit {
	switch name {
	case "DAYOFYEAR":
		return DayOfYear
	case "DAYOFMONTH":
		return Day
	case "DAYOFWEEK":
		return DayOfWeek
	default:
		u, _ := UnitOf(String(name)) // the others have the unit's name
		return u
	}
}

func partType(name string) func([]Expr) (types.Type, error) {
	return func(args []Expr) (types.Type, error) {
		return extracted(PartOf(name), args[0].Type())
	}
}

func extracted(u Unit, t types.Type) (types.Type, error) {
	if !extractable(u, t) {
		return types.Type{}, fmt.Errorf("%s has no %s", t, u)
	}
	return nullableIfAny(bigint, []types.Type{t}), nil
}

func extractParams(args []types.Type) ([]types.Type, error) {
	return parameters(unitParam, param{func(t types.Type) bool { return isTemporal(t) || isInterval(t) }, "a time or interval", types.TimestampOf(3), true})(args)
}

func extractType(args []Expr) (types.Type, error) {
	u, err := UnitOf(args[0])
	if err != nil {
		return types.Type{}, err
	}
	return extracted(u, args[1].Type())
}

// dateFormatParams makes a timestamp of a date. Text stays, since what is no
// timestamp gives NULL where a cast would fail.
func dateFormatParams(args []types.Type) ([]types.Type, error) {
	out, err := parameters(momentText, textParam)(args)
	if err == nil && out[0].Kind == types.Date {
		out[0] = types.TimestampOf(3)
	}
	return out, err
}

// addedType is that of the time, or of a timestamp where a date gets hours.
func addedType(args []Expr) (types.Type, error) {
	u, err := UnitOf(args[0])
	if err != nil {
		return types.Type{}, err
	}
	t := args[2].Type()
	switch {
	case !isUnit(u):
		return types.Type{}, fmt.Errorf("%s is no length of time", u)
	case t.Kind == types.Date && u < Day:
		t = types.TimestampOf(fractionDigits(u))
	case t.Kind == types.Time && (u > Hour || u < Millisecond):
		return types.Type{}, fmt.Errorf("%s can't be moved by a %s", t, u)
	case isTimestamp(t):
		t.Precision = max(t.Precision, fractionDigits(u))
	}
	return nullableIfAny(t, typesOf(args)), nil
}

// fractionDigits are those of a second that a unit needs.
func fractionDigits(u Unit) int {
	switch u {
	case Nanosecond:
		return 9
	case Microsecond:
		return 6
	case Millisecond:
		return 3
	default:
		return 0
	}
}

// differenceParams brings two times to one type.
func differenceParams(args []types.Type) ([]types.Type, error) {
	out, err := parameters(unitParam, param{func(t types.Type) bool { return isTimestamp(t) || t.Kind == types.Date }, "a date or timestamp", types.TimestampOf(3), true})(args)
	if err != nil {
		return nil, err
	}
	for i := 1; i < 3; i++ {
		if out[i].Kind == types.Date && out[3-i].Kind != types.Date {
			out[i] = out[3-i]
		}
	}
	t, err := CommonType(out[1], out[2])
	if err != nil {
		return nil, err
	}
	out[1], out[2] = t, t
	return out, nil
}

func differenceType(args []Expr) (types.Type, error) {
	u, err := UnitOf(args[0])
	switch {
	case err != nil:
		return types.Type{}, err
	case !isUnit(u):
		return types.Type{}, fmt.Errorf("%s is no length of time", u)
	case u < Millisecond:
		return nullableIfAny(bigint, typesOf(args)), nil
	default:
		return nullableIfAny(integer, typesOf(args)), nil
	}
}

// roundedType types FLOOR and CEIL: of a number, and of a time to a unit.
func roundedType(args []Expr) (types.Type, error) {
	t := args[0].Type()
	if len(args) == 1 {
		if !isNumber(t) {
			return types.Type{}, refuse(0, t, "a number")
		}
		return wholeNumber([]types.Type{t})
	}
	if !isTemporal(t) {
		return types.Type{}, refuse(0, t, "a time")
	}
	u, err := UnitOf(args[1])
	switch {
	case err != nil:
		return types.Type{}, err
	case !isUnit(u) || !extractable(u, t):
		return types.Type{}, fmt.Errorf("%s can't be rounded to a %s", t, u)
	}
	return t, nil
}

// roundedParams lets what roundedType knows pass.
func roundedParams(args []types.Type) ([]types.Type, error) {
	first := param{func(t types.Type) bool { return isNumber(t) || isTemporal(t) }, "a number or time", integer, true}
	return parameters(first, unitParam)(args)
}

// nullable makes a Resolve that gives a type with NULL, whatever the arguments.
func nullable(t types.Type) func([]types.Type) (types.Type, error) {
	return func([]types.Type) (types.Type, error) { return t.AsNullable(), nil }
}
