package sdktest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// offer is a row that aggregate functions see the price and the note of.
type offer struct {
	Shop  int64
	ID    int64 `millrace:"id"`
	Price *int64
	Note  string
	At    time.Time `millrace:"moment,rowtime"`
}

type priced struct {
	Price *int64
	Note  string
}

func (p priced) String() string {
	if p.Price == nil {
		return "?" + p.Note
	}
	return fmt.Sprint(*p.Price, p.Note)
}

// tallies is what a function has of a group: how often each value came, and how many there were.
type tallies struct {
	Of map[string]int64
	N  int64
}

func (t *tallies) add(p priced, n int64) {
	if t.Of == nil {
		t.Of = make(map[string]int64)
	}
	if t.Of[p.String()] += n; t.Of[p.String()] == 0 {
		delete(t.Of, p.String())
	}
	t.N += n
}

func (t *tallies) text() string {
	var of []string
	for value, n := range t.Of {
		of = append(of, fmt.Sprint(value, "*", n))
	}
	slices.Sort(of)
	return fmt.Sprint(t.N, ": ", strings.Join(of, " "))
}

func aggregates(e *sdk.Env) {
	sdk.AggregateFunc(e, "tally", sdk.AggregateOf[priced, tallies, string]{
		Add: func(acc *tallies, p priced) error { acc.add(p, 1); return nil },
		Retract: func(acc *tallies, p priced) error {
			if acc.Of[p.String()] < 1 {
				return fmt.Errorf("%s is not there", p)
			}
			acc.add(p, -1)
			return nil
		},
		Merge: func(acc, other *tallies) error {
			for value, n := range other.Of {
				if acc.Of == nil {
					acc.Of = make(map[string]int64)
				}
				acc.Of[value] += n
			}
			acc.N += other.N
			return nil
		},
		Result: func(acc *tallies) (string, error) { return acc.text(), nil },
	})
	// The last text that came, which is no copy but what the accumulator has.
	sdk.AggregateFunc(e, "latest", sdk.AggregateOf[string, string, *string]{
		Add:    func(acc *string, note string) error { *acc = note; return nil },
		Result: func(acc *string) (*string, error) { return acc, nil },
	})
}

type answer struct {
	ID   int64 `millrace:"id"`
	What string
}

