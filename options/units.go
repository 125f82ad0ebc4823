package options

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

type unit struct {
	size  int64
	names []string // the first one is printed
}

// Units in falling order, for printing in the largest that divides.
var (
	durationUnits = []unit{
		{int64(24 * time.Hour), []string{"d", "day", "days"}},
		{int64(time.Hour), []string{"h", "hour", "hours"}},
		{int64(time.Minute), []string{"min", "m", "minute", "minutes"}},
		{int64(time.Second), []string{"s", "sec", "secs", "second", "seconds"}},
		{int64(time.Millisecond), []string{"ms", "milli", "millis", "millisecond", "milliseconds"}},
		{int64(time.Microsecond), []string{"us", "µs", "micro", "micros", "microsecond", "microseconds"}},
		{1, []string{"ns", "nano", "nanos", "nanosecond", "nanoseconds"}},
	}
	memoryUnits = []unit{
		{1 << 40, []string{"tb", "t", "tebibytes"}},
		{1 << 30, []string{"gb", "g", "gibibytes"}},
		{1 << 20, []string{"mb", "m", "mebibytes"}},
		{1 << 10, []string{"kb", "k", "kibibytes"}},
		{1, []string{"b", "bytes"}},
	}
)

// ParseDuration reads Flink's notation of a duration: a whole number that is not negative, and a unit with or without
// space between: "10 s", "1 min", "500ms". Without a unit it is in milliseconds.
func ParseDuration(text string) (time.Duration, error) {
	n, err := parseQuantity(text, "duration", durationUnits, int64(time.Millisecond))
	return time.Duration(n), err
}

// ParseMemorySize reads Flink's notation of a memory size in bytes: a whole number that is not negative, and a binary
// unit with or without space between: "64 mb", "1g". Without a unit it is in bytes.
func ParseMemorySize(text string) (int64, error) {
	return parseQuantity(text, "memory size", memoryUnits, 1)
}

// FormatDuration prints a duration in the largest unit that divides it; ParseDuration reads it back. A negative one
// is printed with a sign, which ParseDuration refuses.
func FormatDuration(d time.Duration) string { return formatQuantity(int64(d), durationUnits) }

// FormatMemorySize prints a size in the largest unit that divides it; ParseMemorySize reads it back.
func FormatMemorySize(bytes int64) string { return formatQuantity(bytes, memoryUnits) }

func parseQuantity(text, what string, units []unit, without int64) (int64, error) {
	trimmed := strings.TrimSpace(text)
	digits := strings.IndexFunc(trimmed, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(trimmed)
	}
	n, err := strconv.ParseInt(trimmed[:digits], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("not a %s (a whole number and a unit): %q", what, shorten(text))
	}
	size, err := sizeOf(strings.TrimSpace(trimmed[digits:]), what, units, without)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64/size {
		return 0, fmt.Errorf("%s too large: %q", what, shorten(text))
	}
	return n * size, nil
}

func sizeOf(name, what string, units []unit, without int64) (int64, error) {
	if name == "" {
		return without, nil
	}
	var known []string
	for _, u := range units {
		for _, alias := range u.names {
			if strings.EqualFold(alias, name) {
				return u.size, nil
			}
		}
		known = append(known, u.names[0])
	}
	return 0, fmt.Errorf("unknown unit of a %s: %q, known are %s", what, shorten(name), strings.Join(known, ", "))
}

func formatQuantity(n int64, units []unit) string {
	smallest := units[len(units)-1]
	for _, u := range units {
		if n != 0 && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.names[0])
		}
	}
	return fmt.Sprintf("%d %s", n, smallest.names[0])
}
