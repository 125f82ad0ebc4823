package nexmark_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// The models answer queries for which there is no answer of another engine, row by row from the events.

type personRow struct {
	ID                                                           int64
	Name, EmailAddress, CreditCard, City, State, DateTime, Extra string
}

type auctionRow struct {
	ID, InitialBid, Reserve, Seller, Category       int64
	ItemName, Description, DateTime, Expires, Extra string
}

type bidRow struct {
	Auction, Bidder, Price        int64
	Channel, URL, DateTime, Extra string
}

type eventRow struct {
	Person  *personRow
	Auction *auctionRow
	Bid     *bidRow
}

// history is all events by their types, in their order.
type history struct {
	people   []*personRow
	auctions []*auctionRow
	bids     []*bidRow
}

func historyOf(t *testing.T, events [][]byte) *history {
	t.Helper()
	h := &history{}
	for _, line := range events {
		var e eventRow
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch {
		case e.Person != nil:
			h.people = append(h.people, e.Person)
		case e.Auction != nil:
			h.auctions = append(h.auctions, e.Auction)
		default:
			h.bids = append(h.bids, e.Bid)
		}
	}
	return h
}

// number is a value of a row as JSON has it.
func number(n int64) json.Number { return json.Number(fmt.Sprint(n)) }

const timeForm = "2006-01-02 15:04:05.000"

func timeOf(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(timeForm, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// models are the answers by query.
var models = map[string]func(*testing.T, *history) []record{
	"q0": bidsAsTheyAre, "q6": lastWinningPrices, "q10": bidsByMinute, "q11": sessionsOfBidders, "q12": bidsOfBidders,
	"q13": bidsWithSideInput, "q23": bidsOfSellers,
}

func bidsAsTheyAre(_ *testing.T, h *history) (out []record) {
	for _, b := range h.bids {
		out = append(out, record{"auction": number(b.Auction), "bidder": number(b.Bidder), "price": number(b.Price), "dateTime": b.DateTime, "extra": b.Extra})
	}
	return out
}

// averaged is how many winning bids an average of q6 is over.
const averaged = 10

func lastWinningPrices(t *testing.T, h *history) (out []record) {
	t.Helper()
	winners := make(map[*auctionRow]*bidRow)
	auctions := make(map[int64]*auctionRow)
	for _, a := range h.auctions {
		auctions[a.ID] = a
	}
	for _, b := range h.bids {
		// The times are texts of one form, whose order is theirs.
		a := auctions[b.Auction]
		if a == nil || b.DateTime < a.DateTime || b.DateTime > a.Expires {
			continue
		}
		if w := winners[a]; w == nil || b.Price > w.Price || b.Price == w.Price && b.DateTime < w.DateTime {
			winners[a] = b
		}
	}
	bySeller := make(map[int64][]*bidRow)
	for a, w := range winners {
		bySeller[a.Seller] = append(bySeller[a.Seller], w)
	}
	for seller, won := range bySeller {
		slices.SortFunc(won, func(x, y *bidRow) int { return cmp.Compare(x.DateTime, y.DateTime) })
		for i := range won {
			last := won[max(0, i-averaged+1) : i+1]
			var sum int64
			for _, w := range last {
				sum += w.Price
			}
			out = append(out, record{"seller": number(seller), "avg_price": number(sum / int64(len(last)))})
		}
	}
	return out
}

func bidsByMinute(t *testing.T, h *history) []record {
	t.Helper()
	out := bidsAsTheyAre(t, h)
	for i, b := range h.bids {
		at := timeOf(t, b.DateTime)
		out[i]["dt"], out[i]["hm"] = at.Format(time.DateOnly), at.Format("15:04")
	}
	return out
}

const sessionGap = 10 * time.Second

func sessionsOfBidders(t *testing.T, h *history) (out []record) {
	t.Helper()
	times := make(map[int64][]time.Time)
	for _, b := range h.bids {
		times[b.Bidder] = append(times[b.Bidder], timeOf(t, b.DateTime))
	}
	for bidder, at := range times {
		slices.SortFunc(at, time.Time.Compare)
		for from := 0; from < len(at); {
			to := from + 1
			// Windows that touch are one.
			for to < len(at) && at[to].Sub(at[to-1]) <= sessionGap {
				to++
			}
			out = append(out, record{
				"bidder": number(bidder), "bid_count": number(int64(to - from)),
				"starttime": at[from].Format(timeForm), "endtime": at[to-1].Add(sessionGap).Format(timeForm),
			})
			from = to
		}
	}
	return out
}

// bidsOfBidders is what the windows of q12 have together, wherever processing time puts them.
func bidsOfBidders(_ *testing.T, h *history) (out []record) {
	counts := make(map[int64]int64)
	for _, b := range h.bids {
		counts[b.Bidder]++
	}
	for bidder, n := range counts {
		out = append(out, record{"bidder": number(bidder), "bid_count": number(n)})
	}
	return out
}

// sideKeys is how many keys the side input of q13 has room for. Those that sideGap divides are missing.
const (
	sideKeys = 10_000
	sideGap  = 7
)

func sideValue(key int64) (value string, there bool) {
	return fmt.Sprintf("value %d", key), key%sideGap != 0
}

func bidsWithSideInput(_ *testing.T, h *history) (out []record) {
	for _, b := range h.bids {
		if value, there := sideValue(b.Auction % sideKeys); there {
			out = append(out, record{"auction": number(b.Auction), "bidder": number(b.Bidder), "price": number(b.Price), "dateTime": b.DateTime, "value": value})
		}
	}
	return out
}

func bidsOfSellers(_ *testing.T, h *history) (out []record) {
	for _, b := range h.bids {
		for _, p := range h.people {
			if p.ID != b.Bidder {
				continue
			}
			for _, a := range h.auctions {
				if a.Seller != b.Bidder {
					continue
				}
				out = append(out, record{
					"bidder": number(b.Bidder), "price": number(b.Price), "channel": b.Channel, "url": b.URL, "bid_extra": b.Extra,
					"person_id": number(p.ID), "name": p.Name, "emailAddress": p.EmailAddress, "creditCard": p.CreditCard, "city": p.City,
					"state": p.State, "person_extra": p.Extra,
					"itemName": a.ItemName, "description": a.Description, "initialBid": number(a.InitialBid), "reserve": number(a.Reserve),
					"auction_dateTime": a.DateTime, "expires": a.Expires, "seller": number(a.Seller), "category": number(a.Category), "auction_extra": a.Extra,
				})
			}
		}
	}
	return out
}