// aggregateQueries are queries, and what they give of the rows of a shop: an answer for each row, or for each window.
var aggregateQueries = []struct {
	name, text string
	model      func(offers []offer) []answer
}{
	{"all", "SELECT id, TALLY(price, note) OVER w AS what FROM offers WINDOW w AS (PARTITION BY shop ORDER BY moment)", over(byMoment, func(all []offer, i int) (from, to int) {
		for to = i; to < len(all) && all[to].At.Equal(all[i].At); to++ {
		}
		return 0, to
	}, plainly)},
	{"latest", "SELECT id, LATEST(note) OVER (PARTITION BY shop ORDER BY moment ROWS UNBOUNDED PRECEDING) AS what FROM offers", over(byMoment, unbounded, func(of []offer) string { return of[len(of)-1].Note })},
	{"all-distinct", "SELECT id, TALLY(DISTINCT price, note) OVER (PARTITION BY shop ORDER BY moment ROWS UNBOUNDED PRECEDING) AS what FROM offers", over(byMoment, unbounded, once)},
	{"few", "SELECT id, TALLY(price, note) FILTER (WHERE note <> 'c') OVER (PARTITION BY shop ORDER BY moment ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS what FROM offers", over(byMoment, rowsBefore(4), func(of []offer) string {
		return plainly(slices.DeleteFunc(slices.Clone(of), func(o offer) bool { return o.Note == "c" }))
	})},
	{"many", "SELECT id, TALLY(price, note) OVER (PARTITION BY shop ORDER BY moment ROWS BETWEEN 40 PRECEDING AND CURRENT ROW) AS what FROM offers", over(byMoment, rowsBefore(40), plainly)},
	{"many-distinct", "SELECT id, TALLY(DISTINCT price, note) OVER (PARTITION BY shop ORDER BY moment ROWS BETWEEN 40 PRECEDING AND CURRENT ROW) AS what FROM offers", over(byMoment, rowsBefore(40), once)},
	{"soon", "SELECT id, TALLY(DISTINCT price, note) OVER (PARTITION BY shop ORDER BY moment RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND CURRENT ROW) AS what FROM offers", over(byMoment, func(all []offer, i int) (from, to int) {
		for from = 0; all[from].At.Before(all[i].At.Add(-5 * time.Second)); from++ {
		}
		for to = i; to < len(all) && all[to].At.Equal(all[i].At); to++ {
		}
		return from, to
	}, once)},
	{"by-price", "SELECT id, TALLY(price, note) OVER (PARTITION BY shop ORDER BY price DESC ROWS UNBOUNDED PRECEDING) AS what FROM offers", over(byPrice, unbounded, plainly)},
	{"dearer", "SELECT id, TALLY(DISTINCT price, note) OVER (PARTITION BY shop ORDER BY price DESC ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS what FROM offers", over(byPrice, rowsBefore(3), once)},
	{"group", "SELECT shop AS id, TALLY(DISTINCT price, note) AS what FROM offers GROUP BY shop", func(all []offer) []answer { return []answer{{all[0].Shop, once(all)}} }},
	{"session", "SELECT shop AS id, TALLY(DISTINCT price, note) AS what FROM TABLE(SESSION(TABLE offers PARTITION BY shop, DESCRIPTOR(moment), INTERVAL '2' SECOND)) GROUP BY shop, window_start, window_end", func(all []offer) (out []answer) {
		all = ordered(all, byMoment)
		for from := 0; from < len(all); {
			to := from + 1
			for to < len(all) && all[to].At.Sub(all[to-1].At) <= 2*time.Second {
				to++
			}
			out = append(out, answer{all[0].Shop, once(all[from:to])})
			from = to
		}
		return out
	}},
	{"hop", "SELECT shop AS id, TALLY(DISTINCT price, note) AS what FROM TABLE(HOP(TABLE offers, DESCRIPTOR(moment), INTERVAL '4' SECOND, INTERVAL '12' SECOND)) GROUP BY shop, window_start, window_end", func(all []offer) (out []answer) {
		last := slices.MaxFunc(all, byMoment).At
		for end := at(4); end.Before(last.Add(13 * time.Second)); end = end.Add(4 * time.Second) {
			var in []offer
			for _, o := range all {
				if o.At.Before(end) && !o.At.Before(end.Add(-12*time.Second)) {
					in = append(in, o)
				}
			}
			if len(in) > 0 {
				out = append(out, answer{all[0].Shop, once(in)})
			}
		}
		return out
	}},
}

func plainly(of []offer) string {
	var t tallies
	for _, o := range of {
		t.add(priced{o.Price, o.Note}, 1)
	}
	return t.text()
}

func once(of []offer) string {
	var t tallies
	for _, o := range of {
		if p := (priced{o.Price, o.Note}); t.Of[p.String()] == 0 {
			t.add(p, 1)
		}
	}
	return t.text()
}

func byMoment(a, b offer) int { return a.At.Compare(b.At) }

func byPrice(a, b offer) int {
	value := func(o offer) int64 {
		if o.Price == nil {
			return -1 // NULL is the smallest
		}
		return *o.Price
	}
	return int(value(b) - value(a))
}

func ordered(all []offer, by func(a, b offer) int) []offer {
	all = slices.Clone(all)
	slices.SortStableFunc(all, by)
	return all
}

func unbounded(_ []offer, i int) (from, to int) { return 0, i + 1 }

func rowsBefore(n int) func(all []offer, i int) (from, to int) {
	return func(_ []offer, i int) (from, to int) { return max(0, i-n), i + 1 }
}

// over answers rows in an order with what is said of their frames.
func over(by func(a, b offer) int, frame func(all []offer, i int) (from, to int), say func([]offer) string) func([]offer) []answer {
	return func(all []offer) (out []answer) {
		all = ordered(all, by)
		for i, o := range all {
			from, to := frame(all, i)
			out = append(out, answer{o.ID, say(all[from:to])})
		}
		return out
	}
}

// left returns the rows that a changelog leaves.
func left(t *testing.T, changes []sdktest.Change[answer]) (out []answer) {
	there := make(map[answer]int)
	for _, c := range changes {
		if c.Kind == sdk.Delete || c.Kind == sdk.UpdateBefore {
			if there[c.Row]--; there[c.Row] < 0 {
				t.Errorf("%+v is taken back, and is not there", c.Row)
			}
			continue
		}
		there[c.Row]++
	}
	for row, n := range there {
		for range n {
			out = append(out, row)
		}
	}
	return out
}

