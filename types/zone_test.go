package types

import (
	"testing"
	"time"
)

func TestZoneNames(t *testing.T) {
	for name, want := range map[string]int{"UTC": 0, "GMT+08:00": 28800, "GMT-3": -10800, "+05:30": 19800, "Asia/Tokyo": 32400, "UTC+1": 3600} {
		zone, err := LoadZone(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if _, ahead := time.Unix(0, 0).In(zone).Zone(); ahead != want {
			t.Errorf("%s is %d seconds ahead, want %d", name, ahead, want)
		}
	}
	for _, name := range []string{"", "Local", "Mars", "GMT+", "GMT+19:00", "GMT+1:60", "GMT+1:5x", "../etc/passwd"} {
		if zone, err := LoadZone(name); err == nil {
			t.Errorf("%q is %s", name, zone)
		}
	}
}
