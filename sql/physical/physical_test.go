package physical_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/catalog"
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/sql/optimize"
	"millrace/sql/physical"
	"millrace/sql/plan"
	"millrace/sql/plan/plantest"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// world knows connectors by what their changelogs are: kafka appends, upsert-kafka and print take all, cdc gives all.
type world struct{ functions *expr.Registry }

var kinds = []string{"cdc", "files", "kafka", "print", "upsert-kafka", "values"}

func (world) Names() []string { return kinds }

func (world) Source(t *catalog.Table) (catalog.SourceTraits, error) {
	switch t.Options["connector"] {
	case "cdc":
		return catalog.SourceTraits{Changelog: catalog.Retract}, nil
	case "upsert-kafka":
		return catalog.SourceTraits{Changelog: catalog.Upsert}, nil
	case "files":
		if t.Options["format"] == "csv" {
			return catalog.SourceTraits{Bounded: true, Partitions: true, Lookup: true, Columns: "csv.columns"}, nil
		}
		return catalog.SourceTraits{Bounded: true, Partitions: true, Lookup: true}, nil
	case "kafka":
		return catalog.SourceTraits{Fields: true}, nil
	}
	return catalog.SourceTraits{}, fmt.Errorf("no connector %q", t.Options["connector"])
}

func (world) Sink(t *catalog.Table) (catalog.SinkTraits, error) {
	switch t.Options["connector"] {
	case "upsert-kafka":
		return catalog.SinkTraits{Changelog: catalog.Upsert}, nil
	case "print":
		return catalog.SinkTraits{Changelog: catalog.Retract}, nil
	case "files":
		return catalog.SinkTraits{Partitions: true, Overwrite: true}, nil
	}
	return catalog.SinkTraits{}, nil
}

func (world) Sources() []string                       { return kinds }
func (world) Lookups() []string                       { return []string{"files"} }
func (world) CheckLookup(*jobgraph.LookupTable) error { return nil }
func (world) Sinks() []string                         { return kinds }
func (world) Operators() []jobgraph.OperatorKind {
	return []jobgraph.OperatorKind{
		jobgraph.KindCalc, jobgraph.KindWindowAggregate, jobgraph.KindLocalAggregate, jobgraph.KindUnion, jobgraph.KindRank, jobgraph.KindDeduplicate,
		jobgraph.KindChangelogNormalize, jobgraph.KindSinkMaterialize, jobgraph.KindSort, jobgraph.KindLimit, jobgraph.KindDropUpdateBefore,
		jobgraph.KindGroupAggregate, jobgraph.KindLocalGroupAggregate, jobgraph.KindJoin, jobgraph.KindWindowAssign,
		jobgraph.KindIntervalJoin, jobgraph.KindWindowJoin, jobgraph.KindTemporalJoin,
		jobgraph.KindOverAggregate, jobgraph.KindExpand, jobgraph.KindCorrelate, jobgraph.KindLookupJoin,
	}
}
func (w world) Functions() *expr.Registry                       { return w.functions }
func (world) CheckSource(*jobgraph.SourceSpec) error            { return nil }
func (world) CheckSink(*jobgraph.SinkSpec, *types.Schema) error { return nil }

func fold(t *testing.T, b *plantest.Builder, v options.Values) func(expr.Expr) (*expr.Literal, error) {
	t.Helper()
	zone, err := physical.Zone(v)
	if err != nil {
		t.Fatal(err)
	}
	return func(e expr.Expr) (*expr.Literal, error) {
		if l, ok := (kernel.Session{Zone: zone}).Fold(e, b.Functions).(*expr.Literal); ok {
			return l, nil
		}
		return nil, fmt.Errorf("%s has no value", e)
	}
}

