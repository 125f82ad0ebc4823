package nexmark

import "math"

// kind is a type of event, numbered as in column event_type.
type kind uint8

const (
	person kind = iota
	auction
	bid
	kinds
	anyKind = kinds
)

func kindOf(name string) kind {
	switch name {
	case "person":
		return person
	case "auction":
		return auction
	case "bid":
		return bid
	default:
		return anyKind
	}
}

// Ids begin above zero, so that small streams find matches too.
const (
	firstPersonID   = 1000
	firstAuctionID  = 1000
	firstCategoryID = 10
)

const (
	categories       = 5
	idLead           = 10   // ids that may be referred to before they exist
	hotEvery         = 100  // one id in so many is a hot one
	auctionsInFlight = 100  // what bids choose from
	peopleActive     = 1000 // what bids and auctions choose from
)

// event is one event, as far as all columns need it.
type event struct {
	number  int64
	millis  int64
	auction int64 // the latest auction, counted from 0; its own of an auction
	person  int64 // the latest person, counted from 0; its own of a person
	kind    kind
}

// generator makes events. It is immutable and safe for concurrent use.
type generator struct {
	*config
	salts  salts
	prices priceTable
	pools  *pools // nil where no text is asked for

	padding [kinds]padSize
	horizon int64 // events until as many auctions as are in flight have begun
	stride  int64 // by which numbers in a group are shuffled
}

func newGenerator(c *config, text bool) *generator {
	g := &generator{config: c, salts: newSalts(c.seed), prices: newPriceTable(), stride: strideOf(c.group)}
	if c.proportions[auction] > 0 {
		g.horizon = auctionsInFlight * c.total / c.proportions[auction]
	}
	for k, have := range [kinds]int64{personBytes, auctionBytes, bidBytes} {
		g.padding[k] = padTo(c.sizes[k], have)
	}
	if text {
		g.pools = newPools(&g.salts)
	}
	return g
}

// strideOf returns a prime that has no factor in common with the size of a group.
func strideOf(group int64) int64 {
	for _, prime := range []int64{953, 947} {
		if group%prime != 0 {
			return prime
		}
	}
	return 941
}

// fill appends to rows, up to its capacity, the wanted events of the epochs
// every, 2*every, ... behind the one of event `from`, which it starts with. It
// stops before event stop, and when it has looked at scanMax events. It
// returns the number of the next event.
func (g *generator) fill(rows []event, from, stop, every, base int64) ([]event, int64) {
	for scanned := int64(0); from < stop && len(rows) < cap(rows) && scanned < scanMax; {
		epoch := from / g.total
		end := min((epoch+1)*g.total, stop)
		scanned += end - from
		if g.group == 1 {
			rows, from = g.fillOrdered(rows, epoch, from, end, base)
		} else {
			rows, from = g.fillShuffled(rows, from, end, base)
		}
		if from == (epoch+1)*g.total {
			from = (epoch + every) * g.total
		}
	}
	return rows, from
}

// fillOrdered appends the wanted events in [from, end) of an epoch, a kind after
// the other, and returns where it stopped.
func (g *generator) fillOrdered(rows []event, epoch, from, end, base int64) ([]event, int64) {
	first := epoch * g.total
	for k := range kinds {
		last := min(first+g.proportions[k], end)
		if g.only != anyKind && g.only != k {
			first += g.proportions[k]
			from = max(from, last)
			continue
		}
		e := event{kind: k, person: g.lastPerson(epoch), auction: g.lastAuction(epoch)}
		for ; from < last; from++ {
			if len(rows) == cap(rows) {
				return rows, from
			}
			e.number, e.millis = from, base+g.pace.at(from)
			rows = append(rows, e)
			if k != bid {
				g.number(&rows[len(rows)-1], epoch, from-first)
			}
		}
		first += g.proportions[k]
	}
	return rows, from
}

// number gives a person or an auction, the i-th of its epoch, its own id.
func (g *generator) number(e *event, epoch, i int64) {
	if e.kind == person {
		e.person = epoch*g.proportions[person] + i
		e.auction = g.lastAuction(epoch - 1)
	}
	if e.kind == auction {
		e.auction = epoch*g.proportions[auction] + i
	}
}

// lastPerson and lastAuction return the last of an epoch.
func (g *generator) lastPerson(epoch int64) int64 {
	return max((epoch+1)*g.proportions[person]-1, 0)
}

func (g *generator) lastAuction(epoch int64) int64 {
	return max((epoch+1)*g.proportions[auction]-1, 0)
}

// fillShuffled is fillOrdered for events that come out of order.
func (g *generator) fillShuffled(rows []event, from, end, base int64) ([]event, int64) {
	for ; from < end && len(rows) < cap(rows); from++ {
		e := g.event(g.shuffled(from))
		if g.only != anyKind && g.only != e.kind {
			continue
		}
		e.millis += base
		rows = append(rows, e)
	}
	return rows, from
}

// shuffled returns the event that comes n-th.
func (g *generator) shuffled(n int64) int64 {
	return n - n%g.group + n%g.group*g.stride%g.group
}

// event describes event n, with its time after the first one.
func (g *generator) event(n int64) event {
	epoch, i := n/g.total, n%g.total
	e := event{number: n, millis: g.pace.at(n), person: g.lastPerson(epoch), auction: g.lastAuction(epoch)}
	for e.kind < bid && i >= g.proportions[e.kind] {
		i -= g.proportions[e.kind]
		e.kind++
	}
	g.number(&e, epoch, i)
	return e
}

// anyPerson picks one of the active people, or one who is about to come.
func (g *generator) anyPerson(e *event, d *draw) int64 {
	people := e.person + 1
	active := min(people, peopleActive)
	return people - active + d.pick(active+idLead)
}

// anyAuction picks one of the auctions in flight, or one that is about to begin.
func (g *generator) anyAuction(e *event, d *draw) int64 {
	first := max(e.auction-auctionsInFlight, 0)
	return first + d.pick(e.auction-first+1+idLead)
}

// hot returns the hot id at or before one.
func hot(id int64) int64 { return id / hotEvery * hotEvery }

const priceSteps = 1024

// priceTable has prices at even distances of their logarithm, in 1024ths: a
// price is 100 times a power of ten between 0 and 6. Integers, so that every
// machine makes the same prices.
type priceTable [priceSteps + 1]int64

func newPriceTable() (t priceTable) {
	for i := range t {
		t[i] = int64(math.Round(math.Pow(10, 6*float64(i)/priceSteps) * 100 * 1024))
	}
	return t
}

// price picks a price, between two entries in a straight line.
func (t *priceTable) price(d draw) int64 {
	i := uint64(d) >> 54
	fraction := int64(uint64(d) >> 34 & (1<<20 - 1))
	return (t[i] + (t[i+1]-t[i])*fraction>>20 + 512) >> 10
}
