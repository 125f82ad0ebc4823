package nexmark

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/connectors"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files in testdata")

func configOf(t streamtest.TB, given map[string]string) *config {
	t.Helper()
	c, err := parseConfig(given)
	if err != nil {
		t.Fatalf("options: %v", err)
	}
	return c
}

// The fast path over epochs gives what describing event by event gives.
func TestFillEqualsEventByEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := configOf(t, nil)
		for k := range c.proportions {
			c.proportions[k] = rapid.Int64Range(0, 4).Draw(t, "proportion")
		}
		c.total = c.proportions[0] + c.proportions[1] + c.proportions[2]
		if c.total == 0 {
			t.Skip("no events")
		}
		c.only = kind(rapid.IntRange(0, int(anyKind)).Draw(t, "only"))
		c.group = rapid.SampledFrom([]int64{1, 1, 2, 7, 953, 1906}).Draw(t, "group")
		g := newGenerator(c, false)
		splits := rapid.Int64Range(1, 4).Draw(t, "splits")
		index := rapid.Int64Range(0, splits-1).Draw(t, "index")
		stop := rapid.Int64Range(0, 5*c.total*splits).Draw(t, "stop")

		var want, got []event
		for n := range stop {
			if e := g.event(g.shuffled(n)); n/c.total%splits == index && (c.only == anyKind || c.only == e.kind) {
				e.millis += 5
				want = append(want, e)
			}
		}
		for next := index * c.total; next < stop; {
			var rows []event
			rows, next = g.fill(make([]event, 0, rapid.IntRange(1, 9).Draw(t, "rows")), next, stop, splits, 5)
			got = append(got, rows...)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(event{})); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
	})
}

func TestShufflingIsAPermutation(t *testing.T) {
	for _, group := range []int64{1, 2, 50, 953, 1000, 953 * 947} {
		g := newGenerator(&config{group: group, total: 1}, false)
		seen := make([]bool, group)
		for n := range group {
			seen[g.shuffled(7*group+n)-7*group] = true
		}
		if i := slices.Index(seen, false); i >= 0 {
			t.Errorf("groups of %d: event %d does not come", group, i)
		}
	}
}

// A row of a prepared split: its place and number are each other's inverse.
func TestPlacesOfPreparedRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &config{group: 1, pace: steadyPace(1000), only: kind(rapid.IntRange(0, 2).Draw(t, "only"))}
		for k := range c.proportions {
			c.proportions[k] = rapid.Int64Range(1, 4).Draw(t, "proportion")
			c.total += c.proportions[k]
		}
		g := newGenerator(c, false)
		s := split{origin: origin{splits: rapid.Int64Range(1, 4).Draw(t, "splits")}}
		s.index = rapid.Int64Range(0, s.splits-1).Draw(t, "index")
		rows, next := g.fill(make([]event, 0, 30), s.index*c.total, 1<<20, s.splits, 0)
		for i, e := range rows {
			if got := g.rowsBefore(&s, e.number); got != int64(i) {
				t.Fatalf("%d rows before event %d, want %d", got, e.number, i)
			}
			if i > 0 && g.rowsBefore(&s, g.numberOf(&s, int64(i))) != int64(i) {
				t.Fatalf("row %d begins at event %d", i, g.numberOf(&s, int64(i)))
			}
		}
		if got := g.rowsBefore(&s, next); got != 30 {
			t.Fatalf("%d rows before the next event, want 30", got)
		}
	})
}

func TestPace(t *testing.T) {
	for _, c := range []struct {
		name  string
		rates []int64
		want  map[int64]int64 // event to time
	}{
		{"steady", []int64{10_000}, map[int64]int64{0: 0, 9: 0, 10: 1, 10_000: 1000}},
		{"square", []int64{100, 1000}, map[int64]int64{0: 0, 499: 4990, 500: 5000, 501: 5001, 5499: 9999, 5500: 10_000, 5501: 10_010}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPace(c.rates, 10)
			for n, want := range c.want {
				if got := p.at(n); got != want {
					t.Errorf("event %d at %d, want %d", n, got, want)
				}
			}
			last := int64(0)
			for n := range int64(12_000) {
				if p.at(n) < last {
					t.Fatalf("event %d is earlier than the one before", n)
				}
				last = p.at(n)
				if due := p.due(0, 12_000, last-1); due > n {
					t.Fatalf("event %d is due at %d, but comes at %d", n, last-1, last)
				}
			}
		})
	}
	if got := rates(shapeSine, 100, 300); len(got) != sineSteps || got[0] != 100 || got[5] != 300 {
		t.Errorf("rates of a sine wave are %v", got)
	}
}

