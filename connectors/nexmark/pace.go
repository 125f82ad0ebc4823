package nexmark

import (
	"math"
	"sort"
)

// pace maps event numbers to event time, as milliseconds after the first event.
// It is a cycle of steps, each with its own rate.
type pace struct {
	steps []step
	// A cycle's events and milliseconds.
	events, millis int64
}

// step is a time of constant rate: `events` events at `rate` a second, from the
// position (first, at) in the cycle.
type step struct {
	rate, first, at int64
}

// steadyPace has one rate for ever.
func steadyPace(rate int64) pace {
	return pace{steps: []step{{rate: rate}}, events: math.MaxInt64, millis: math.MaxInt64}
}

// newPace spreads the rates evenly over the period.
func newPace(rates []int64, periodSeconds int64) pace {
	if len(rates) == 1 {
		return steadyPace(rates[0])
	}
	seconds := (periodSeconds + int64(len(rates)) - 1) / int64(len(rates))
	var p pace
	for _, r := range rates {
		p.steps = append(p.steps, step{rate: r, first: p.events, at: p.millis})
		p.events += r * seconds
		p.millis += seconds * 1000
	}
	return p
}

// sineSteps is how many steps stand for a sine wave.
const sineSteps = 10

// rates returns the rates that a shape takes turns with.
func rates(shape string, first, next int64) []int64 {
	switch {
	case first == next:
		return []int64{first}
	case shape == shapeSine:
		out := make([]int64, sineSteps)
		mid, amplitude := float64(first+next)/2, float64(first-next)/2
		for i := range out {
			out[i] = max(1, int64(math.Round(mid+float64(amplitude*math.Cos(2*math.Pi*float64(i)/sineSteps)))))
		}
		return out
	default:
		return []int64{first, next}
	}
}

// at returns the time of event n.
func (p *pace) at(n int64) int64 {
	if len(p.steps) == 1 {
		return n * 1000 / p.steps[0].rate
	}
	cycle, in := n/p.events, n%p.events
	i := len(p.steps) - 1
	for p.steps[i].first > in {
		i--
	}
	s := &p.steps[i]
	return cycle*p.millis + s.at + (in-s.first)*1000/s.rate
}

// due returns the number of the first event in [from, to) whose time is later
// than millis, or to.
func (p *pace) due(from, to, millis int64) int64 {
	return from + int64(sort.Search(int(to-from), func(i int) bool { return p.at(from+int64(i)) > millis }))
}
