package window_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/operators/window"
	"millrace/statebackend/columnar"
	"millrace/stream/streamtest"
	"millrace/types"
)

func sessions(change func(*jobgraph.WindowAggregateSpec)) *jobgraph.OperatorSpec {
	w := mainJob()
	w.Window = jobgraph.WindowSpec{Kind: jobgraph.Session, Size: 10 * time.Millisecond}
	change(w)
	return aggregateOf(w)
}

func TestSessions(t *testing.T) {
	for _, c := range []operatortest.Case{
		{
			Name: "rows between two sessions make them one", Spec: sessions(func(w *jobgraph.WindowAggregateSpec) { w.LateOutput = true }),
			Script: `
				1 5 100
				1 7 120
				2 1 105
				watermark 105
				1 1 110
				NULL 3 111
				watermark 129
				1 9 100
				1 2 121
				1 4 112
				end`,
			Want: `
				2 105 115 1 1 1
				NULL 111 121 1 3 3
				1 100 130 3 13 7
				1 112 131 2 6 4`,
			Late:   "1 9 100",
			Counts: &operators.Counts{Folded: 7, Late: 1},
		},
		{
			Name: "a late row that touches a session is in time", Spec: sessions(func(*jobgraph.WindowAggregateSpec) {}),
			Script: "1 5 100\nwatermark 105\n1 1 92\n2 1 92\nwatermark 108\n1 1 98\nwatermark 109\nend",
			Want:   "1 92 110 3 7 5",
			Counts: &operators.Counts{Folded: 3, Late: 1},
		},
		{
			Name: "processing time", Spec: sessions(func(w *jobgraph.WindowAggregateSpec) { w.Window.Processing = true }),
			Script: "time 100\n1 1 NULL\ntime 109\n1 2 NULL\ntime 118\n1 4 NULL\ntime 127\ntime 128\n1 8 NULL\nend",
			Want:   "1 100 128 3 7 4",
		},
	} {
		c.New, c.Inputs, c.Backend, c.Keys = window.New, []*types.Schema{bids}, backend, [][]int{{0}}
		operatortest.Run(t, c)
	}
}

// TestSessionsEqualModel: row by row, rows in any order make the sessions that a plain
// list of them makes.
func TestSessionsEqualModel(t *testing.T) {
	type session struct {
		start, end, n, sum, most int64
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		open := map[string][]session{}
		var script, want []string
		at, watermark, late := int64(0), int64(-1<<62), int64(0)
		for range rapid.IntRange(0, 60).Draw(t, "rows") {
			at += int64(r.IntN(6))
			key, x := []string{"1", "2", "NULL"}[r.IntN(3)], at-int64(r.IntN(25))
			price := int64(r.IntN(100))
			script = append(script, fmt.Sprintf("%s %d %d", key, price, x))
			now := session{x, x + 10, 1, price, price}
			var rest []session
			for again := true; again; {
				again, rest = false, nil
				for _, o := range open[key] {
					if o.start > now.end || o.end < now.start {
						rest = append(rest, o)
						continue
					}
					now = session{min(o.start, now.start), max(o.end, now.end), o.n + now.n, o.sum + now.sum, max(o.most, now.most)}
					again = true
				}
				open[key] = rest
			}
			if now.end-1 <= watermark {
				late++
			} else {
				open[key] = append(open[key], now)
			}
			if r.IntN(5) == 0 && at-8 > watermark {
				watermark = at - 8
				script = append(script, "watermark "+strconv.FormatInt(watermark, 10))
				for k, all := range open {
					open[k] = slices.DeleteFunc(all, func(o session) bool {
						if o.end-1 > watermark {
							return false
						}
						want = append(want, fmt.Sprintf("%s %d %d %d %d %d", k, o.start, o.end, o.n, o.sum, o.most))
						return true
					})
				}
			}
		}
		for k, all := range open {
			for _, o := range all {
				want = append(want, fmt.Sprintf("%s %d %d %d %d %d", k, o.start, o.end, o.n, o.sum, o.most))
			}
		}
		c := &operatortest.Case{
			Spec: sessions(func(*jobgraph.WindowAggregateSpec) {}), New: window.New, Inputs: []*types.Schema{bids}, Keys: [][]int{{0}},
			Backend: columnar.New(), Script: strings.Join(append(script, "end"), "\n"),
		}
		v := drawVariant(t, r)
		v.BatchRows = 1
		out := operatortest.Play(t, c, v)
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(want, "\n")), out.Rows[0], false); diff != "" {
			t.Fatalf("%s\n(-model +operator):\n%s", c.Script, diff)
		}
		if out.Counts.Late != late {
			t.Fatalf("%d rows late, want %d", out.Counts.Late, late)
		}
	})
}
