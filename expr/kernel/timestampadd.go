package kernel

import (
	"millrace/expr"
	"millrace/stream"
	"millrace/types"
)

// monthsOf returns the months of a unit, 0 of one that has days.
func monthsOf(u expr.Unit) int64 {
	switch u {
	case expr.Month:
		return 1
	case expr.Quarter:
		return 3
	case expr.Year:
		return 12
	case expr.Decade:
		return 120
	case expr.Century:
		return 1200
	case expr.Millennium:
		return 12_000
	default:
		return 0
	}
}

// monthsMax keeps a moved date within what can be computed of it.
const monthsMax = 1 << 31

// bindTimestampAdd binds TIMESTAMPADD(unit, n, time).
func bindTimestampAdd(s *session, e *expr.Call, args []node) (node, error) {
	u, err := expr.UnitOf(e.Args[0])
	if err != nil {
		return nil, err
	}
	from := e.Args[2].Type()
	m := mover{session: s, per: nanosOf(u), months: monthsOf(u), zoned: from.Kind == types.TimestampLTZ}
	args = args[1:]
	switch e.T.Kind {
	case types.Date:
		m.perDay = 1
		m.scale = 1
		m.per /= nanosOf(expr.Day)
		return careful(e, args, moveLoop[int32, int32](&m)), nil
	case types.Time:
		m.perDay, m.scale = millisPerDay, 1
		m.per = floorMod(m.per/1e6, millisPerDay)
		m.clock = true
		return careful(e, args, moveLoop[int32, int32](&m)), nil
	}
	unit := int64(e.T.Unit())
	m.unit, m.perDay = unit, unit*secondsPerDay
	m.per /= int64(1e9) / unit
	if from.Kind == types.Date {
		m.scale = m.perDay
		return careful(e, args, moveLoop[int32, int64](&m)), nil
	}
	m.scale = unit / int64(from.Unit())
	return careful(e, args, moveLoop[int64, int64](&m)), nil
}

// mover adds a number of units to a time.
type mover struct {
	session     *session
	per, months int64 // ticks of the unit, or months
	unit        int64 // ticks a second
	perDay      int64 // ticks a day
	scale       int64 // ticks of the result in one of the argument
	zoned       bool
	clock       bool // a TIME, which goes round
}

func moveLoop[F, T int32 | int64](m *mover) loop {
	return func(k *call, out *stream.Vector) error {
		n, a, o := operandOf[int64](&k.args[0]), operandOf[F](&k.args[1]), stream.Values[T](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			x, ok := m.move(int64(a.at(i)), n.at(i))
			if !ok || x != int64(T(x)) {
				return k.fail(i, errTimeRange)
			}
			o[i] = T(x)
		}
		return nil
	}
}

// move returns the time, false if it is out of range.
func (m *mover) move(x, n int64) (int64, bool) {
	x, over := mulOverflow(x, m.scale)
	if over {
		return 0, false
	}
	if m.months > 0 {
		return m.moveMonths(x, n)
	}
	if m.clock {
		n %= millisPerDay
	}
	by, over := mulOverflow(n, m.per)
	sum := x + by
	if m.clock {
		return floorMod(sum, millisPerDay), true
	}
	return sum, !over && (x^sum)&(by^sum) >= 0
}

func (m *mover) moveMonths(x, n int64) (int64, bool) {
	if n > monthsMax/m.months || n < -monthsMax/m.months {
		return 0, false
	}
	if m.zoned {
		x = m.session.local(x, m.unit)
	}
	days, rest := floorDiv(x, m.perDay), floorMod(x, m.perDay)
	days = monthsLater(days, n*m.months)
	moved, over := mulOverflow(days, m.perDay)
	if over || moved > 1<<63-1-rest {
		return 0, false
	}
	x = moved + rest
	if m.zoned {
		x = m.session.utc(x, m.unit)
	}
	return x, true
}

// monthsLater moves a day by months; a day that the month lacks is its last one.
func monthsLater(days, months int64) int64 {
	y, m, d := dateOf(days)
	total := int64(y)*12 + int64(m) - 1 + months
	y, m = int(floorDiv(total, 12)), int(floorMod(total, 12))+1
	return dayOf(y, m, min(d, daysOf(y, m)))
}

// bindTimestampDiff binds TIMESTAMPDIFF(unit, from, to).
func bindTimestampDiff(s *session, e *expr.Call, args []node) (node, error) {
	u, err := expr.UnitOf(e.Args[0])
	if err != nil {
		return nil, err
	}
	t := e.Args[1].Type()
	args = args[1:]
	d := difference{session: s, unit: int64(t.Unit()), per: nanosOf(u), months: monthsOf(u), zoned: t.Kind == types.TimestampLTZ}
	if t.Kind == types.Date {
		d.unit = 1
		read := func(k *call) func(int) (int64, int64) {
			a, b := operandOf[int32](&k.args[0]), operandOf[int32](&k.args[1])
			return func(i int) (int64, int64) { return int64(a.at(i)) * secondsPerDay, int64(b.at(i)) * secondsPerDay }
		}
		return d.node(e, args, read), nil
	}
	return d.node(e, args, func(k *call) func(int) (int64, int64) {
		a, b := operandOf[int64](&k.args[0]), operandOf[int64](&k.args[1])
		return func(i int) (int64, int64) { return a.at(i), b.at(i) }
	}), nil
}

// difference counts the whole units between two times.
type difference struct {
	session     *session
	unit        int64 // ticks a second
	per, months int64 // nanoseconds, or months, of the unit
	zoned       bool
}

func (d *difference) node(e *expr.Call, args []node, reader func(k *call) func(int) (int64, int64)) node {
	if e.T.Kind == types.BigInt {
		return careful(e, args, diffLoop[int64](d, reader))
	}
	return careful(e, args, diffLoop[int32](d, reader))
}

func diffLoop[T int32 | int64](d *difference, reader func(k *call) func(int) (int64, int64)) loop {
	return func(k *call, out *stream.Vector) error {
		at, o := reader(k), stream.Values[T](out)
		for i := range o {
			if !k.alive(i) {
				continue
			}
			x, ok := d.between(at(i))
			if !ok {
				return k.fail(i, errTimeRange)
			}
			o[i] = T(x)
		}
		return nil
	}
}

// between returns the whole units from one time to another, negative if it is
// earlier; false if the distance is out of range.
func (d *difference) between(from, to int64) (int64, bool) {
	if d.months > 0 {
		if d.zoned {
			from, to = d.session.local(from, d.unit), d.session.local(to, d.unit)
		}
		if to < from {
			return -d.monthsBetween(to, from) / d.months, true
		}
		return d.monthsBetween(from, to) / d.months, true
	}
	diff := to - from
	if (to^from)&(to^diff) < 0 {
		return 0, false
	}
	tick := int64(1e9) / d.unit
	if d.per >= tick {
		return diff / (d.per / tick), true
	}
	x, over := mulOverflow(diff, tick/d.per)
	return x, !over
}

// monthsBetween returns the months that fit between two times, the first not later.
func (d *difference) monthsBetween(from, to int64) int64 {
	perDay := d.unit * secondsPerDay
	day, rest := floorDiv(from, perDay), floorMod(from, perDay)
	last, lastRest := floorDiv(to, perDay), floorMod(to, perDay)
	y, m, _ := dateOf(day)
	y2, m2, _ := dateOf(last)
	months := int64(y2-y)*12 + int64(m2-m)
	if reached := monthsLater(day, months); reached > last || reached == last && rest > lastRest {
		months--
	}
	return months
}
