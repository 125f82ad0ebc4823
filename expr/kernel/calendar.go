package kernel

import (
	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

var calendarBinders = map[string]sessionBinder{
	"EXTRACT": bindExtract, "TIMESTAMPADD": bindTimestampAdd, "TIMESTAMPDIFF": bindTimestampDiff,
	"FLOOR": bindRounding, "CEIL": bindRounding,
}

// partOf rewrites YEAR and its like as EXTRACT.
func partOf(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
	return expr.NewCall(reg, "EXTRACT", expr.String(expr.PartOf(e.Func).String()), e.Args[0])
}

// nanosOf returns the nanoseconds of a unit up to a week, 0 of others.
func nanosOf(u expr.Unit) int64 {
	switch u {
	case expr.Nanosecond:
		return 1
	case expr.Microsecond:
		return 1e3
	case expr.Millisecond:
		return 1e6
	case expr.Second:
		return 1e9
	case expr.Minute:
		return 60e9
	case expr.Hour:
		return 3600e9
	case expr.Day:
		return secondsPerDay * 1e9
	case expr.Week:
		return 7 * secondsPerDay * 1e9
	default:
		return 0
	}
}

// above is the unit in which a unit is counted by a clock: seconds of a
// minute, but milliseconds of a second and smaller ones too.
func above(u expr.Unit) int64 {
	switch u {
	case expr.Hour:
		return nanosOf(expr.Day)
	case expr.Minute:
		return nanosOf(expr.Hour)
	case expr.Second:
		return nanosOf(expr.Minute)
	default:
		return nanosOf(expr.Second)
	}
}

// bindExtract binds EXTRACT.
func bindExtract(s *session, e *expr.Call, args []node) (node, error) {
	u, err := expr.UnitOf(e.Args[0])
	if err != nil {
		return nil, err
	}
	t := e.Args[1].Type()
	args = args[1:]
	switch t.Kind {
	case types.Date:
		return strict(e, args, mapLoop(func(x int32) int64 { return datePart(u, int64(x)*secondsPerDay, 1) })), nil
	case types.Time:
		return strict(e, args, mapLoop(func(x int32) int64 { return clockPart(u, int64(x), 1000) })), nil
	case types.IntervalYearMonth:
		return strict(e, args, mapLoop(func(x int32) int64 { return monthsPart(u, int64(x)) })), nil
	case types.IntervalDayTime:
		return strict(e, args, mapLoop(func(x int64) int64 { return intervalPart(u, x) })), nil
	}
	unit := int64(t.Unit())
	if t.Kind == types.TimestampLTZ && u != expr.Epoch {
		return strict(e, args, mapLoop(func(x int64) int64 { return datePart(u, s.local(x, unit), unit) })), nil
	}
	return strict(e, args, timestampPart(u, unit)), nil
}

// timestampPart has loops of their own for what a division gives.
func timestampPart(u expr.Unit, unit int64) loop {
	if u > expr.Hour || above(u) != nanosOf(u)*60 && u != expr.Hour {
		return mapLoop(func(x int64) int64 { return datePart(u, x, unit) })
	}
	tick := int64(1e9) / unit
	whole, part := above(u)/tick, nanosOf(u)/tick
	return func(k *call, out *stream.Vector) error {
		a, o := stream.Values[int64](&k.args[0]), stream.Values[int64](out)
		for i := range o {
			rest := a[i] % whole
			rest += whole & (rest >> 63) // before 1970
			o[i] = rest / part
		}
		return nil
	}
}

// clockPart takes a part of the time of the day.
func clockPart(u expr.Unit, ticks, unit int64) int64 {
	tick := int64(1e9) / unit
	rest := floorMod(ticks, above(u)/tick)
	if per := nanosOf(u); per >= tick {
		return rest / (per / tick)
	}
	return rest * (tick / nanosOf(u))
}

// datePart takes a part of a date or of its time.
func datePart(u expr.Unit, ticks, unit int64) int64 {
	if u <= expr.Hour {
		return clockPart(u, ticks, unit)
	}
	if u == expr.Epoch {
		return floorDiv(ticks, unit)
	}
	days := floorDiv(ticks, unit*secondsPerDay)
	switch u {
	case expr.DayOfWeek:
		return floorMod(days+4, 7) + 1
	case expr.ISODayOfWeek:
		return int64(weekday(days))
	case expr.Week:
		_, week := isoWeek(days)
		return int64(week)
	case expr.ISOYear:
		year, _ := isoWeek(days)
		return int64(year)
	default: // units of the clock and of the calendar follow
	}
	year, month, day := dateOf(days)
	switch u {
	case expr.Day:
		return int64(day)
	case expr.Month:
		return int64(month)
	case expr.Quarter:
		return int64(month+2) / 3
	case expr.DayOfYear:
		return days - dayOf(year, 1, 1) + 1
	case expr.Decade:
		return floorDiv(int64(year), 10)
	case expr.Century:
		return yearsPart(int64(year), 100)
	case expr.Millennium:
		return yearsPart(int64(year), 1000)
	default:
		return int64(year)
	}
}

// yearsPart counts centuries and millennia: the first began with the year 1.
func yearsPart(year, years int64) int64 {
	if year > 0 {
		return (year + years - 1) / years
	}
	return (year - years + 1) / years
}

func monthsPart(u expr.Unit, months int64) int64 {
	switch u {
	case expr.Year:
		return months / 12
	case expr.Quarter:
		return (months%12 + 2) / 3
	default:
		return months % 12
	}
}

// intervalPart takes a part of an interval in milliseconds, with its sign.
func intervalPart(u expr.Unit, millis int64) int64 {
	per := nanosOf(u) / 1e6
	switch u {
	case expr.Day:
		return millis / per
	case expr.Epoch:
		return millis / 1000
	default:
		return millis % (above(u) / 1e6) / per
	}
}

// bindRounding binds FLOOR and CEIL: of a number, and of a time to a unit.
func bindRounding(s *session, e *expr.Call, args []node) (node, error) {
	switch {
	case len(args) == 2:
		return bindTimeRounding(s, e, args)
	case isDecimal(e.Args[0]):
		return bindDecimalRounding(e, args)
	case e.Func == "FLOOR":
		return strictOf(e, args, &floors)
	default:
		return strictOf(e, args, &ceilings)
	}
}

func bindTimeRounding(s *session, e *expr.Call, args []node) (node, error) {
	u, err := expr.UnitOf(e.Args[1])
	if err != nil {
		return nil, err
	}
	t := e.T
	r := rounding{unit: u, up: e.Func == "CEIL"}
	args = args[:1]
	switch t.Kind {
	case types.Date:
		r.ticks = 1
		return careful(e, args, roundLoop[int32](func(x int64) (int64, bool) {
			r.perDay = 1
			y, ok := r.round(x)
			return y, ok && y == int64(int32(y))
		})), nil
	case types.Time:
		r.ticks, r.perDay = 1000, millisPerDay
		return careful(e, args, roundLoop[int32](func(x int64) (int64, bool) {
			y, ok := r.round(x)
			return floorMod(y, millisPerDay), ok // the next day begins at 0
		})), nil
	}
	unit := int64(t.Unit())
	r.ticks, r.perDay = unit, unit*secondsPerDay
	if t.Kind == types.TimestampLTZ {
		return careful(e, args, roundLoop[int64](func(x int64) (int64, bool) {
			y, ok := r.round(s.local(x, unit))
			return s.utc(y, unit), ok
		})), nil
	}
	return careful(e, args, roundLoop[int64](r.round)), nil
}

func roundLoop[T int32 | int64](round func(int64) (int64, bool)) loop {
	return func(k *call, out *stream.Vector) error {
		a, o := operandOf[T](&k.args[0]), stream.Values[T](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			x, ok := round(int64(a.at(i)))
			if !ok {
				return k.fail(i, errTimeRange)
			}
			o[i] = T(x)
		}
		return nil
	}
}

// rounding is FLOOR or CEIL to a unit, of times with so many ticks a second
// and a day.
type rounding struct {
	unit          expr.Unit
	up            bool
	ticks, perDay int64
}

// round returns the time, false if it is out of range.
func (r *rounding) round(x int64) (int64, bool) {
	if r.unit <= expr.Hour {
		return r.roundClock(x)
	}
	days := floorDiv(x, r.perDay)
	low := r.begin(days, 0)
	if r.up && low*r.perDay != x {
		low = r.begin(days, 1)
	}
	y, over := mulOverflow(low, r.perDay)
	return y, !over
}

// roundClock rounds to a unit of a clock; one finer than the ticks changes nothing.
func (r *rounding) roundClock(x int64) (int64, bool) {
	if r.perDay == 1 {
		return x, true // the beginning of a day is that of its hours
	}
	per := nanosOf(r.unit) / (int64(1e9) / r.ticks)
	if per <= 1 {
		return x, true
	}
	y := x - floorMod(x, per)
	if r.up && y != x {
		return y + per, y+per > y
	}
	return y, y <= x
}

// begin returns the first day of the unit that a day is in, or of the one
// that is so many units further. Weeks begin on Sunday.
func (r *rounding) begin(days int64, further int) int64 {
	switch r.unit {
	case expr.Day:
		return days + int64(further)
	case expr.Week:
		return days - floorMod(days+4, 7) + 7*int64(further)
	default: // months and what is made of them follow
	}
	year, month, _ := dateOf(days)
	switch r.unit {
	case expr.Month:
		return dayOf(year, month+further, 1)
	case expr.Quarter:
		return dayOf(year, (month-1)/3*3+1+3*further, 1)
	case expr.Decade:
		return dayOf(int(floorDiv(int64(year), 10))*10+10*further, 1, 1)
	case expr.Century:
		return dayOf(int(floorDiv(int64(year-1), 100))*100+1+100*further, 1, 1)
	case expr.Millennium:
		return dayOf(int(floorDiv(int64(year-1), 1000))*1000+1+1000*further, 1, 1)
	default:
		return dayOf(year+further, 1, 1)
	}
}
