package optimize_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/sql/optimize"
	"millrace/sql/plan"
	"millrace/sql/plan/plantest"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func config(b *plantest.Builder) optimize.Config {
	return optimize.Config{
		Functions: b.Functions, Buckets: 4, ReadsFields: func(*plan.Scan) bool { return true },
		Fold: func(e expr.Expr) (*expr.Literal, error) {
			folded, err := kernel.Fold(e, b.Functions)
			if l, ok := folded.(*expr.Literal); ok && err == nil {
				return l, nil
			}
			return nil, fmt.Errorf("%s has no value", e)
		},
	}
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

const s = time.Second

// cases are plans; the golden file of each shows it before and after, and the rules that changed it.
var cases = []struct {
	name  string
	build func(b *plantest.Builder) []plan.Node
}{
	{"filter-project", func(b *plantest.Builder) []plan.Node {
		n := b.Project(b.Stream("bids", plantest.Bids()), "a = auction", "p = price", "twice = (* price 2)")
		n = b.Filter(b.Filter(n, "(and (> p (+ 1 2)) TRUE)"), "(and (> twice 10) (= a 7))")
		return []plan.Node{b.Into(b.Project(n, "a", "twice"), "out", "print", "")}
	}},
	{"filter-join", func(b *plantest.Builder) []plan.Node {
		l, r := b.Stream("bids", plantest.Bids()), b.Stream("more", plantest.Bids())
		n := b.Filter(b.Join(plan.Inner, l, r, ""), "(and (= auction auction0) (> price 1) (< price0 7) (< price price0))")
		return []plan.Node{b.Into(b.Project(n, "auction", "url", "url0"), "out", "print", "")}
	}},
	{"outer-join", func(b *plantest.Builder) []plan.Node {
		l, r := b.Stream("bids", plantest.Bids()), b.Stream("more", plantest.Bids())
		n := b.Filter(b.Join(plan.Left, l, r, "(and (= auction (+ auction0 1)) (> price 1) (> price0 2))"), "(and (< bidder 5) (< bidder0 5))")
		return []plan.Node{b.Into(b.Project(n, "auction", "url0"), "out", "print", "")}
	}},
	{"join-kinds", func(b *plantest.Builder) (out []plan.Node) {
		for _, kind := range []plan.JoinKind{plan.Right, plan.Full, plan.Semi, plan.Anti} {
			l, r := b.Stream("bids", plantest.Bids()), b.Stream("more", plantest.Bids())
			n := b.Filter(b.Join(kind, l, r, "(and (= auction auction0) (> price 2) (< price0 7))"), "(< bidder 6)")
			out = append(out, b.Into(b.Project(n, "auction", "price"), string(kind), "print", ""))
		}
		return out
	}},
	{"not-in", func(b *plantest.Builder) []plan.Node {
		l, r := b.Stream("bids", plantest.Bids()), b.Filter(b.Stream("more", plantest.Bids()), "(> price 6)")
		n := b.Join(plan.Anti, l, b.Project(r, "bidder"), "(= auction bidder0)").(*plan.Join)
		n.NullAware = true
		return []plan.Node{b.Into(b.Project(n, "auction", "price"), "out", "print", "")}
	}},
	{"single-value-tied", func(b *plantest.Builder) []plan.Node {
		// A value for each left row: of rows that are told apart by what ties them (not counted), and of rows that may not be.
		l, r := b.Stream("bids", plantest.Bids()), b.Stream("more", plantest.Bids())
		first := b.Filter(b.Over(r, "bidder", "dateTime", "rn = ROW_NUMBER()"), "(= rn 1)")
		single := func(right plan.Node) plan.Node {
			n := b.Join(plan.Left, l, right, "(and (= auction bidder0) (> price 2))").(*plan.Join)
			n.Single = true
			return n
		}
		return []plan.Node{
			b.Into(b.Project(single(b.Project(b.Group(r, "bidder", "most = MAX(price)"), "most", "bidder")), "auction", "most"), "told", "print", ""),
			b.Into(b.Project(single(b.Project(first, "price", "bidder")), "auction", "price0"), "counted", "print", ""),
		}
	}},
	{"union", func(b *plantest.Builder) []plan.Node {
		bids := b.Stream("bids", plantest.Bids())
		l, r := b.Project(bids, "auction", "price"), b.Project(bids, "auction", "price")
		inner := b.Set(plan.Union, true, l, b.Project(b.Stream("more", plantest.Bids()), "auction", "price"))
		n := b.Filter(b.Set(plan.Union, false, inner, r), "(= auction 3)")
		return []plan.Node{b.Into(b.Project(n, "price"), "out", "print", "")}
	}},
	{"intersect", func(b *plantest.Builder) []plan.Node {
		l, r := b.Project(b.Stream("bids", plantest.Bids()), "auction"), b.Project(b.Stream("more", plantest.Bids()), "bidder")
		return []plan.Node{
			b.Into(b.Set(plan.Intersect, false, l, r), "both", "print", ""),
			b.Into(b.Set(plan.Except, false, l, r), "one", "print", ""),
		}
	}},
	{"counted-sets", func(b *plantest.Builder) []plan.Node {
		l, r := b.Project(b.Stream("bids", plantest.Bids()), "auction"), b.Project(b.Stream("more", plantest.Bids()), "bidder")
		return []plan.Node{
			b.Into(b.Set(plan.Intersect, true, l, r), "both", "print", ""), b.Into(b.Set(plan.Except, true, l, r), "left", "print", ""),
		}
	}},
	{"top-n", func(b *plantest.Builder) []plan.Node {
		n := b.Over(b.Stream("bids", plantest.Bids()), "auction", "price DESC, dateTime", "rn = ROW_NUMBER()")
		with := b.Filter(n, "(and (<= rn (CAST 10 BIGINT)) (> bidder 4) (= auction 5))")
		without := b.Project(b.Filter(n, "(BETWEEN rn 2 3)"), "auction", "price")
		return []plan.Node{
			b.Into(b.Project(with, "auction", "price", "rn"), "ranked", "print", ""), b.Into(without, "unranked", "print", ""),
		}
	}},
	{"deduplicate", func(b *plantest.Builder) []plan.Node {
		bids := b.Stream("bids", plantest.Bids())
		last := b.Filter(b.Over(bids, "bidder, auction", "dateTime DESC", "rn = ROW_NUMBER()"), "(= rn 1)")
		first := b.Filter(b.Over(bids, "bidder", "dateTime", "rn = ROW_NUMBER()"), "(< rn 2)")
		return []plan.Node{
			b.Into(b.Project(last, "auction", "bidder", "price"), "last", "print", ""), b.Into(b.Project(first, "bidder", "rn"), "first", "print", ""),
		}
	}},
	{"window-aggregate", func(b *plantest.Builder) []plan.Node {
		n := b.Window(b.Stream("bids", plantest.Bids()), plan.Tumble, "dateTime", 10*s, 0)
		n = b.Project(b.Filter(n, "(> price 1)"), "window_end", "window_start", "auction", "p = (+ price 1)")
		n = b.Group(n, "auction, window_start, window_end", "bids = COUNT(*)", "total = SUM(p)", "never = MAX(p)")
		return []plan.Node{b.Into(b.Project(n, "auction", "window_end", "bids", "total"), "out", "print", "")}
	}},
	{"window-attached", func(b *plantest.Builder) []plan.Node {
		w := b.Window(b.Stream("bids", plantest.Bids()), plan.Hop, "dateTime", 10*s, 2*s)
		counts := b.Project(b.Group(w, "auction, window_start, window_end", "num = COUNT(*)"), "auction", "num", "starttime = window_start", "endtime = window_end")
		most := b.Group(counts, "starttime, endtime", "maxn = MAX(num)")
		n := b.Join(plan.Inner, counts, most, "(and (= starttime starttime0) (= endtime endtime0) (>= num maxn))")
		return []plan.Node{b.Into(b.Project(n, "auction", "num"), "q5", "print", "")}
	}},
	{"window-top-n", func(b *plantest.Builder) []plan.Node {
		w := b.Window(b.Stream("bids", plantest.Bids()), plan.Tumble, "dateTime", 10*s, 0)
		counts := b.Group(w, "auction, window_start, window_end", "num = COUNT(*)")
		n := b.Filter(b.Over(counts, "window_start, window_end", "num DESC", "rn = ROW_NUMBER()"), "(<= rn 3)")
		return []plan.Node{b.Into(n, "out", "print", "")}
	}},
	{"interval-join", func(b *plantest.Builder) []plan.Node {
		l, r := b.Stream("bids", plantest.Bids()), b.Stream("more", plantest.Bids())
		n := b.Join(plan.Inner, l, r, "(and (= auction auction0) (BETWEEN dateTime0 (- dateTime 10s) dateTime) (< price price0))")
		return []plan.Node{b.Into(b.Project(n, "auction", "price0"), "out", "print", "")}
	}},
	{"limit", func(b *plantest.Builder) []plan.Node {
		n := b.Sort(b.Project(b.Stream("bids", plantest.Bids()), "double = (* price 2)"), "", 100, 5)
		return []plan.Node{b.Into(b.Sort(b.Project(n, "more = (+ double 1)"), "", 10, 2), "out", "print", "")}
	}},
	{"fields", func(b *plantest.Builder) []plan.Node {
		// Nexmark's table: one event of three kinds, and views of them.
		bid := types.RowOf(types.Field{Name: "auction", Type: plantest.BigInt}, types.Field{Name: "price", Type: plantest.BigInt},
			types.Field{Name: "url", Type: plantest.Text}, types.Field{Name: "dateTime", Type: plantest.Time})
		person := types.RowOf(types.Field{Name: "name", Type: plantest.Text}, types.Field{Name: "city", Type: plantest.Text}, types.Field{Name: "dateTime", Type: plantest.Time})
		table := plantest.Table("kafka", "", plantest.Field("event_type", types.Of(types.Int)), plantest.Field("person", person), plantest.Field("bid", bid))
		events := func() plan.Node {
			at := "dateTime = (COALESCE (FIELD bid 'dateTime') (FIELD person 'dateTime'))"
			return b.Watermark(b.Project(b.Scan("events", table), "event_type", "person", "bid", at), "dateTime", 4*s)
		}
		bids := b.Project(b.Filter(events(), "(and (= event_type 2) (IS_NOT_NULL bid))"), "auction = (FIELD bid 'auction')", "price = (FIELD bid 'price')", "url = (FIELD bid 'url')")
		people := b.Project(b.Filter(events(), "(= event_type 0)"), "name = (FIELD person 'name')", "person")
		return []plan.Node{
			b.Into(b.Project(bids, "auction", "price"), "a", "print", ""), b.Into(b.Project(people, "name"), "b", "print", ""),
		}
	}},
	{"distinct-split", func(b *plantest.Builder) []plan.Node {
		bids := b.Project(b.Stream("bids", plantest.Bids()), "channel", "bidder", "price", "dear = (> price 4)", "auction")
		calls := []string{
			"n = COUNT(*)", "bidders = COUNT(DISTINCT bidder)", "sum = SUM(DISTINCT bidder)", "most = MAX(price)", "mean = AVG(price)",
			"some = COUNT(DISTINCT bidder) FILTER dear", "dearest = MIN(DISTINCT price) FILTER dear", "channels = COUNT(DISTINCT channel)",
		}
		return []plan.Node{
			b.Into(b.Group(bids, "channel", calls...), "by channel", "print", ""), b.Into(b.Group(bids, "", calls[1:]...), "all", "print", ""),
			b.Into(b.Group(bids, "channel", "n = COUNT(DISTINCT channel)", "most = MAX(DISTINCT price)"), "whole", "print", ""),
		}
	}},
	{"distinct-split-columns", func(b *plantest.Builder) []plan.Node {
		bids := b.Project(b.Stream("bids", plantest.Bids()), "channel", "bidder", "price", "dear = (> price 4)", "auction")
		n := b.Group(bids, "channel", "auctions = COUNT(DISTINCT auction)", "n = COUNT(*)", "mean = AVG(DISTINCT bidder)", "bidders = COUNT(DISTINCT bidder) FILTER dear",
			"least = MIN(price) FILTER dear", "dear = COUNT(*) FILTER dear")
		return []plan.Node{b.Into(n, "out", "print", "")}
	}},
	{"distinct-split-window", func(b *plantest.Builder) []plan.Node {
		w := b.Window(b.Stream("bids", plantest.Bids()), plan.Tumble, "dateTime", 10*s, 0)
		one := b.Group(w, "channel, window_start, window_end", "bidders = COUNT(DISTINCT bidder)", "n = COUNT(*)")
		two := b.Group(w, "channel, window_start, window_end", "bidders = COUNT(DISTINCT bidder)", "auctions = COUNT(DISTINCT auction)") // stays whole
		return []plan.Node{b.Into(b.Project(one, "channel", "window_end", "bidders", "n"), "one", "print", ""), b.Into(two, "two", "print", "")}
	}},
	{"shared", func(b *plantest.Builder) []plan.Node {
		// Two statements over two views of one table, which reads what both need.
		view := func() plan.Node {
			return b.Project(b.Filter(b.Stream("bids", plantest.Bids()), "(> price 1)"), "auction", "bidder", "price", "url")
		}
		return []plan.Node{
			b.Into(b.Group(view(), "auction", "n = COUNT(*)"), "a", "print", ""),
			b.Into(b.Project(b.Group(view(), "auction", "n = COUNT(*)"), "n"), "b", "print", ""),
			b.Into(b.Project(view(), "url"), "c", "print", ""),
		}
	}},
}

func TestGoldenPlans(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := plantest.New(t)
			before := c.build(b)
			var rules []string
			conf := config(b)
			conf.Trace = func(rule string, _, after plan.Node) {
				rules = append(rules, fmt.Sprintf("%s: %s", rule, plan.Line(after)))
			}
			after, err := optimize.Optimize(before, conf)
			if err != nil {
				t.Fatal(err)
			}
			rows := rowsRead(after)
			text := "== before\n" + plan.Explain(before...) + "== rules\n" + strings.Join(rules, "\n") + "\n== after\n" + plan.Explain(after...) + rows
			golden(t, c.name+".txt", text)
			checkAll(t, b, after)
			again, err := optimize.Optimize(after, config(b))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plan.Explain(after...), plan.Explain(again...)); diff != "" {
				t.Errorf("optimizing what is optimized changes it (-first +second):\n%s", diff)
			}
		})
	}
}