// planned optimises and plans, with options of the session as pairs.
func planned(t *testing.T, b *plantest.Builder, roots []plan.Node, given ...string) (*physical.Job, error) {
	t.Helper()
	set := map[string]string{"parallelism.default": "4"}
	for i := 0; i+1 < len(given); i += 2 {
		set[given[i]] = given[i+1]
	}
	v, err := options.Parse(physical.Spec, set)
	if err != nil {
		t.Fatal(err)
	}
	after, err := optimize.Optimize(roots, optimize.Config{Functions: b.Functions, Fold: fold(t, b, v), ReadsFields: physical.ReadsFields(world{}), Buckets: physical.Buckets(v)})
	if err != nil {
		t.Fatal(err)
	}
	j, err := physical.Plan(after, physical.Config{Connectors: world{}, Functions: b.Functions, Options: v, Collect: &jobgraph.SinkSpec{Connector: "print"}, Compile: func(e expr.Expr, in *types.Schema) error {
		_, err := kernel.Session{Now: func() int64 { return 0 }}.Compile(e, in, b.Functions)
		return err
	}})
	if err != nil {
		return nil, err
	}
	if err := jobgraph.Validate(j.Graph, world{b.Functions}); err != nil {
		t.Errorf("the graph is not valid:\n%s\n%s", err, jobgraph.Explain(j.Graph))
	}
	return j, nil
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

func bids(b *plantest.Builder) plan.Node { return b.Stream("bids", plantest.Bids()) }

// golder is a plan; its golden file explains the job.
type golder struct {
	name    string
	options []string
	build   func(b *plantest.Builder) []plan.Node
}

var cases = []golder{
	{"calc", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Project(b.Filter(bids(b), "(= (% auction 123) 0)"), "auction", "cost = price")
		return []plan.Node{b.Into(n, "out", "kafka", "")}
	}},
	{"window-aggregate", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Window(bids(b), plan.Tumble, "dateTime", 10*s, 0)
		n = b.Group(n, "auction, window_start, window_end", "bids = COUNT(*)", "total = SUM(price)", "highest = MAX(price)")
		return []plan.Node{b.Into(b.Project(n, "auction", "window_end", "bids", "highest"), "out", "kafka", "")}
	}},
	{"group-aggregate-upsert", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Group(b.Project(bids(b), "auction", "double = (* price 2)"), "auction", "n = COUNT(*)", "total = SUM(double)")
		return []plan.Node{b.Into(n, "out", "upsert-kafka", "auction")}
	}},
	{"group-aggregate-retract", []string{"table.exec.state.ttl", "1 h"}, func(b *plantest.Builder) []plan.Node {
		n := b.Group(bids(b), "auction", "n = COUNT(DISTINCT bidder)")
		return []plan.Node{b.Into(b.Filter(n, "(> n 3)"), "out", "print", "")}
	}},
	{"group-aggregate-global", nil, func(b *plantest.Builder) []plan.Node {
		return []plan.Node{b.Into(b.Group(bids(b), "", "n = COUNT(*)"), "out", "print", "")}
	}},
	{"nested-aggregate", nil, func(b *plantest.Builder) []plan.Node {
		inner := b.Group(bids(b), "auction, bidder", "most = MAX(price)")
		return []plan.Node{b.Into(b.Group(inner, "bidder", "avg = AVG(most)", "top = MAX(most)"), "out", "upsert-kafka", "bidder")}
	}},
	{"distinct-union", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Set(plan.Union, false, b.Project(bids(b), "auction"), b.Project(b.Stream("more", plantest.Bids()), "bidder"))
		return []plan.Node{b.Into(n, "out", "kafka", "")}
	}},
	{"top-n", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Filter(b.Over(bids(b), "auction", "price DESC", "rank_number = ROW_NUMBER()"), "(<= rank_number 10)")
		return []plan.Node{b.Into(b.Project(n, "auction", "bidder", "rank_number"), "out", "upsert-kafka", "auction, rank_number")}
	}},
	{"top-n-of-counts", nil, func(b *plantest.Builder) []plan.Node {
		counts := b.Group(bids(b), "channel, auction", "n = COUNT(*)")
		n := b.Filter(b.Over(counts, "channel", "n DESC", "rn = ROW_NUMBER()"), "(<= rn 3)")
		return []plan.Node{b.Into(b.Project(n, "channel", "auction", "n"), "out", "upsert-kafka", "channel, auction")}
	}},
	{"deduplicate", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Filter(b.Over(bids(b), "bidder, auction", "dateTime DESC", "rn = ROW_NUMBER()"), "(= rn 1)")
		first := b.Filter(b.Over(bids(b), "bidder", "dateTime", "rn = ROW_NUMBER()"), "(= rn 1)")
		return []plan.Node{
			b.Into(b.Project(n, "auction", "bidder", "price"), "last", "upsert-kafka", "bidder, auction"),
			b.Into(b.Project(first, "bidder", "price"), "first", "kafka", ""),
		}
	}},
	{"upsert-source", nil, func(b *plantest.Builder) []plan.Node {
		t := plantest.Table("upsert-kafka", "id", plantest.Field("id", plantest.BigInt.NotNull()), plantest.Field("city", plantest.Text), plantest.Field("age", plantest.BigInt))
		return []plan.Node{b.Into(b.Group(b.Scan("people", t), "city", "n = COUNT(*)", "oldest = MAX(age)"), "out", "upsert-kafka", "city")}
	}},
	{"materialize", nil, func(b *plantest.Builder) []plan.Node {
		t := plantest.Table("cdc", "id", plantest.Field("id", plantest.BigInt.NotNull()), plantest.Field("city", plantest.Text))
		n := b.Join(plan.Inner, bids(b), b.Scan("people", t), "(= bidder id)")
		return []plan.Node{b.Into(b.Project(n, "auction", "city"), "out", "upsert-kafka", "auction")}
	}},
	{"upsert-of-a-filter", nil, func(b *plantest.Builder) []plan.Node { // a -U may come alone
		n := b.Group(bids(b), "auction", "n = COUNT(*)")
		return []plan.Node{b.Into(b.Filter(n, "(< n 10)"), "out", "upsert-kafka", "auction")}
	}},
	{"upsert-by-more", nil, func(b *plantest.Builder) []plan.Node { // an update may change the primary key
		n := b.Group(bids(b), "auction", "n = COUNT(*)", "most = MAX(price)")
		return []plan.Node{b.Into(n, "out", "upsert-kafka", "auction, n")}
	}},
	{"join", []string{"table.exec.state.ttl", "1 d"}, func(b *plantest.Builder) []plan.Node {
		auctions := b.Group(b.Stream("auctions", plantest.Bids()), "auction", "n = COUNT(*)")
		n := b.Join(plan.Left, bids(b), auctions, "(and (= auction auction0) (> price n))")
		return []plan.Node{b.Into(b.Project(n, "auction", "price", "n"), "out", "print", "")}
	}},
	{"statement-set", nil, func(b *plantest.Builder) []plan.Node {
		dear := b.Filter(bids(b), "(> price 100)")
		return []plan.Node{
			b.Into(b.Project(dear, "auction", "price"), "a", "kafka", ""), b.Into(b.Project(dear, "url"), "b", "kafka", ""),
			b.Into(b.Group(dear, "channel", "n = COUNT(*)"), "c", "upsert-kafka", "channel"),
		}
	}},
	{"same-twice", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Project(bids(b), "auction", "price")
		twice := b.Set(plan.Union, true, n, n, b.Project(b.Stream("more", plantest.Bids()), "auction", "price"))
		return []plan.Node{
			b.Into(twice, "union", "kafka", ""), b.Into(b.Join(plan.Inner, n, n, "(= auction auction0)"), "join", "kafka", ""),
			b.Into(b.Join(plan.Semi, twice, n, "(= auction auction0)"), "semi", "kafka", ""),
		}
	}},
	{"parallelism", []string{"pipeline.name", "mine", "execution.checkpointing.interval", "30 s", "table.exec.resource.default-parallelism", "8"}, func(b *plantest.Builder) []plan.Node {
		source := plantest.Bids()
		source.Options["scan.parallelism"], source.Options["scan.watermark.idle-timeout"] = "2", "10 s"
		counts := b.Group(b.Stream("bids", source), "auction", "n = COUNT(*)")
		sink := plantest.Table("upsert-kafka", "auction", plantest.Field("auction", plantest.BigInt), plantest.Field("n", plantest.BigInt))
		sink.Options["sink.parallelism"] = "3"
		return []plan.Node{b.Sink(counts, "out", sink), b.Into(b.Project(b.Stream("bids", source), "url"), "urls", "kafka", "")}
	}},
	{"order-by-limit", nil, func(b *plantest.Builder) []plan.Node {
		return []plan.Node{b.Into(b.Sort(b.Project(bids(b), "auction", "price"), "price DESC", 5, 2), "out", "print", "")}
	}},
	{"batch", []string{"execution.runtime-mode", "batch"}, func(b *plantest.Builder) []plan.Node {
		t := plantest.Table("files", "", plantest.Field("k", plantest.BigInt), plantest.Field("v", plantest.BigInt))
		n := b.Sort(b.Group(b.Scan("history", t), "k", "n = SUM(v)"), "n DESC", -1, 0)
		return []plan.Node{b.Into(n, "out", "kafka", "")}
	}},
	{"partitions", nil, func(b *plantest.Builder) []plan.Node { // of a table that is read, of one that is written, of one that has none
		in := plantest.Table("files", "", plantest.Field("dt", plantest.BigInt), plantest.Field("v", plantest.BigInt))
		out := plantest.Table("files", "", plantest.Field("v", plantest.BigInt), plantest.Field("dt", plantest.BigInt))
		topic := plantest.Table("kafka", "", plantest.Field("dt", plantest.BigInt), plantest.Field("v", plantest.BigInt))
		in.PartitionedBy, out.PartitionedBy, topic.PartitionedBy = []string{"dt"}, []string{"dt"}, []string{"dt"}
		all := b.Set(plan.Union, true, b.Project(b.Scan("history", in), "v", "dt"), b.Project(b.Scan("topic", topic), "v", "dt"))
		return []plan.Node{b.Sink(all, "out", out)}
	}},
}

