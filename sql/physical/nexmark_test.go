package physical_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/catalog/memory"
	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/sql/analyze"
	"millrace/sql/parser"
	"millrace/sql/physical"
	"millrace/sql/plan"
	"millrace/sql/plan/plantest"
	"millrace/types"
)

// counting are the functions that there are, with one of a user.
func counting(t *testing.T) *expr.Registry {
	t.Helper()
	r := expr.Builtins()
	err := r.Register(expr.Signature{
		Name: "COUNTCHAR", Kind: expr.ScalarFunc, MinArgs: 2, MaxArgs: 2, Doc: "How often a character is in a text.",
		Resolve: func([]types.Type) (types.Type, error) { return types.Of(types.BigInt), nil },
		Impl:    kernel.NewRows2(func(text, c []byte) (int64, error) { return int64(bytes.Count(text, c)), nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// part is a named part of a file of statements.
type part struct{ name, text string }

// parts splits a file at lines of "-- name".
func parts(t *testing.T, path string) (out []part) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Split(string(text), "\n-- ")[1:] {
		name, statements, _ := strings.Cut(p, "\n")
		out = append(out, part{name, statements})
	}
	return out
}

// analyzed returns the plans of a text, whose definitions stay in the catalog.
func analyzed(t *testing.T, b *plantest.Builder, store *memory.Store, text string) (roots []plan.Node) {
	t.Helper()
	for _, p := range parser.ParseScript(text) {
		if p.Err != nil {
			t.Fatal(p.Err)
		}
		snap, err := store.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := analyze.Statement(analyze.Input{Text: text, Catalog: snap, Connectors: world{}, Functions: b.Functions}, p.Statement)
		if err != nil {
			t.Fatal(err)
		}
		switch r := r.(type) {
		case *analyze.Query:
			roots = append(roots, r.Roots...)
		case *analyze.Changes:
			if err := store.Apply(t.Context(), r.List...); err != nil {
				t.Fatal(err)
			}
		}
	}
	return roots
}

// TestNexmark plans the suite's queries from their texts.
func TestNexmark(t *testing.T) {
	all := parts(t, "testdata/nexmark.sql")
	for _, q := range all[1:] {
		t.Run(q.name, func(t *testing.T) {
			b := plantest.New(t)
			b.Functions = counting(t)
			store := memory.New()
			analyzed(t, b, store, all[0].text)
			roots := analyzed(t, b, store, q.text)
			j, err := planned(t, b, roots)
			if err != nil {
				golden(t, "nexmark-"+q.name+".txt", "refused: "+err.Error()+"\n")
				return
			}
			golden(t, "nexmark-"+q.name+".txt", j.Explain(roots, physical.Details{ChangelogMode: true}))
		})
	}
}

const lookupTables = `CREATE TABLE orders (id BIGINT, city BIGINT, at_time AS PROCTIME()) WITH ('connector' = 'kafka');
	CREATE TABLE cities (name STRING, id BIGINT, half AS id / 2, more STRING) WITH ('connector' = 'files', 'format' = 'csv');
	`

// TestTexts plans what the suite does not ask.
func TestTexts(t *testing.T) {
	for _, q := range []part{
		{"over", `SELECT auction, SUM(price) OVER (PARTITION BY auction ORDER BY dateTime RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW) AS total FROM bid`},
		{"session-distinct", `SELECT bidder, COUNT(DISTINCT auction) AS auctions, COUNT(DISTINCT channel) FILTER (WHERE price > 10) AS channels, SUM(DISTINCT auction) AS total, window_end
			FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(dateTime), INTERVAL '10' SECOND)) GROUP BY bidder, window_start, window_end`},
		{"over-by-price", `SELECT auction, SUM(bidder) OVER (PARTITION BY auction ORDER BY price DESC) AS bidders FROM bid`},
		{"over-distinct", `SELECT auction, COUNT(DISTINCT bidder) OVER w AS bidders, SUM(DISTINCT price) FILTER (WHERE channel <> 'x') OVER w AS total
			FROM bid WINDOW w AS (PARTITION BY auction ORDER BY dateTime)`},
		{"ranks-and-lag", `SELECT auction, RANK() OVER w AS r, DENSE_RANK() OVER w AS d, ROW_NUMBER() OVER w AS n, LAG(price) OVER w AS before,
			LAG(channel, 2, url) OVER w AS channels, SUM(price) OVER w AS total FROM bid WINDOW w AS (PARTITION BY auction ORDER BY dateTime)`},
		{"top-by-rank", `SELECT * FROM (SELECT auction, price, RANK() OVER (PARTITION BY auction ORDER BY price DESC) AS r FROM bid) WHERE r <= 3`},
		{"row-number", `SELECT auction, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY dateTime) AS n FROM bid`},
		{"rollup", `SELECT channel, bidder, COUNT(*) AS n, SUM(bidder) AS bidders, GROUPING(channel, bidder) AS sets FROM bid GROUP BY ROLLUP (channel, bidder)`},
		{"unnest", `CREATE TABLE carts (customer BIGINT, items ARRAY<ROW<item STRING, price BIGINT>>, more STRING) WITH ('connector' = 'kafka');
			SELECT customer, item, price FROM carts LEFT JOIN UNNEST(items) AS t (item, price) ON TRUE WHERE customer > 5`},
		{"values", `SELECT id, name, ts FROM (VALUES (1, 'a', TIMESTAMP '2024-01-01 00:00:00.123456789'), (2, NULL, NULL), (-3, 'é', NULL)) AS t (id, name, ts) WHERE id <> 2`},
		{"values-computed", `SELECT * FROM (VALUES (1, ARRAY[1, 2], NOW()), (2, ARRAY[3], TO_TIMESTAMP_LTZ(0, 3))) AS t (id, list, ts)`},
		{"no-from", `SELECT 1 AS n, CURRENT_DATE AS today UNION ALL SELECT 2, DATE '2024-01-01'`},
		{"insert-values", `CREATE TABLE notes (id INT NOT NULL, price DECIMAL(10, 2), bits BYTES) WITH ('connector' = 'print');
			INSERT INTO notes VALUES (1, 1.5, X'00FF'), (2, 2, NULL)`},
		{"functions", `SELECT auction, VAR_POP(price) AS v, STDDEV(DISTINCT price) FILTER (WHERE bidder > 5) AS d, FIRST_VALUE(channel) AS first,
			LISTAGG(DISTINCT channel, '; ') AS channels FROM bid GROUP BY auction`},
		{"functions-of-updates", `SELECT n, LAST_VALUE(channel) AS last, LISTAGG(channel) AS channels, VARIANCE(n) AS v
			FROM (SELECT channel, COUNT(*) AS n FROM bid GROUP BY channel) GROUP BY n`},
		{"array-agg", `SELECT auction, ARRAY_AGG(bidder) AS bidders FROM bid GROUP BY auction`},
		{"lookup", lookupTables + `SELECT o.id, c.name, c.half FROM orders AS o JOIN cities FOR SYSTEM_TIME AS OF o.at_time AS c ON o.city = c.id AND c.name <> 'x' AND o.id > c.id`},
		{"lookup-left", lookupTables + `SELECT o.id, c.name FROM orders AS o LEFT JOIN cities FOR SYSTEM_TIME AS OF o.at_time AS c ON o.city = c.id`},
		{"lookup-without-key", lookupTables + `SELECT o.id, c.name FROM orders AS o JOIN cities FOR SYSTEM_TIME AS OF o.at_time AS c ON o.city > c.id`},
		{"lookup-computed", lookupTables + `SELECT o.id, c.half FROM orders AS o LEFT JOIN cities FOR SYSTEM_TIME AS OF o.at_time AS c ON o.city = c.id`},
		{"lookup-partial", lookupTables + `SELECT /*+ LOOKUP('table' = 'c', 'async' = 'true') */ o.id, c.name
			FROM orders AS o JOIN cities /*+ OPTIONS('lookup.cache' = 'PARTIAL') */ FOR SYSTEM_TIME AS OF o.at_time AS c ON o.city = c.id`},
		{"intersect-all", `SELECT auction, channel FROM bid INTERSECT ALL SELECT bidder, url FROM bid`},
		{"except-all", `SELECT auction FROM bid EXCEPT ALL SELECT bidder FROM bid`},
		{"scalar-subquery", `SELECT auction, (SELECT name FROM person) AS name FROM bid WHERE price > (SELECT AVG(price) FROM bid)`},
		{"tied-subqueries", `SELECT auction, (SELECT name FROM person WHERE person.id = bidder) AS name FROM bid
			WHERE price > (SELECT AVG(b.price) FROM bid AS b WHERE b.auction = bid.auction) AND 0 = (SELECT COUNT(*) FROM auction WHERE seller = bidder)`},
		{"flags", `SELECT auction, bidder NOT IN (SELECT seller FROM auction WHERE id = bid.auction) AS other FROM bid
			WHERE price > 100 OR EXISTS (SELECT 1 FROM person WHERE person.id = bidder)`},
		{"single-value-of-rows", `SELECT auction, (SELECT ARRAY[name] FROM person WHERE person.id = bidder) AS name FROM bid`},
		{"places", `CREATE TABLE notes (id INT, name STRING, price DECIMAL(10, 2), half AS price / 2) WITH ('connector' = 'files', 'format' = 'csv');
			SELECT price, id FROM notes WHERE half > 1`},
		{"all-places", `CREATE TABLE notes (id INT, name STRING) WITH ('connector' = 'files', 'format' = 'csv');
			SELECT * FROM notes`},
		{"unnamed-places", "CREATE TABLE notes (id INT, `a;b` STRING) WITH ('connector' = 'files', 'format' = 'csv'); SELECT id FROM notes"},
		{"lead", `SELECT auction, LEAD(price) OVER (PARTITION BY auction ORDER BY dateTime) AS n FROM bid`},
		{"ntile", `SELECT auction, NTILE(4) OVER (PARTITION BY auction ORDER BY price) AS n FROM bid`},
		{"lag-far", `SELECT auction, LAG(price, 10001) OVER (PARTITION BY auction ORDER BY dateTime) AS n FROM bid`},
	} {
		t.Run(q.name, func(t *testing.T) {
			b := plantest.New(t)
			b.Functions = counting(t)
			store := memory.New()
			analyzed(t, b, store, parts(t, "testdata/nexmark.sql")[0].text)
			roots := analyzed(t, b, store, q.text)
			j, err := planned(t, b, roots)
			if err != nil {
				golden(t, "text-"+q.name+".txt", "refused: "+err.Error()+"\n")
				return
			}
			golden(t, "text-"+q.name+".txt", j.Explain(roots, physical.Details{ChangelogMode: true, EstimatedCost: true}))
		})
	}
}

// TestWhatCannotBeEvaluated is refused by whoever plans it, and names the function.
func TestWhatCannotBeEvaluated(t *testing.T) {
	var out strings.Builder
	for _, text := range []string{
		`SELECT auction FROM bid WHERE REGEXP(url, '(')`,
		`SELECT REGEXP_EXTRACT(url, '[', 1) AS e FROM bid`,
		`SELECT DATE_FORMAT(dateTime, 'bad!') AS d FROM bid`,
		`SELECT b.auction FROM bid AS b JOIN bid AS c ON b.auction = c.auction AND b.url SIMILAR TO '(' || c.url AND REGEXP(b.url, '*' )`,
		`VALUES (NOW(), REGEXP('a', '('))`,
	} {
		b := plantest.New(t)
		b.Functions = counting(t)
		store := memory.New()
		analyzed(t, b, store, parts(t, "testdata/nexmark.sql")[0].text)
		_, err := planned(t, b, analyzed(t, b, store, text))
		if err == nil {
			t.Errorf("%s: is not refused", text)
			continue
		}
		fmt.Fprintf(&out, "%s\n  %s\n", text, err)
	}
	golden(t, "not-evaluated.txt", out.String())
}

// TestDistinctSplit plans aggregates with DISTINCT in two levels.
func TestDistinctSplit(t *testing.T) {
	for _, q := range []struct{ name, mode, text string }{
		{"column", "streaming", "SELECT channel, COUNT(DISTINCT bidder) AS bidders, AVG(price) AS mean FROM bid GROUP BY channel"},
		{"columns", "streaming", `SELECT /*+ STATE_TTL('bid' = '1 d') */ channel, COUNT(*) AS n, COUNT(DISTINCT bidder) FILTER (WHERE price < 10) AS bidders,
			COUNT(DISTINCT auction) AS auctions, MAX(auction) FILTER (WHERE price < 10) AS latest FROM bid GROUP BY channel`},
		{"batch", "batch", "SELECT k, COUNT(DISTINCT v) AS n FROM days GROUP BY k"},
		{"order", "streaming", "SELECT channel, COUNT(DISTINCT bidder) AS bidders, LAST_VALUE(price) AS latest FROM bid GROUP BY channel"},
		{"sets", "streaming", "SELECT channel, COUNT(DISTINCT bidder) AS bidders FROM bid GROUP BY ROLLUP (channel)"},
	} {
		t.Run(q.name, func(t *testing.T) {
			b := plantest.New(t)
			b.Functions = counting(t)
			store := memory.New()
			analyzed(t, b, store, parts(t, "testdata/nexmark.sql")[0].text+"; CREATE TABLE days (k BIGINT, v BIGINT) WITH ('connector' = 'files')")
			roots := analyzed(t, b, store, q.text)
			j, err := planned(t, b, roots, "table.optimizer.distinct-agg.split.enabled", "true", "table.optimizer.distinct-agg.split.bucket-num", "16", "execution.runtime-mode", q.mode)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "split-"+q.name+".txt", j.Explain(roots, physical.Details{ChangelogMode: true}))
		})
	}
}

// TestOverwrites plans INSERT OVERWRITE, by what its PARTITION says.
func TestOverwrites(t *testing.T) {
	const tables = `CREATE TABLE days (id BIGINT, dt DATE, h INT) PARTITIONED BY (dt, h) WITH ('connector' = 'files');
		CREATE TABLE plain (id BIGINT, dt DATE, h INT) WITH ('connector' = 'files');`
	var out strings.Builder
	for _, c := range []struct{ mode, text string }{
		{"batch", "INSERT OVERWRITE plain SELECT * FROM days"},
		{"batch", "INSERT OVERWRITE days SELECT * FROM plain"},
		{"batch", "INSERT OVERWRITE days PARTITION (dt = DATE '2024-01-01') SELECT id, h FROM plain"},
		{"batch", "INSERT OVERWRITE days PARTITION (h = 12, dt = DATE '2024-01-01') SELECT id FROM plain WHERE FALSE"},
		{"batch", "INSERT OVERWRITE days PARTITION (h = NULL, dt) SELECT id, dt FROM plain"},
		{"batch", "INSERT OVERWRITE days PARTITION (dt = CURRENT_DATE, h = 1) SELECT id FROM plain"},
		{"batch", "INSERT INTO days PARTITION (dt = DATE '2024-01-01', h = 1) SELECT id FROM plain"},
		{"streaming", "INSERT OVERWRITE plain SELECT * FROM days"},
	} {
		b := plantest.New(t)
		store := memory.New()
		analyzed(t, b, store, tables)
		roots := analyzed(t, b, store, c.text)
		fmt.Fprintf(&out, "-- %s: %s\n", c.mode, c.text)
		j, err := planned(t, b, roots, "execution.runtime-mode", c.mode)
		if err != nil {
			fmt.Fprintf(&out, "refused: %s\n", err)
			continue
		}
		for _, v := range j.Graph.Vertices {
			if v.Sink != nil {
				fmt.Fprintf(&out, "%s: overwrite %t, %v\n", v.Sink.Connector, v.Sink.Overwrite, v.Sink.Options)
			}
		}
	}
	golden(t, "overwrites.txt", out.String())
}

// TestLocalTimes plans by the clocks of Berlin: constants fold by them, and the graph says so to what is left.
func TestLocalTimes(t *testing.T) {
	b := plantest.New(t)
	store := memory.New()
	analyzed(t, b, store, "CREATE TABLE moments (ltz TIMESTAMP_LTZ(3)) WITH ('connector' = 'kafka')")
	roots := analyzed(t, b, store, `SELECT DATE_FORMAT(ltz, 'HH:mm') AS clock, CAST(TO_TIMESTAMP_LTZ(1711846800000, 3) AS STRING) AS summer FROM moments
		WHERE ltz > CAST(TIMESTAMP '2024-01-01 00:00:00' AS TIMESTAMP_LTZ(3))`)
	j, err := planned(t, b, roots, "table.local-time-zone", "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "text-local-times.txt", j.Explain(roots, physical.Details{}))
	v, err := options.Parse(physical.Spec, map[string]string{"table.local-time-zone": "Mars"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = physical.Plan(roots, physical.Config{Connectors: world{}, Functions: b.Functions, Options: v, Collect: &jobgraph.SinkSpec{Connector: "print"}})
	if err == nil || !strings.Contains(err.Error(), `table.local-time-zone: no time zone "Mars"`) {
		t.Errorf("a zone that is none: %v", err)
	}
}

// TestUIDsOutliveOtherFields has another statement read other fields of the same rows.
func TestUIDsOutliveOtherFields(t *testing.T) {
	job := func(texts ...string) *physical.Job {
		b := plantest.New(t)
		b.Functions = counting(t)
		store := memory.New()
		analyzed(t, b, store, parts(t, "testdata/nexmark.sql")[0].text)
		var roots []plan.Node
		for _, text := range texts {
			roots = append(roots, analyzed(t, b, store, text)...)
		}
		j, err := planned(t, b, roots)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	const counts = "SELECT channel, COUNT(*), MAX(price) FROM bid GROUP BY channel"
	if diff := cmp.Diff(uids(job(counts)), uids(job(counts, "SELECT auction, extra FROM bid"))); diff != "" {
		t.Errorf("uids (-alone +beside another):\n%s", diff)
	}
}

// TestStateTTLHints has a time for each of the tables that are joined, by their aliases.
func TestStateTTLHints(t *testing.T) {
	b := plantest.New(t)
	b.Functions = counting(t)
	store := memory.New()
	analyzed(t, b, store, parts(t, "testdata/nexmark.sql")[0].text)
	roots := analyzed(t, b, store, `SELECT /*+ STATE_TTL('b' = '2 h', 'p' = '1 d') */ b.auction, p.name, a.itemName
		FROM bid AS b JOIN person AS p ON b.bidder = p.id JOIN auction AS a ON a.id = b.auction`)
	j, err := planned(t, b, roots, "table.exec.state.ttl", "30 min")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range j.Graph.Vertices {
		for _, o := range v.Operators {
			if s, ok := o.Body.(*jobgraph.JoinSpec); ok {
				got = append(got, s.Left.TTL.String(), s.Right.TTL.String())
			}
		}
	}
	if diff := cmp.Diff([]string{"2h0m0s", "24h0m0s", "30m0s", "30m0s"}, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

// TestHints has hints that change what a join and an aggregate keep, and others that change nothing.
func TestHints(t *testing.T) {
	b := plantest.New(t)
	b.Functions = counting(t)
	store := memory.New()
	analyzed(t, b, store, parts(t, "testdata/nexmark.sql")[0].text)
	roots := analyzed(t, b, store, `SELECT /*+ STATE_TTL('b' = '2 h') */ auction, COUNT(*) AS n FROM bid AS b GROUP BY auction;
		SELECT /*+ STATE_TTL('b' = '3 h'), BROADCAST(p), SHUFFLE_HASH(b) */ b.auction, p.name FROM bid AS b JOIN person AS p ON b.bidder = p.id`)
	j, err := planned(t, b, roots)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range j.Graph.Vertices {
		for _, o := range v.Operators {
			switch s := o.Body.(type) {
			case *jobgraph.GroupAggregateSpec:
				got = append(got, "aggregate "+s.TTL.String())
			case *jobgraph.JoinSpec:
				got = append(got, "join "+s.Left.TTL.String()+" "+s.Right.TTL.String())
			}
		}
	}
	got = append(got, j.Warnings[:2]...)
	want := []string{
		"aggregate 2h0m0s", "join 3h0m0s 0s", "the hint BROADCAST has no effect: joins deal rows out by their keys",
		"the hint SHUFFLE_HASH has no effect: joins deal rows out by their keys",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestExplainJSON has what runs as the plan visualizer takes it.
func TestExplainJSON(t *testing.T) {
	b := plantest.New(t)
	b.Functions = counting(t)
	store := memory.New()
	analyzed(t, b, store, parts(t, "testdata/nexmark.sql")[0].text)
	roots := analyzed(t, b, store, "SELECT b.auction, COUNT(*) AS n FROM bid AS b JOIN person AS p ON b.bidder = p.id GROUP BY b.auction")
	j, err := planned(t, b, roots)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "explain-json.txt", j.Explain(roots, physical.Details{JSONExecutionPlan: true}))
}

// TestOptionsWithoutEffect are none of those that have one.
func TestOptionsWithoutEffect(t *testing.T) {
	known := physical.Spec.Keys()
	for _, key := range physical.WithoutEffect() {
		if slices.Contains(known, key) {
			t.Errorf("%s has an effect", key)
		}
	}
	for key, want := range map[string]bool{"table.exec.mini-batch.size": true, "taskmanager.numberOfTaskSlots": true, "table.exec.state.ttl": false, "table.exec.mini-batch.sizes": false} {
		if why, ok := physical.NoEffect(key); ok != want || ok && why == "" {
			t.Errorf("%s: %t, %q", key, ok, why)
		}
	}
}
