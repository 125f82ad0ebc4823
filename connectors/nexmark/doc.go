// Package nexmark is a source of synthetic auction events: people, auctions and
// bids in the proportions, with the keys, sizes and skew of the public Nexmark
// suite, under the suite's option names.
//
// # The stream
//
// Event n is a function of n and of the option seed alone: there is no state
// that runs along, so that any event can be made at any time, in any task. With
// the default proportions every 50 events (an epoch) are one person, three auctions
// and 46 bids, in this order. Ids count up; bids and auctions refer to the latest
// people and auctions, a share of them (the hot ratios) to the one hot key
// among the last hundred, and a few to ids that come a little later. Event
// time begins at base-time and passes at first-event.rate; with a different
// next-event.rate the two take turns within rate.period, as rate.shape says.
//
// Splits deal the epochs out in turn. A split's position is the number of its
// next event, so a position means the same at any parallelism and batch size.
//
// # The columns
//
// With event-type = all the columns are the suite's: event_type, the nested rows
// person, auction and bid of which two are NULL, and dateTime, the time of the
// one that is not. With event-type = person, auction or bid the source gives
// that part of the same stream, as flat columns; events.num still counts all
// events. Only the columns and nested fields that the schema names are made.
//
// # Prepared batches
//
// With prepared-batches = N each split makes its first N batches when it is
// assigned, and from then on gives these again and again, each time with event
// times later by the span of all of them. It measures what comes behind a source
// without the cost of making rows.
//
// # Where it differs from the suite
//
// The distributions are the suite's, the random numbers are not. Padding and
// words are cut out of a pool of random text. Splits share one timeline instead
// of having one each, so the stream does not depend on their number. base-time
// is fixed by default, so that two runs see the same events.
//
// # The function
//
// CountChar stands in the place of the suite's own function, under the name of its class.
//
// The package makes no watermarks: those are the engine's, from dateTime.
package nexmark
