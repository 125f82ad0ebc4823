package nexmark

import "millrace/stream"

// bidBytes is the size of a bid without padding, as the suite counts it.
const bidBytes = 32

// The columns of a bid. Nearly all rows are bids, so each has a loop of its own
// that the compiler can see through.

func bidAuctions(g *generator, rows []event, b *stream.Builder) {
	for i := range rows {
		e := &rows[i]
		if e.kind != bid {
			b.AppendNull()
			continue
		}
		d := g.salts.draw(useAuction, e.number)
		id := hot(e.auction)
		if d.pick(g.hotAuctions) == 0 {
			id = g.anyAuction(e, &d)
		}
		b.AppendInt64(firstAuctionID + id)
	}
}

// bidBidders picks the hot person's neighbour, so that hot bidders and hot
// sellers differ.
func bidBidders(g *generator, rows []event, b *stream.Builder) {
	for i := range rows {
		e := &rows[i]
		if e.kind != bid {
			b.AppendNull()
			continue
		}
		d := g.salts.draw(useBidder, e.number)
		id := hot(e.person) + 1
		if d.pick(g.hotBidders) == 0 {
			id = g.anyPerson(e, &d)
		}
		b.AppendInt64(firstPersonID + id)
	}
}

func bidPrices(g *generator, rows []event, b *stream.Builder) {
	for i := range rows {
		e := &rows[i]
		if e.kind != bid {
			b.AppendNull()
			continue
		}
		b.AppendInt64(g.prices.price(g.salts.draw(usePrice, e.number)))
	}
}

func bidTimes(_ *generator, rows []event, b *stream.Builder) {
	for i := range rows {
		if rows[i].kind != bid {
			b.AppendNull()
			continue
		}
		b.AppendInt64(rows[i].millis)
	}
}

// channel returns the place of a bid's channel and url among the pools.
func (g *generator) channel(number int64) int64 {
	d := g.salts.draw(useChannel, number)
	if d.pick(2) == 0 {
		return d.pick(int64(len(hotChannels)))
	}
	return int64(len(hotChannels)) + d.pick(channelsCount)
}

func bidChannels(g *generator, rows []event, b *stream.Builder) {
	for i := range rows {
		if rows[i].kind != bid {
			b.AppendNull()
			continue
		}
		b.AppendBytes(g.pools.channels.at(g.channel(rows[i].number)))
	}
}

func bidURLs(g *generator, rows []event, b *stream.Builder) {
	for i := range rows {
		if rows[i].kind != bid {
			b.AppendNull()
			continue
		}
		b.AppendBytes(g.pools.urls.at(g.channel(rows[i].number)))
	}
}

func bidExtras(g *generator, rows []event, b *stream.Builder) {
	for i := range rows {
		if rows[i].kind != bid {
			b.AppendNull()
			continue
		}
		b.AppendBytes(g.pools.pad(g.salts.draw(useBidExtra, rows[i].number), g.padding[bid]))
	}
}
