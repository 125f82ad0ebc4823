package types

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are the same on every machine
)

// LoadZone finds a time zone by the name that Flink's table.local-time-zone and CONVERT_TZ take: of the IANA data base, UTC, or
// an offset such as GMT+08:00.
func LoadZone(name string) (*time.Location, error) {
	if offset, ok := zoneOffset(name); ok {
		return time.FixedZone(name, offset), nil
	}
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("no time zone %q", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("no time zone %q; names are such as Europe/Berlin, UTC and GMT+08:00", name)
	}
	return zone, nil
}

// zoneOffset reads GMT, UTC or nothing, a sign, and h, hh, h:mm or hh:mm, as seconds.
func zoneOffset(name string) (seconds int, ok bool) {
	if len(name) > 3 && (name[:3] == "GMT" || name[:3] == "UTC") {
		name = name[3:]
	}
	if len(name) < 2 || name[0] != '+' && name[0] != '-' {
		return 0, false
	}
	hours, minutes, both := strings.Cut(name[1:], ":")
	h, ok := zoneNumber(hours, 1, 18)
	if !ok {
		return 0, false
	}
	m := 0
	if both {
		if m, ok = zoneNumber(minutes, 2, 59); !ok {
			return 0, false
		}
	}
	if seconds = h*3600 + m*60; name[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// zoneNumber reads two digits, or least, up to a number.
func zoneNumber(text string, least, most int) (int, bool) {
	if len(text) < least || len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n <= most
}
