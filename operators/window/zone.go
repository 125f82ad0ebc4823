package window

import (
	"math"
	"time"

	"millrace/stream"
	"millrace/types"
)

// zone tells the local time of a time zone. It remembers the span between two
// changes of the clocks that it was asked for last.
type zone struct {
	location       *time.Location
	from, to       int64 // the span, in milliseconds since the epoch
	offset, behind int64 // of local time in the span, and behind it
}

// newZone returns nil for UTC, where nothing has to be told.
func newZone(name string) (*zone, error) {
	if name == "" || name == "UTC" {
		return nil, nil
	}
	l, err := types.LoadZone(name)
	if err != nil {
		return nil, err
	}
	return &zone{location: l}, nil
}

func (z *zone) seek(t int64) {
	if t >= z.from && t < z.to {
		return
	}
	at := time.UnixMilli(t).In(z.location)
	from, to := at.ZoneBounds()
	z.from, z.to = math.MinInt64, math.MaxInt64
	if !from.IsZero() {
		z.from = from.UnixMilli()
	}
	_, offset := at.Zone()
	z.offset, z.behind = int64(offset)*1000, int64(offset)*1000
	if !to.IsZero() {
		z.to = to.UnixMilli()
		_, behind := to.Zone()
		z.behind = int64(behind) * 1000
	}
}

// local returns the time on the clocks of the zone, as if it were UTC.
func (z *zone) local(t int64) int64 {
	z.seek(t)
	return t + z.offset
}

// passed returns the local time up to which no other follows: where clocks are
// about to be put back, the hour that comes twice has not passed before it came
// for the second time.
func (z *zone) passed(w stream.Watermark) stream.Watermark {
	if z == nil || w < -timeMax || w > timeMax {
		return w
	}
	local := z.local(int64(w))
	if z.behind < z.offset {
		local = min(local, z.to+z.behind-1)
	}
	return stream.Watermark(local)
}

// until returns a time at which the local time has passed, or a little before it.
func (z *zone) until(local int64) int64 {
	if z == nil {
		return local
	}
	z.seek(local - z.offset)
	z.seek(local - z.offset)
	return local - z.offset
}
