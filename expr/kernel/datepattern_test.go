package kernel

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/types"
)

// TestCivilEqualsTime compares our calendar with Go's.
func TestCivilEqualsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Int64Range(-70_000_000_000, 300_000_000_000).Draw(t, "seconds")
		nanos := rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")
		want := time.Unix(seconds, nanos).UTC()
		c := civilOf(seconds*1000+nanos/1e6, 1000)
		y, m, d := want.Date()
		if c.year != y || c.month != int(m) || c.day != d || c.hour != want.Hour() || c.minute != want.Minute() || c.second != want.Second() || c.nanos != int(nanos/1e6*1e6) {
			t.Fatalf("%s is %+v", want, c)
		}
		year, week := want.ISOWeek()
		if gotYear, gotWeek := isoWeek(c.days); gotYear != year || gotWeek != week {
			t.Fatalf("%s is in week %d of %d", want, gotWeek, gotYear)
		}
		if dayOf(c.year, c.month, c.day) != c.days || weekday(c.days)%7 != int(want.Weekday()) || yearDay(&c) != want.YearDay() {
			t.Fatalf("%s: day %d, weekday %d, day of the year %d", want, dayOf(c.year, c.month, c.day), weekday(c.days), yearDay(&c))
		}
	})
}

// TestZonesEqualTime compares the way to local time and back with Go's.
func TestZonesEqualTime(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"} {
		zone, err := types.LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(Session{Zone: zone})
		rapid.Check(t, func(t *rapid.T) {
			seconds := rapid.Int64Range(-2_000_000_000, 3_000_000_000).Draw(t, "seconds")
			_, ahead := time.Unix(seconds, 0).In(zone).Zone()
			if got := s.local(seconds*1000, 1000); got != (seconds+int64(ahead))*1000 {
				t.Fatalf("%d in %s is %d", seconds, zone, got)
			}
			local := seconds + int64(ahead)
			if back := s.utc(local, 1); s.local(back, 1) != local || back > seconds {
				t.Fatalf("%d in %s was %d, comes back as %d", local, zone, seconds, back)
			}
		})
	}
}

func TestDatePatternsWithQuotes(t *testing.T) {
	c := civilOf(1_709_211_909_123, 1000)
	for pattern, want := range map[string]string{
		"yyyy'T'HH": "2024T13", "h 'o''clock' a": "1 o'clock PM", "''yy''": "'24'", "'a''b'": "a'b", "yyyy年M月": "2024年2月", "": "",
	} {
		d, err := compileDatePattern([]byte(pattern))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := string(d.append(nil, &c)); got != want {
			t.Errorf("%s prints %s, want %s", pattern, got, want)
		}
	}
	for _, pattern := range []string{"'", "yyyy'T", "B", "YYYY", "ww", "z", "XXX", "{", "#", "ddd", "MMMMMM", "SSSSSSSSSS"} {
		if _, err := compileDatePattern([]byte(pattern)); err == nil {
			t.Errorf("%s was taken", pattern)
		}
	}
}

func TestYearsOfManyDigits(t *testing.T) {
	for year, want := range map[int]string{12024: "12024 24 +12024 12024", -4: "5 05 0005 -4", 0: "1 01 0001 0"} {
		c := civil{year: year, month: 1, day: 1}
		d, err := compileDatePattern([]byte("y yy yyyy u"))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(d.append(nil, &c)); got != want {
			t.Errorf("%d prints as %s, want %s", year, got, want)
		}
	}
}

// FuzzDatePattern: neither pattern nor text makes anything panic, and what a
// pattern with a whole date and time prints, it reads.
func FuzzDatePattern(f *testing.F) {
	f.Add("yyyy-MM-dd HH:mm:ss.SSS", "2024-02-29 13:05:09.123", int64(1_709_211_909_123))
	f.Add("EEE, d MMM yyyy h:mm a", "Thu, 29 Feb 2024 1:05 PM", int64(-1))
	f.Add("yyyyMMddHHmmssSSS", "20240229130509123", int64(253_402_300_799_999))
	f.Add("D yy k 'of'", "60 24 24 of", int64(0))
	f.Fuzz(func(t *testing.T, pattern, text string, millis int64) {
		d, err := compileDatePattern([]byte(pattern))
		if err != nil {
			return
		}
		d.parse([]byte(text))
		c := civilOf(millis, 1000)
		printed := d.append(nil, &c)
		d.parse(printed)
		if c.year < 1 || c.year > 9999 || !strings.HasPrefix(pattern, "yyyy-MM-dd HH:mm:ss.SSS") || strings.ContainsAny(pattern[23:], "GEQqnuyMLdDHkKhmsSa") {
			return
		}
		back, ok := d.parse(printed)
		if ticks, whole := back.ticks(1000); !ok || !whole || ticks != millis {
			t.Errorf("%s prints %d as %s, and reads %d (%v)", pattern, millis, printed, ticks, ok)
		}
	})
}
