package kernel

import "time"

// civil is a point of time as a calendar and a clock show it.
type civil struct {
	year, month, day     int
	hour, minute, second int
	nanos                int // of the second
	days                 int64
}

// dateOf returns the Gregorian date of a day counted from 1970. It counts in
// eras of 400 years that begin in March, where the leap day is the last one.
func dateOf(days int64) (year, month, day int) {
	const era = 146_097
	z := days + 719_468 // from 0000-03-01
	e := floorDiv(z, era)
	d := z - e*era // day of the era
	y := (d - d/1460 + d/36_524 - d/146_096) / 365
	d -= 365*y + y/4 - y/100 // day of the year that began in March
	m := (5*d + 2) / 153
	day = int(d - (153*m+2)/5 + 1)
	month = int(m) + 3
	year = int(y + e*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

// dayOf is the day, counted from 1970, of a Gregorian date; the month may be
// any, the day too.
func dayOf(year, month, day int) int64 {
	m := int64(month) - 1
	y := int64(year) + floorDiv(m, 12)
	if m = floorMod(m, 12) + 1; m <= 2 {
		y--
		m += 12
	}
	e := floorDiv(y, 400)
	ofEra := y - e*400
	ofYear := (153*(m-3)+2)/5 + int64(day) - 1
	return e*146_097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719_468
}

// civilOf splits ticks since 1970, of which there are so many a second.
func civilOf(ticks, unit int64) civil {
	seconds := floorDiv(ticks, unit)
	c := civil{days: floorDiv(seconds, secondsPerDay), nanos: int((ticks - seconds*unit) * (int64(time.Second) / unit))}
	c.year, c.month, c.day = dateOf(c.days)
	rest := int(seconds - c.days*secondsPerDay)
	c.hour, c.minute, c.second = rest/3600, rest/60%60, rest%60
	return c
}

// weekday is 1 for Monday to 7 for Sunday.
func weekday(days int64) int { return int(floorMod(days+3, 7)) + 1 }

func yearDay(c *civil) int { return int(c.days-dayOf(c.year, 1, 1)) + 1 }

// isoWeek returns the week of a day, and the year that the week belongs to:
// the one of its Thursday.
func isoWeek(days int64) (year, week int) {
	thursday := days + 4 - int64(weekday(days))
	year, _, _ = dateOf(thursday)
	return year, int(thursday-dayOf(year, 1, 1))/7 + 1
}

// local moves ticks of UTC to what clocks of the zone show.
func (s *session) local(ticks, unit int64) int64 {
	if s.zone == time.UTC {
		return ticks
	}
	return ticks + s.offset(floorDiv(ticks, unit))*unit
}

// offset returns the seconds that the zone is ahead of UTC at a time, in
// seconds since 1970.
func (s *session) offset(seconds int64) int64 {
	if seconds >= s.since && seconds < s.until {
		return s.ahead
	}
	t := time.Unix(seconds, 0).In(s.zone)
	_, ahead := t.Zone()
	s.ahead = int64(ahead)
	from, to := t.ZoneBounds()
	s.since, s.until = -1<<62, 1<<62
	if !from.IsZero() {
		s.since = from.Unix()
	}
	if !to.IsZero() {
		s.until = to.Unix()
	}
	return s.ahead
}

// utc is the inverse of local. A time that clocks show twice is the first of
// both; one that they leave out is as much later as they are put on, as Java has it.
func (s *session) utc(ticks, unit int64) int64 {
	if s.zone == time.UTC {
		return ticks
	}
	seconds := floorDiv(ticks, unit)
	before, after := s.offset(seconds-secondsPerDay), s.offset(seconds+secondsPerDay)
	ahead := before
	if before != after && s.offset(seconds-before) != before && s.offset(seconds-after) == after {
		ahead = after
	}
	return ticks - ahead*unit
}
