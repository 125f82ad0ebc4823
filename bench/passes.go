package main

// phase is a part of a run of keys.
type phase int

// The phases, in their order.
const (
	fillPhase  phase = iota // every key is new
	everyPhase              // every key changes between checkpoints
	fewPhase                // one key in fewStep does
	endPhase                // nothing more is given; what is open ends
)

var phaseNames = [...]string{fillPhase: "every key is new", everyPhase: "every key changes", fewPhase: "1 % of the keys change"}

// The source gives the keys in passes, one between two barriers.
const (
	everyPasses = 4
	fewPasses   = 4
	passesAll   = 1 + everyPasses + fewPasses
	// fewStep apart are the keys that a pass of fewPhase changes: all over the
	// state, the hardest case for one that is written in pieces.
	fewStep = 100
)

// keysWindow is the start of the window in which every bid lies.
const keysWindow = 1_700_000_000_000

// passes says what each pass gives. It is a pure function of the number of keys.
type passes struct{ keys int64 }

// phase returns the phase of pass n; endPhase behind the last.
func (passes) phase(n int) phase {
	switch {
	case n == 0:
		return fillPhase
	case n <= everyPasses:
		return everyPhase
	case n < passesAll:
		return fewPhase
	default:
		return endPhase
	}
}

// step returns the first key of pass n and how far apart its keys are.
func (p passes) step(n int) (first, step int64) {
	if p.phase(n) == fewPhase {
		return int64(n) % fewStep, fewStep
	}
	return 0, 1
}

// from returns the first key of pass n that is not below key.
func (p passes) from(n int, key int64) int64 {
	first, step := p.step(n)
	if key <= first {
		return first
	}
	return first + (key-first+step-1)/step*step
}

// price and millis return the price of a key's bid in pass n, and its time: the
// passes spread over the window, and none reaches its end.
func (passes) price(n int, key int64) int64 { return 1 + (key*7919+int64(n)*104_729)%10_000 }

func (passes) millis(n int) int64 { return keysWindow + int64(n)*windowSize.Milliseconds()/passesAll }

// bids returns how many bids all passes have.
func (p passes) bids() (n int64) {
	for i := range passesAll {
		first, step := p.step(i)
		n += max(0, (p.keys-first+step-1)/step)
	}
	return n
}

// expected computes the answer directly, key by key.
func (p passes) expected() (a answer) {
	for key := range p.keys {
		r := row{auction: key, start: keysWindow}
		for n := range passesAll {
			if p.from(n, key) != key {
				continue
			}
			r.bids++
			r.total += p.price(n, key)
			r.highest = max(r.highest, p.price(n, key))
		}
		a.add(r)
	}
	return a
}
