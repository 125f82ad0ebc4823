package nexmark

import "millrace/stream"

// The sizes of people and auctions without padding: their texts on average.
const (
	personBytes  = 8 + 11 + 18 + 19 + 9 + 2
	auctionBytes = 8 + 11 + 51 + 5*8
)

var (
	states     = []string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	cities     = []string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	firstNames = []string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	lastNames  = []string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
)

func oneOf(d *draw, texts []string) string { return texts[d.pick(int64(len(texts)))] }

// longs returns a column of the rows of one kind, NULL in the others. People and
// auctions are few; a call for each costs nothing.
func longs(k kind, value func(*generator, *event) int64) leaf {
	return func(g *generator, rows []event, b *stream.Builder) {
		for i := range rows {
			if rows[i].kind != k {
				b.AppendNull()
				continue
			}
			b.AppendInt64(value(g, &rows[i]))
		}
	}
}

// wordsOf is longs for texts: value appends to the text, which is reused.
func wordsOf(k kind, value func(*generator, *event, []byte) []byte) leaf {
	return func(g *generator, rows []event, b *stream.Builder) {
		var text []byte
		for i := range rows {
			if rows[i].kind != k {
				b.AppendNull()
				continue
			}
			text = value(g, &rows[i], text[:0])
			b.AppendBytes(text)
		}
	}
}

func timeOf(_ *generator, e *event) int64 { return e.millis }

func personID(_ *generator, e *event) int64 { return firstPersonID + e.person }

func personName(g *generator, e *event, to []byte) []byte {
	d := g.salts.draw(useName, e.number)
	to = append(to, oneOf(&d, firstNames)...)
	to = append(to, ' ')
	return append(to, oneOf(&d, lastNames)...)
}

func personEmail(g *generator, e *event, to []byte) []byte {
	d := g.salts.draw(useEmail, e.number)
	to = append(to, g.pools.word(&d, 7)...)
	to = append(to, '@')
	to = append(to, g.pools.word(&d, 5)...)
	return append(to, ".com"...)
}

func personCreditCard(g *generator, e *event, to []byte) []byte {
	d := g.salts.draw(useCreditCard, e.number)
	for i := range 4 {
		if i > 0 {
			to = append(to, ' ')
		}
		n := d.pick(10_000)
		to = append(to, '0'+byte(n/1000), '0'+byte(n/100%10), '0'+byte(n/10%10), '0'+byte(n%10))
	}
	return to
}

func personCity(g *generator, e *event, to []byte) []byte {
	d := g.salts.draw(usePlace, e.number)
	return append(to, oneOf(&d, cities)...)
}

func personState(g *generator, e *event, to []byte) []byte {
	d := g.salts.draw(usePlace, e.number)
	oneOf(&d, cities)
	return append(to, oneOf(&d, states)...)
}

func personExtra(g *generator, e *event, to []byte) []byte {
	return append(to, g.pools.pad(g.salts.draw(usePersonExtra, e.number), g.padding[person])...)
}

func auctionID(_ *generator, e *event) int64 { return firstAuctionID + e.auction }

func auctionItemName(g *generator, e *event, to []byte) []byte {
	d := g.salts.draw(useItemName, e.number)
	return append(to, g.pools.word(&d, 20)...)
}

func auctionDescription(g *generator, e *event, to []byte) []byte {
	d := g.salts.draw(useDescription, e.number)
	return append(to, g.pools.word(&d, 100)...)
}

func auctionInitialBid(g *generator, e *event) int64 {
	return g.prices.price(g.salts.draw(usePrice, e.number))
}

func auctionReserve(g *generator, e *event) int64 {
	return auctionInitialBid(g, e) + g.prices.price(g.salts.draw(useReserve, e.number))
}

// auctionExpires ends an auction after, on average, as long as it takes for all
// auctions in flight to be replaced.
func auctionExpires(g *generator, e *event) int64 {
	d := g.salts.draw(useExpires, e.number)
	horizon := g.pace.at(e.number+g.horizon) - g.pace.at(e.number)
	return e.millis + 1 + d.pick(max(2*horizon, 1))
}

func auctionSeller(g *generator, e *event) int64 {
	d := g.salts.draw(useSeller, e.number)
	id := hot(e.person)
	if d.pick(g.hotSellers) == 0 {
		id = g.anyPerson(e, &d)
	}
	return firstPersonID + id
}

func auctionCategory(g *generator, e *event) int64 {
	d := g.salts.draw(useCategory, e.number)
	return firstCategoryID + d.pick(categories)
}

func auctionExtra(g *generator, e *event, to []byte) []byte {
	return append(to, g.pools.pad(g.salts.draw(useAuctionExtra, e.number), g.padding[auction])...)
}
