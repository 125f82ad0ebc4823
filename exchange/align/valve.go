package align

import (
	"millrace/internal/mutant"
	"millrace/stream"
)

// Valve combines the event time of channels: the least watermark of those that
// are active. It never goes back.
//
// An idle channel does not count. Neither does one that has no more to say, be it
// that it has ended or that it stands at MaxWatermark: otherwise its neighbour's
// going idle would end event time. Where every channel that has more to say is
// idle, the valve is idle, and stands at the latest of theirs; so the outcome
// does not depend on the order in which they fell idle. Where none has more to
// say, it stands at MaxWatermark.
type Valve struct {
	channels []valveChannel
	active   int // channels that are neither idle nor done
	idle     int // channels that are idle and not done
	out      stream.Watermark
	outIdle  bool
}

type valveChannel struct {
	at    stream.Watermark
	idle  bool
	ended bool
}

// done tells that the channel has no more to say about event time.
func (c *valveChannel) done() bool { return c.ended || c.at == stream.MaxWatermark }

// Change is what an event did to the valve.
type Change struct {
	// Advanced says that the watermark moved, to Watermark.
	Advanced  bool
	Watermark stream.Watermark
	// Turned says that the valve fell idle or became active again: Idle.
	Turned bool
	Idle   bool
}

// NewValve returns a valve of that many channels, all active, at NoWatermark.
func NewValve(channels int) *Valve {
	v := &Valve{channels: make([]valveChannel, channels)}
	v.Restore(stream.NoWatermark)
	return v
}

// Restore starts anew, with every channel active and at w.
func (v *Valve) Restore(w stream.Watermark) {
	for i := range v.channels {
		v.channels[i] = valveChannel{at: w}
	}
	v.out, v.outIdle = w, false
	v.active, v.idle = len(v.channels), 0
	if w == stream.MaxWatermark {
		v.active = 0
	}
}

// Channel returns where a channel stands. One that has ended stands at MaxWatermark.
func (v *Valve) Channel(channel int) (at stream.Watermark, idle bool) {
	c := &v.channels[channel]
	if c.ended {
		return stream.MaxWatermark, false
	}
	return c.at, c.idle
}

// Watermark returns the combined watermark.
func (v *Valve) Watermark() stream.Watermark { return v.out }

// Idle tells whether every channel that has more to say is idle.
func (v *Valve) Idle() bool { return v.outIdle }

// Advance says that a channel has reached w; going back is ignored. An idle
// channel may advance too: it stays idle.
func (v *Valve) Advance(channel int, w stream.Watermark) Change {
	c := &v.channels[channel]
	if c.ended || w <= c.at {
		return Change{}
	}
	held := c.at <= v.out // it may be one of those that hold the valve back
	v.uncount(c)
	c.at = w
	v.count(c)
	if !held && w != stream.MaxWatermark {
		return Change{}
	}
	return v.settle()
}

// SetIdle says that a channel fell idle or became active.
func (v *Valve) SetIdle(channel int, idle bool) Change {
	c := &v.channels[channel]
	if c.idle == idle || c.ended {
		return Change{}
	}
	v.uncount(c)
	c.idle = idle
	v.count(c)
	return v.settle()
}

// End says that a channel has ended.
func (v *Valve) End(channel int) Change {
	c := &v.channels[channel]
	if c.ended {
		return Change{}
	}
	v.uncount(c)
	c.ended = true
	return v.settle()
}

func (v *Valve) count(c *valveChannel)   { v.add(c, 1) }
func (v *Valve) uncount(c *valveChannel) { v.add(c, -1) }

func (v *Valve) add(c *valveChannel, n int) {
	switch {
	case c.done():
	case c.idle:
		v.idle += n
	default:
		v.active += n
	}
}

// settle brings what the valve says in line with the channels.
func (v *Valve) settle() Change {
	var out Change
	if w := v.combined(); w > v.out {
		v.out = w
		out.Advanced, out.Watermark = true, w
	}
	if idle := v.active == 0 && v.idle > 0; idle != v.outIdle {
		v.outIdle = idle
		out.Turned, out.Idle = true, idle
	}
	return out
}

func (v *Valve) combined() stream.Watermark {
	switch {
	case v.active > 0 && mutant.On(mutant.WatermarkFromAny):
		latest := stream.NoWatermark
		for i := range v.channels {
			latest = max(latest, v.channels[i].at)
		}
		return latest
	case v.active > 0:
		return v.leastActive()
	case v.idle > 0:
		return v.latestIdle()
	default:
		return stream.MaxWatermark
	}
}

func (v *Valve) leastActive() stream.Watermark {
	least := stream.MaxWatermark
	for i := range v.channels {
		if c := &v.channels[i]; !c.idle && !c.ended {
			least = min(least, c.at)
		}
	}
	return least
}

func (v *Valve) latestIdle() stream.Watermark {
	latest := stream.NoWatermark
	for i := range v.channels {
		if c := &v.channels[i]; c.idle && !c.done() {
			latest = max(latest, c.at)
		}
	}
	return latest
}