// TestAggregateFunctions: functions of the program give OVER rows of every order and frame, and of DISTINCT values in groups and windows, what a plain model says, whenever the job crashes and wherever it goes on.
func TestAggregateFunctions(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 11))
			p := sdktest.Start(t, func(e *sdk.Env) {
				aggregates(e)
				e.View("offers", sdk.From[offer](e, "offers", anywhere, sdk.Watermark(5*time.Second)))
				for _, q := range aggregateQueries {
					sdk.Query[answer](e, "q-"+q.name, q.text).To("out-"+q.name, anywhere)
				}
			}, sdktest.Options{Parallelism: 1 + r.IntN(3), Seed: seed})
			shops := make(map[int64][]offer)
			last := 0
			for id := int64(0); id < 240; {
				var in []offer
				for range 1 + r.IntN(24) {
					o := offer{Shop: r.Int64N(3), ID: id, Note: string(rune('a' + r.IntN(3))), At: at(last + 1 + r.IntN(4))}
					if price := r.Int64N(5); price > 0 {
						o.Price = &price
					}
					id++
					in = append(in, o)
					shops[o.Shop] = append(shops[o.Shop], o)
				}
				sdktest.Push(p, "offers", in...)
				last = max(last, int(slices.MaxFunc(in, byMoment).At.Unix()))
				switch r.IntN(6) {
				case 0:
					p.Checkpoint()
				case 1:
					p.Crash()
				case 2:
					p.Rescale(1 + r.IntN(4))
				}
			}
			p.End()
			for _, q := range aggregateQueries {
				var want []answer
				for _, all := range shops {
					want = append(want, q.model(all)...)
				}
				same(t, q.name, sorted(left(t, sdktest.Changes[answer](p, "out-"+q.name))), sorted(want))
			}
		})
	}
}

// summed is a job with a sum over rows, which is kept as the accumulator that it is given.
func summed[Acc any](add func(acc *Acc, price int64) int64) func(*sdk.Env) {
	return func(e *sdk.Env) {
		sdk.AggregateFunc(e, "summed", sdk.AggregateOf[int64, Acc, int64]{
			Add:    func(acc *Acc, price int64) error { add(acc, price); return nil },
			Result: func(acc *Acc) (int64, error) { return add(acc, 0), nil },
		})
		e.View("offers", sdk.From[offer](e, "offers", anywhere))
		sdk.Query[charge](e, "q", "SELECT note AS `user`, SUMMED(DISTINCT price) OVER (PARTITION BY shop ORDER BY moment) AS total FROM offers").To("out", anywhere)
	}
}

// TestUpgradeOfAggregateFunctions: what a function keeps goes on in another version of it, at another parallelism too, and one that keeps something else is refused with the table that has it.
func TestUpgradeOfAggregateFunctions(t *testing.T) {
	price := func(n int64) *int64 { return &n }
	one := summed(func(sum *int64, n int64) int64 { *sum += n; return *sum })
	p := sdktest.Start(t, one, sdktest.Options{Parallelism: 2})
	sdktest.Push(p, "offers", offer{1, 1, price(5), "a", at(1)}, offer{1, 2, price(7), "b", at(2)}, offer{2, 3, price(7), "c", at(3)}, offer{1, 4, nil, "d", at(4)})
	p.Upgrade(summed(func(sum *int64, n int64) int64 { *sum += 10 * n; return *sum }))
	err := p.Failure(func() {
		p.Upgrade(summed(func(sum *string, n int64) int64 { *sum += fmt.Sprint(n); return 0 }))
	})
	if err == nil || !strings.Contains(err.Error(), "table groups of operator q.over-aggregate") {
		t.Errorf("an accumulator of another type: %v", err)
	}
	sdktest.Push(p, "offers", offer{1, 5, price(7), "e", at(5)}, offer{1, 6, price(8), "f", at(6)})
	p.Rescale(3)
	sdktest.Push(p, "offers", offer{1, 7, price(8), "g", at(7)}, offer{2, 8, price(8), "h", at(8)})
	p.Crash()
	p.End()
	same(t, "sums", sorted(sdktest.Rows[charge](p, "out")), []charge{{"a", 5}, {"b", 12}, {"c", 7}, {"d", 12}, {"e", 12}, {"f", 92}, {"g", 92}, {"h", 87}})
}
