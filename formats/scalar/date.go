package scalar

import (
	"strconv"
)

// ParseDate reads yyyy-MM-dd, or a longer year with a sign, and returns days
// since 1970. Lenient, it takes a day that the month lacks, up to the 31st,
// for the month's last, as Java's smart resolver does.
func ParseDate(s []byte, lenient bool) (int64, bool) {
	if len(s) < 10 {
		return 0, false
	}
	y, monthDay := s[:len(s)-6], s[len(s)-6:]
	year, ok := parseYear(y)
	if !ok || monthDay[0] != '-' || monthDay[3] != '-' {
		return 0, false
	}
	month, ok1 := twoDigits(monthDay[1:])
	day, ok2 := twoDigits(monthDay[4:])
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false
	}
	if last := LastDay(year, month); day > last {
		if !lenient {
			return 0, false
		}
		day = last
	}
	return DaysOf(year, month, day), true
}

// dateLen returns the length of a date at the start of s, whatever its year:
// up to the tenth byte or, with a sign, as far as digits and hyphens go.
func dateLen(s []byte) int {
	n := 0
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		n = 1
	}
	for n < len(s) && (s[n]-'0' <= 9 || s[n] == '-') {
		n++
	}
	return n
}

// parseYear reads four digits; five to nine behind a plus; four to nine behind
// a minus.
func parseYear(s []byte) (int, bool) {
	negative, digitsMin, digitsMax := false, 4, 4
	switch s[0] {
	case '-':
		negative, digitsMax, s = true, 9, s[1:]
	case '+':
		digitsMin, digitsMax, s = 5, 9, s[1:]
	}
	if len(s) < digitsMin || len(s) > digitsMax || digits(s, 0) != len(s) {
		return 0, false
	}
	year := 0
	for _, c := range s {
		year = year*10 + int(c-'0')
	}
	if negative {
		year = -year
	}
	return year, true
}

func twoDigits(s []byte) (int, bool) {
	if len(s) < 2 || s[0]-'0' > 9 || s[1]-'0' > 9 {
		return 0, false
	}
	return int(s[0]-'0')*10 + int(s[1]-'0'), true
}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// LastDay returns the last day of a month.
func LastDay(year, month int) int {
	switch month {
	case 2:
		if isLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// An era is the 400 years after which the Gregorian calendar repeats. Counting
// years from March puts the leap day at a year's end.
const (
	daysOfEra   = 146_097
	daysTo1970  = 719_468 // from 1 March of the year 0
	marchOffset = 3
)

// DaysOf returns the days from 1 January 1970 to a date of the proleptic
// Gregorian calendar.
func DaysOf(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m < marchOffset {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yearOfEra := y - era*400
	dayOfYear := (153*(m-marchOffset)+2)/5 + int64(day) - 1
	return era*daysOfEra + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - daysTo1970
}

// DateOf is the inverse of DaysOf.
func DateOf(days int64) (year, month, day int) {
	days += daysTo1970
	era := floorDiv(days, daysOfEra)
	dayOfEra := days - era*daysOfEra
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36_524 - dayOfEra/(daysOfEra-1)) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	day = int(dayOfYear - (153*m+2)/5 + 1)
	year, month = int(yearOfEra+era*400), int(m)+marchOffset
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// appendTwo appends a number below 100 with both digits.
func appendTwo(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }

// AppendDate appends days since 1970 as yyyy-MM-dd, a year beyond four digits
// with its sign.
func AppendDate(dst []byte, days int64) []byte {
	year, month, day := DateOf(days)
	if year < 0 {
		dst = append(dst, '-')
		year = -year
	} else if year > 9999 {
		dst = append(dst, '+')
	}
	if year <= 9999 {
		dst = appendTwo(appendTwo(dst, year/100), year%100)
	} else {
		dst = strconv.AppendInt(dst, int64(year), 10)
	}
	dst = appendTwo(append(dst, '-'), month)
	return appendTwo(append(dst, '-'), day)
}

// digits returns where the digits that begin at i end.
func digits(p []byte, i int) int {
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	return i
}
