package examples

import (
	"fmt"
	"time"
)

// stamp prints a time of event time, from the epoch on, as Kafka's records have TIMESTAMP; local as they have TIMESTAMP_LTZ.
func stamp(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05.999")
}
func local(millis int64) string { return stamp(millis) + "Z" }

// bids is the main job: bids of 50 auctions, one a millisecond.
func bids(name string, args ...string) *example {
	const perPart = 30_000
	at := func(offset int64) int64 { return offset * 2 }
	auction := func(p, o int64) int64 { return (o*7 + p) % 50 }
	price := func(p, o int64) int64 { return (o*31 + p*17) % 1000 }
	return &example{
		name: name, args: args, topic: "bids", perPart: perPart,
		record: func(p, o int64) string {
			return fmt.Sprintf(`{"auction":%d,"bidder":1,"price":%d,"dateTime":"%s"}`, auction(p, o), price(p, o), stamp(at(o)))
		},
		want: func() map[string][]string {
			type key struct{ auction, start int64 }
			type sums struct{ bids, total, highest int64 }
			all := make(map[key]sums)
			for p := range int64(partitions) {
				for o := range int64(perPart) {
					k := key{auction(p, o), at(o) / 10_000 * 10_000}
					s := all[k]
					all[k] = sums{s.bids + 1, s.total + price(p, o), max(s.highest, price(p, o))}
				}
			}
			var out []string
			for k, s := range all {
				out = append(out, fmt.Sprintf(`{"auction":%d,"window_start":"%s","window_end":"%s","bids":%d,"total":%d,"highest":%d}`,
					k.auction, stamp(k.start), stamp(k.start+10_000), s.bids, s.total, s.highest))
			}
			return map[string][]string{"bids-per-auction": out}
		},
	}
}

// fraud is payments of 20 accounts, each in one partition in the order of time.
func fraud() *example {
	const perPart = 5_000
	at := func(o int64) int64 { return 1_000_000 + o*200 }
	account := func(p, o int64) string { return fmt.Sprintf("account-%d", p+2*(o%10)) }
	amount := func(p, o int64) int64 {
		switch n := (o*o*13 + o*7 + p*5) % 11; {
		case n < 2:
			return 1
		case n < 4:
			return 600
		default:
			return 100
		}
	}
	return &example{
		name: "fraud", topic: "payments", perPart: perPart,
		first: map[string][]string{"rules": {
			`{"name":"quick","small":5,"large":500,"window_seconds":4}`, `{"name":"slow","small":5,"large":500,"window_seconds":1000}`,
			`{"name":"gone","small":1000,"large":0,"window_seconds":1000}`, `{"name":"slow","small":2,"large":500,"window_seconds":30}`,
			`{"name":"gone","small":0,"large":0,"window_seconds":0}`,
		}},
		record: func(p, o int64) string {
			return fmt.Sprintf(`{"account":"%s","amount":%d,"at":"%s"}`, account(p, o), amount(p, o), local(at(o)))
		},
		want: func() map[string][]string {
			type small struct{ amount, at int64 }
			last := make(map[string]small)
			var out []string
			for p := range int64(partitions) {
				for o := range int64(perPart) {
					for rule, seconds := range map[string]int64{"quick": 4, "slow": 30} {
						k := account(p, o) + rule
						s, ok := last[k]
						if a := amount(p, o); ok && a >= 500 && at(o)-s.at <= seconds*1000 {
							out = append(out, fmt.Sprintf(`{"account":"%s","rule":"%s","small":%d,"large":%d,"at":"%s"}`, account(p, o), rule, s.amount, a, local(at(o))))
						}
						if a := amount(p, o); a <= 2 {
							last[k] = small{a, at(o)}
						}
					}
				}
			}
			return map[string][]string{"alerts": out}
		},
	}
}

// routing is lines of a log of four kinds.
func routing() *example {
	const perPart = 8_000
	level := func(p, o int64) string { return []string{"info", "error", "audit", "?"}[(o+p)%4] }
	line := func(p, o int64) string {
		if level(p, o) == "?" {
			return fmt.Sprintf("line-%d-%d", p, o)
		}
		return fmt.Sprintf("%s %s text %d %d", time.Unix(o, 0).UTC().Format(time.RFC3339), level(p, o), p, o)
	}
	return &example{
		name: "routing", topic: "log", perPart: perPart, record: line,
		want: func() map[string][]string {
			out := map[string][]string{"events": nil, "errors": nil, "audit": nil, "unread": nil}
			to := map[string]string{"info": "events", "error": "errors", "audit": "audit"}
			for p := range int64(partitions) {
				for o := range int64(perPart) {
					if level(p, o) == "?" {
						out["unread"] = append(out["unread"], fmt.Sprintf(`{"line":"%s","reason":"a line is a time, a level and a text"}`, line(p, o)))
						continue
					}
					topic := to[level(p, o)]
					out[topic] = append(out[topic], fmt.Sprintf(`{"at":"%s","level":"%s","text":"text %d %d"}`, local(o*1000), level(p, o), p, o))
				}
			}
			return out
		},
	}
}
