package examples

import (
	"fmt"
	"time"
)

// sessions is clicks of 20 users, each in one partition in the order of time: one in 30 s for ten minutes, and then none for forty.
func sessions() *example {
	const (
		perPart = 6_000
		block   = 200
	)
	at := func(o int64) int64 { return o*3_000 + o/block*(40*time.Minute).Milliseconds() }
	user := func(p, o int64) string { return fmt.Sprintf("user-%d", p+2*(o%10)) }
	return &example{
		name: "sessions", topic: "clicks", perPart: perPart,
		record: func(p, o int64) string {
			return fmt.Sprintf(`{"user":"%s","page":"/%d","at":"%s"}`, user(p, o), o, local(at(o)))
		},
		want: func() map[string][]string {
			out := map[string][]string{"sessions": nil, "late-clicks": nil}
			for p := range int64(partitions) {
				for first := int64(0); first < perPart; first += block {
					for o := first; o < first+10; o++ {
						out["sessions"] = append(out["sessions"], fmt.Sprintf(`{"user":"%s","start":"%s","end":"%s","clicks":%d}`,
							user(p, o), local(at(o)), local(at(o+block-10)), block/10))
					}
				}
			}
			return out
		},
	}
}