// timeCases are those of windows and of joins that time bounds.
var timeCases = []golder{
	{"window-join", nil, func(b *plantest.Builder) []plan.Node { // Nexmark's q5
		w := b.Window(bids(b), plan.Hop, "dateTime", 10*s, 2*s)
		counts := b.Project(b.Group(w, "auction, window_start, window_end", "num = COUNT(*)"), "auction", "num", "starttime = window_start", "endtime = window_end")
		most := b.Group(counts, "starttime, endtime", "maxn = MAX(num)")
		n := b.Join(plan.Inner, counts, most, "(and (= starttime starttime0) (= endtime endtime0) (>= num maxn))")
		return []plan.Node{b.Into(b.Project(n, "auction", "num"), "out", "kafka", "")}
	}},
	{"window-top-n", nil, func(b *plantest.Builder) []plan.Node {
		counts := b.Group(b.Window(bids(b), plan.Cumulate, "dateTime", 10*s, 2*s), "channel, auction, window_start, window_end", "num = COUNT(*)")
		n := b.Filter(b.Over(counts, "channel, window_start, window_end", "num DESC", "rn = ROW_NUMBER()"), "(<= rn 3)")
		return []plan.Node{b.Into(n, "out", "kafka", "")}
	}},
	{"window-deduplicate", nil, func(b *plantest.Builder) []plan.Node {
		w := b.Window(bids(b), plan.Tumble, "dateTime", 10*s, 0)
		n := b.Filter(b.Over(w, "bidder, window_start, window_end", "dateTime DESC", "rn = ROW_NUMBER()"), "(= rn 1)")
		return []plan.Node{b.Into(b.Project(n, "bidder", "price", "window_end"), "out", "kafka", "")}
	}},
	{"window-processing-time", []string{"table.local-time-zone", "Europe/Berlin"}, func(b *plantest.Builder) []plan.Node { // q12
		w := b.Window(b.ProcTime(bids(b), "p_time"), plan.Tumble, "p_time", 10*s, 0)
		n := b.Group(w, "bidder, window_start, window_end", "bid_count = COUNT(*)")
		return []plan.Node{b.Into(n, "out", "kafka", "")}
	}},
	{"interval-join", nil, func(b *plantest.Builder) []plan.Node {
		n := b.Join(plan.Inner, bids(b), b.Stream("more", plantest.Bids()), "(and (= auction auction0) (BETWEEN dateTime0 (- dateTime 10s) dateTime) (< price price0))")
		return []plan.Node{b.Into(b.Project(n, "auction", "price0"), "out", "kafka", "")}
	}},
	{"interval-join-of-updates", []string{"table.exec.state.ttl", "1 h"}, func(b *plantest.Builder) []plan.Node {
		t := plantest.Table("cdc", "id", plantest.Field("id", plantest.BigInt.NotNull()), plantest.Field("dateTime", plantest.Time))
		n := b.Join(plan.Inner, bids(b), b.Watermark(b.Scan("people", t), "dateTime", s), "(and (= bidder id) (BETWEEN dateTime (- dateTime0 5s) dateTime0))")
		return []plan.Node{b.Into(b.Project(n, "auction", "id"), "out", "print", "")}
	}},
	{"temporal-join", nil, func(b *plantest.Builder) []plan.Node {
		t := plantest.Table("upsert-kafka", "currency", plantest.Field("currency", plantest.Text.NotNull()), plantest.Field("rate", plantest.BigInt), plantest.Field("at", plantest.Time))
		rates := b.Watermark(b.Scan("rates", t), "at", s)
		orders := bids(b)
		n := &plan.TemporalJoin{
			Kind: plan.Left, Left: orders, Right: rates, Time: orders.Schema().Index("dateTime"),
			Result: slices.Concat(orders.Schema(), rates.Schema()),
		}
		n.Condition = b.E(n.Result, "(= channel currency)")
		for i := len(orders.Schema()); i < len(n.Result); i++ {
			n.Result[i].Type = n.Result[i].Type.AsNullable()
		}
		return []plan.Node{b.Into(b.Project(n, "auction", "worth = (* price rate)"), "out", "kafka", "")}
	}},
}

