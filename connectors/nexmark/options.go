package nexmark

import (
	"strconv"
	"time"

	"millrace/failure"
	"millrace/options"
	"millrace/stream"
)

// Name is the connector's name in a table's options.
const Name = "nexmark"

const (
	shapeSquare = "SQUARE"
	shapeSine   = "SINE"

	// baseTimeNow asks for the time at which the job was first started.
	baseTimeNow = "now"
)

// Spec declares the options: the suite's, and those of this source.
var Spec = options.Spec{Name: Name, Options: []options.Option{
	{
		Key: "first-event.rate", Type: options.Int, Default: "10000", Min: "1", Max: "1000000000",
		Doc: "Events a second of event time, of all splits together, at first.",
	},
	{
		Key: "next-event.rate", Type: options.Int, Min: "1", Max: "1000000000",
		Doc: "Events a second of event time that take turns with those of first-event.rate, which it equals where it is not given.",
	},
	{
		Key: "rate.shape", Type: options.Enum, Values: []string{shapeSquare, shapeSine}, Default: shapeSquare,
		Doc: "How the two rates take turns: half of the period each, or along a sine wave of ten steps.",
	},
	{Key: "rate.period", Type: options.Duration, Default: "600 s", Min: "10 s", Max: "86400 s", Doc: "How long it takes until the rates begin anew."},
	{
		Key: "rate.limited", Type: options.Bool, Default: "false",
		Doc: "Whether an event comes no sooner than its event time is over, counted from the first start of the job. Otherwise events come as fast as they are taken.",
	},
	{Key: "max-emit-speed", Type: options.Bool, Default: "true", Doc: "false is another way to say rate.limited = true."},
	{
		Key: "events.num", Type: options.Int, Default: "0", Min: "0", Max: strconv.FormatInt(eventsMax, 10),
		Doc: "How many events there are, of all types and splits. 0 means no end.",
	},
	{
		Key: "stop-at", Type: options.Int, Default: "-1", Min: "-1", Max: strconv.FormatInt(eventsMax, 10),
		Doc: "After how many events, of all types and splits, the source stops, where events.num does not stop it sooner; a job restored with a larger number goes on there. -1 stops nowhere.",
	},
	{Key: "keep-alive", Type: options.Bool, Default: "false", Doc: "Whether the source goes on without rows after its last event instead of ending."},
	{Key: "person.proportion", Type: options.Int, Default: "1", Min: "0", Max: "10000", Doc: "People in an epoch."},
	{Key: "auction.proportion", Type: options.Int, Default: "3", Min: "0", Max: "10000", Doc: "Auctions in an epoch."},
	{Key: "bid.proportion", Type: options.Int, Default: "46", Min: "0", Max: "10000", Doc: "Bids in an epoch."},
	{Key: "person.avg-size", Type: options.MemorySize, Default: "200 b", Max: "10000 b", Doc: "The average size of a person, padded by column extra."},
	{Key: "auction.avg-size", Type: options.MemorySize, Default: "500 b", Max: "10000 b", Doc: "The average size of an auction, padded by column extra."},
	{
		Key: "bid.avg-size", Type: options.MemorySize, Default: "100 b", Max: "10000 b",
		Doc: "The average size of a bid, channel and url not counted, padded by column extra.",
	},
	{Key: "bid.hot-ratio.auctions", Type: options.Int, Default: "2", Min: "1", Max: "1000000", Doc: "All but one in so many bids are on the hot auction."},
	{Key: "bid.hot-ratio.bidders", Type: options.Int, Default: "4", Min: "1", Max: "1000000", Doc: "All but one in so many bids are by the hot bidder."},
	{Key: "auction.hot-ratio.sellers", Type: options.Int, Default: "4", Min: "1", Max: "1000000", Doc: "All but one in so many auctions are of the hot seller."},

	{
		Key: "event-type", Type: options.Enum, Values: []string{"all", "person", "auction", "bid"}, Default: "all",
		Doc: "all gives every event with nested rows; the others give the events of one type as flat columns.",
	},
	{
		Key: "base-time", Default: "2015-07-15 00:00:00",
		Doc: "The time of the first event, in UTC: yyyy-MM-dd HH:mm:ss, with or without milliseconds, or now for the time of the first start.", Example: baseTimeNow,
	},
	{
		Key: "out-of-order.group-size", Type: options.Int, Default: "1", Min: "1", Max: "1000000",
		Doc: "Events come shuffled within groups of so many. 1 keeps them in order.",
	},
	{Key: "seed", Type: options.Int, Default: "0", Doc: "Makes another stream of the same kind."},
	{
		Key: "splits", Type: options.Int, Default: "0", Min: "0", Max: strconv.Itoa(SplitsMax),
		Doc: "Into how many splits the stream is dealt: the largest useful parallelism. 0 means the parallelism at the first start.",
	},
	{
		Key: "prepared-batches", Type: options.Int, Default: "0", Min: "0", Max: strconv.Itoa(PreparedBatchesMax),
		Doc: "How many batches each split makes before it gives the first, to give them again and again at later event times. 0 makes each batch when it is read.",
	},
}}