// readBatches reads up to so many rows in one task.
func readBatches(t testing.TB, source *Source, s *types.Schema, pool *stream.Pool, rowsMax int, take func(*stream.Batch) bool) {
	t.Helper()
	ctx := connectors.ReaderContext{Schema: s, Pool: pool, Clock: clock.System(), RowsMax: rowsMax, Metrics: new(metrics.Task)}
	r, err := source.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	e, err := source.Enumerator(connectors.EnumeratorContext{Identity: connectors.Identity{Parallelism: 1}, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := e.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Assign(a[0].Splits); err != nil {
		t.Fatal(err)
	}
	r.NoMoreSplits()
	for {
		b, status, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil && status != connectors.More {
			return
		}
		if b != nil && !take(b) {
			return
		}
	}
}

func rowsOf(t *testing.T, given map[string]string, s *types.Schema) []string {
	t.Helper()
	source, err := Open(given, s)
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	var out []string
	readBatches(t, source, s, &pool, 1000, func(b *stream.Batch) bool {
		out = append(out, streamtest.Rows(b)...)
		b.Release()
		return true
	})
	return out
}

// The first events are fixed: whoever changes them changes every stream.
func TestFirstEvents(t *testing.T) {
	got := rowsOf(t, map[string]string{"events.num": "7"}, nestedSchema())
	const golden = "testdata/first-events"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// The flat streams are parts of the nested one, whatever columns are asked for.
func TestFlatStreamsArePartsOfTheWhole(t *testing.T) {
	given := map[string]string{"events.num": "400", "seed": "3", "out-of-order.group-size": "10"}
	whole := rowsOf(t, given, nestedSchema())
	for k := range kinds {
		given["event-type"] = kindNames[k]
		part := rowsOf(t, given, schemaOf(k))
		i := 0
		for _, row := range whole {
			if i < len(part) && strings.Contains(row, "("+strings.Join(valuesOf(part[i]), ", ")+")") {
				i++
			}
		}
		if i != len(part) || i == 0 {
			t.Errorf("%s: %d of %d rows are in the whole stream", kindNames[k], i, len(part))
		}
	}
}

// valuesOf splits the text of a flat row at blanks that are outside of quotes.
func valuesOf(row string) []string {
	var out []string
	quoted, from := false, 3
	row += " "
	for i := 3; i < len(row); i++ {
		switch {
		case row[i] == '\'':
			quoted = !quoted
		case row[i] == ' ' && !quoted && !strings.Contains(row[i:min(i+4, len(row))], ":"): // not the blank in a timestamp
			out = append(out, row[from:i])
			from = i + 1
		}
	}
	return out
}

// The shares of the public generator, within what chance allows.
func TestDistributions(t *testing.T) {
	source, err := Open(map[string]string{"events.num": "500000", "event-type": "bid"}, schemaOf(bid))
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	var n, hotAuctions, hotBidders, hotNames, cheap, dear, extra float64
	readBatches(t, source, schemaOf(bid), &pool, stream.RowsMax, func(b *stream.Batch) bool {
		for i := range b.Len() {
			n++
			hotAuctions += one((stream.Value[int64](&b.Columns[0], i)-firstAuctionID)%hotEvery == 0)
			hotBidders += one((stream.Value[int64](&b.Columns[1], i)-firstPersonID)%hotEvery == 1)
			price := stream.Value[int64](&b.Columns[2], i)
			if price < 100 || price > 100_000_000 {
				t.Fatalf("price %d", price)
			}
			cheap += one(price < 10_000)
			dear += one(price >= 10_000_000)
			hotNames += one(slices.Contains(hotChannels, string(b.Columns[3].Bytes(i))))
			extra += float64(len(b.Columns[6].Bytes(i)))
		}
		b.Release()
		return true
	})
	for name, c := range map[string]struct{ got, want float64 }{
		"bids":          {n, 460_000},
		"hot auctions":  {hotAuctions / n, 0.505},
		"hot bidders":   {hotBidders / n, 0.7525},
		"hot channels":  {hotNames / n, 0.5},
		"below 100.00":  {cheap / n, 1.0 / 3},
		"from 100,000":  {dear / n, 1.0 / 6},
		"extra's bytes": {extra / n, 67.5},
	} {
		if c.got < c.want*0.98 || c.got > c.want*1.02 {
			t.Errorf("%s: %.4f, want about %.4f", name, c.got, c.want)
		}
	}
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// A prepared stream is the plain one at first, then the same again, later.
func TestPreparedBatchesRepeatTheStream(t *testing.T) {
	given := map[string]string{"events.num": "350", "event-type": "bid"}
	s := project(schemaOf(bid), "auction", "price", "extra")
	plain := rowsOf(t, given, s)
	given["prepared-batches"] = "1"
	c := configOf(t, given)
	c.preparedRows = 92 // two epochs: 100 events, 10 ms
	read := func(s *types.Schema) (rows []string) {
		var pool stream.Pool
		readBatches(t, newSource(c), s, &pool, 50, func(b *stream.Batch) bool {
			rows = append(rows, streamtest.Rows(b)...)
			b.Release()
			return true
		})
		if pool.Live() != 0 {
			t.Errorf("%d buffers are left", pool.Live())
		}
		return rows
	}
	got := read(s)
	want := slices.Concat(plain[:92], plain[:92], plain[:92], plain[:46])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	delete(given, "prepared-batches")
	times := project(schemaOf(bid), "dateTime")
	if diff := cmp.Diff(rowsOf(t, given, times), read(times)); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}