func TestGoldenJobs(t *testing.T) {
	for _, c := range slices.Concat(cases, timeCases) {
		t.Run(c.name, func(t *testing.T) {
			b := plantest.New(t)
			roots := c.build(b)
			j, err := planned(t, b, roots, c.options...)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, c.name+".txt", j.Explain(roots, physical.Details{ChangelogMode: true, EstimatedCost: true}))
			again, err := planned(t, plantest.New(t), c.build(plantest.New(t)), c.options...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(jobgraph.Explain(j.Graph), jobgraph.Explain(again.Graph)); diff != "" {
				t.Errorf("the same text made another graph (-first +second):\n%s", diff)
			}
		})
	}
}

// uids returns those of the sources and of the operators that keep state.
func uids(j *physical.Job) (out []string) {
	for _, v := range j.Graph.Vertices {
		if v.Source != nil {
			out = append(out, string(v.Source.UID))
		}
		for _, o := range v.Operators {
			if o.Kind() != jobgraph.KindCalc {
				out = append(out, string(o.UID))
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestUIDsOutliveOtherChanges changes a query where that is no matter of an aggregate.
func TestUIDsOutliveOtherChanges(t *testing.T) {
	group := func(b *plantest.Builder, in plan.Node) plan.Node {
		return b.Group(b.Filter(in, "(> price 10)"), "auction", "n = COUNT(*)", "total = SUM(price)")
	}
	first := func(b *plantest.Builder) []plan.Node {
		return []plan.Node{b.Into(group(b, bids(b)), "out", "print", "")}
	}
	wider := plantest.Bids()
	wider.Columns = append([]catalog.Column{plantest.Field("added", plantest.Text)}, wider.Columns...)
	others := map[string]func(b *plantest.Builder) []plan.Node{
		"a column more of the table": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{b.Into(group(b, b.Stream("bids", wider)), "out", "print", "")}
		},
		"another statement reads another column": func(b *plantest.Builder) []plan.Node {
			return append(first(b), b.Into(b.Project(bids(b), "url", "extra"), "urls", "print", ""))
		},
		"columns by other names in between": func(b *plantest.Builder) []plan.Node {
			in := b.Filter(b.Project(bids(b), "url", "p = price", "a = auction"), "(> p 10)")
			return []plan.Node{b.Into(b.Group(in, "a", "n = COUNT(*)", "total = SUM(p)"), "out", "print", "")}
		},
		"computed further above": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{b.Into(b.Project(group(b, bids(b)), "auction", "more = (+ n total)"), "out", "print", "")}
		},
	}
	b := plantest.New(t)
	j, err := planned(t, b, first(b))
	if err != nil {
		t.Fatal(err)
	}
	for name, build := range others {
		t.Run(name, func(t *testing.T) {
			b := plantest.New(t)
			other, err := planned(t, b, build(b))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(uids(j), uids(other)); diff != "" {
				t.Errorf("uids (-before +after):\n%s", diff)
			}
		})
	}
	b = plantest.New(t)
	changed, err := planned(t, b, []plan.Node{b.Into(b.Group(b.Filter(bids(b), "(> price 11)"), "auction", "n = COUNT(*)", "total = SUM(price)"), "out", "print", "")})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(uids(j), uids(changed)) {
		t.Error("an aggregate of other rows has the same uids: it would take over their state")
	}
}

// TestRefusals says what can't be, and who is the cause.
func TestRefusals(t *testing.T) {
	people := plantest.Table("upsert-kafka", "", plantest.Field("id", plantest.BigInt.NotNull()))
	refusals := map[string]func(b *plantest.Builder) []plan.Node{
		"updates into a table that appends": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{b.Into(b.Group(bids(b), "auction", "n = COUNT(*)"), "out", "kafka", "")}
		},
		"updates by key without one": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{b.Into(b.Group(bids(b), "auction", "n = COUNT(*)"), "out", "upsert-kafka", "")}
		},
		"changes by key without one": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{b.Into(b.Scan("people", people), "out", "print", "")}
		},
		"order without end": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{b.Into(b.Sort(bids(b), "price", -1, 0), "out", "print", "")}
		},
		"windows over updates": func(b *plantest.Builder) []plan.Node {
			n := b.Watermark(b.Scan("changes", plantest.Table("cdc", "", plantest.Field("dateTime", plantest.Time))), "dateTime", s)
			return []plan.Node{b.Into(b.Group(b.Window(n, plan.Tumble, "dateTime", s, 0), "window_start, window_end", "n = COUNT(*)"), "out", "print", "")}
		},
		"two things at once": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{
				b.Into(b.Scan("people", people), "out", "print", ""), b.Into(b.Sort(bids(b), "price", -1, 0), "sorted", "print", ""),
			}
		},
		"an unknown connector": func(b *plantest.Builder) []plan.Node {
			return []plan.Node{b.Into(b.Scan("people", plantest.Table("postgres", "", plantest.Field("id", plantest.BigInt))), "out", "print", "")}
		},
	}
	var out strings.Builder
	names := make([]string, 0, len(refusals))
	for name := range refusals {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b := plantest.New(t)
		_, err := planned(t, b, refusals[name](b))
		if err == nil {
			t.Errorf("%s: is not refused", name)
			continue
		}
		fmt.Fprintf(&out, "== %s\n%s\n", name, err)
	}
	golden(t, "refusals.txt", out.String())
}

func TestOptionsAreDeclaredWell(t *testing.T) {
	if err := physical.Spec.Validate(); err != nil {
		t.Fatal(err)
	}
}