// config is what the options say.
type config struct {
	proportions  [kinds]int64
	total        int64
	pace         pace
	steady       bool
	limited      bool
	keepAlive    bool
	stop         int64 // the number of events
	sizes        [kinds]int64
	hotAuctions  int64
	hotBidders   int64
	hotSellers   int64
	only         kind // anyKind: all
	base         int64
	baseNow      bool
	group        int64
	seed         int64
	splits       int32
	prepared     int // batches, of preparedRows each
	preparedRows int
}

func parseConfig(given map[string]string) (*config, error) {
	v, err := options.Parse(Spec, given)
	if err != nil {
		return nil, err
	}
	c := &config{
		proportions:  [kinds]int64{v.Int("person.proportion"), v.Int("auction.proportion"), v.Int("bid.proportion")},
		sizes:        [kinds]int64{v.Bytes("person.avg-size"), v.Bytes("auction.avg-size"), v.Bytes("bid.avg-size")},
		limited:      v.Bool("rate.limited") || !v.Bool("max-emit-speed"),
		keepAlive:    v.Bool("keep-alive"),
		stop:         v.Int("events.num"),
		hotAuctions:  v.Int("bid.hot-ratio.auctions"),
		hotBidders:   v.Int("bid.hot-ratio.bidders"),
		hotSellers:   v.Int("auction.hot-ratio.sellers"),
		only:         kindOf(v.Text("event-type")),
		group:        v.Int("out-of-order.group-size"),
		seed:         v.Int("seed"),
		splits:       int32(v.Int("splits")),
		prepared:     int(v.Int("prepared-batches")),
		preparedRows: stream.RowsMax,
	}
	for _, p := range c.proportions {
		c.total += p
	}
	if c.stop == 0 {
		c.stop = eventsMax
	}
	if at := v.Int("stop-at"); at >= 0 {
		c.stop = min(c.stop, at)
	}
	c.setPace(v)
	return c, c.settle(v.Text("base-time"))
}

func (c *config) setPace(v options.Values) {
	first, next := v.Int("first-event.rate"), v.Int("next-event.rate")
	if !v.IsGiven("next-event.rate") {
		next = first
	}
	r := rates(v.Text("rate.shape"), first, next)
	c.pace, c.steady = newPace(r, int64(v.Duration("rate.period")/time.Second)), len(r) == 1
}

// settle checks what options say together.
func (c *config) settle(base string) error {
	var problems failure.Problems
	switch {
	case c.total == 0:
		problems.Addf("", "bid.proportion", "all proportions are 0: there are no events")
	case c.only != anyKind && c.proportions[c.only] == 0:
		problems.Addf("", "event-type", "the proportion of this type is 0: there are no rows")
	}
	if c.prepared > 0 && !c.steady {
		problems.Addf("", "prepared-batches", "prepared batches need one rate: next-event.rate must equal first-event.rate")
	}
	if c.prepared > 0 && c.group > 1 {
		problems.Addf("", "prepared-batches", "prepared batches come in order: out-of-order.group-size must be 1")
	}
	if c.prepared > 0 && c.only == anyKind {
		problems.Addf("", "prepared-batches", "prepared batches are of one type: event-type must not be all")
	}
	if c.baseNow = base == baseTimeNow; !c.baseNow {
		t, err := time.Parse(time.DateTime, base)
		if err != nil {
			problems.Addf("", "base-time", "neither %s nor a time of the form yyyy-MM-dd HH:mm:ss.SSS: %q", baseTimeNow, base)
		}
		c.base = t.UnixMilli()
	}
	return problems.Err()
}