// rowsRead shows the ROWs that scans read: which of their fields is no part of a plan's text.
func rowsRead(roots []plan.Node) string {
	var out strings.Builder
	seen := make(map[plan.Node]bool)
	for _, r := range roots {
		plan.Walk(r, func(n plan.Node) {
			if _, is := n.(*plan.Scan); !is || seen[n] {
				return
			}
			seen[n] = true
			for _, c := range n.Schema() {
				if c.Type.Kind == types.Row {
					fmt.Fprintf(&out, "reads %s %s\n", c.Name, c.Type)
				}
			}
		})
	}
	return out.String()
}

// checkAll checks every expression against the columns that its node reads, and every schema against what is computed.
func checkAll(t *testing.T, b *plantest.Builder, roots []plan.Node) {
	t.Helper()
	for _, r := range roots {
		plan.Walk(r, func(n plan.Node) {
			var in plan.Schema
			for _, i := range n.Inputs() {
				in = append(in, i.Schema()...)
			}
			var es []expr.Expr
			switch n := n.(type) {
			case *plan.Filter:
				es = []expr.Expr{n.Condition}
			case *plan.Project:
				es = n.Columns
				for i, e := range es {
					if !e.Type().Equal(n.Result[i].Type) {
						t.Errorf("%s: column %d is %s, not %s", plan.Line(n), i, e.Type(), n.Result[i].Type)
					}
				}
			case *plan.Join:
				if n.Condition != nil {
					es = []expr.Expr{n.Condition}
				}
			}
			for _, e := range es {
				for _, err := range expr.Check(e, in.Types(), b.Functions) {
					t.Errorf("%s: %s", plan.Line(n), err)
				}
			}
		})
	}
}
