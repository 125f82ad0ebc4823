package sql_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/testutil/matrix"
	"millrace/stream"
	"millrace/stream/streamtest"
)

// timeVariable says for how long random queries are tried; without it some are.
const timeVariable = "MILLRACE_RANDOM_TIME"

// randomQueries is how many are tried where nobody says for how long.
func randomQueries() int {
	if matrix.All() {
		return 40
	}
	return 4
}

// TestRandomQueries draws queries and rows, and wants one answer from all configurations: that of batch mode over bounded input is that of a changelog that
// was merged, with other parallelisms, batches and channels, and behind crashes. Each query has a seed of its own, which repeats it: MILLRACE_QUERY=seed.
func TestRandomQueries(t *testing.T) {
	if one := os.Getenv("MILLRACE_QUERY"); one != "" {
		seed, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		tryQuery(t, seed)
		return
	}
	random := matrix.Rand(t)
	tried, refused := 0, 0
	try := func() {
		seed := random.Uint64()
		tried++
		if !tryQuery(t, seed) {
			refused++
		}
	}
	if text := os.Getenv(timeVariable); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		for end := clock.System().Now().Add(d); clock.System().Now().Before(end) && !t.Failed(); {
			try()
		}
	} else {
		for range randomQueries() {
			try()
		}
	}
	t.Logf("%d queries, of which the planner refused %d", tried, refused)
}

// feeds of a random test: so many times rows for each table.
const feedsOfQuery = 3

// tryQuery tries one query in all configurations; false says that the planner refused it.
func tryQuery(t *testing.T, seed uint64) bool {
	t.Helper()
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	query := g.relation(1 + g.IntN(3)).sql
	data := &rows{generator: g, at: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), upserts: make(map[int]bool)}
	var fedRows [feedsOfQuery]map[string]string
	for i := range fedRows {
		fedRows[i] = make(map[string]string)
		for _, table := range tables {
			fedRows[i][table.name] = data.next(table.name, 3+g.IntN(12))
		}
	}
	want, first := "", ""
	for _, c := range configurations {
		got, ok := answer(t, on(t, c), seed, query, fedRows[:])
		switch {
		case !ok:
			return false
		case first == "":
			want, first = got, c.name
		case got != want:
			t.Errorf("MILLRACE_QUERY=%d: %s and %s differ (-%s +%s)\n%s\n%s", seed, first, c.name, first, c.name, query, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
			return true
		}
	}
	return true
}

// answer runs a query in a configuration.
func answer(t *testing.T, w *world, seed uint64, query string, fedRows []map[string]string) (result string, ok bool) {
	t.Helper()
	p := newPlay(t, w)
	defer p.drop()
	if said := p.run(t, fed); said != "" {
		t.Fatal(said)
	}
	err := p.plan(t, query, false)
	switch {
	case err != nil && failure.ClassOf(err).Domain == failure.DomainUser:
		t.Logf("seed %d is refused: %v\n%s", seed, err, query)
		return "", false
	case err != nil:
		t.Fatalf("MILLRACE_QUERY=%d: %v\n%s", seed, err, query)
	}
	if !w.batch {
		p.query.start(t)
	}
	for _, feeds := range fedRows {
		for _, table := range tables {
			p.put(t, table.name, feeds[table.name])
		}
		if !w.batch {
			p.settleAll(t, "rows of seed "+strconv.FormatUint(seed, 10))
			if w.crash {
				p.crashOne(t)
			}
		}
	}
	return p.end(t), true
}

// put gives rows to a table.
func (p *play) put(t *testing.T, table, text string) {
	t.Helper()
	p.logs.Log(p.name + "." + table).Put(streamtest.Batch(t, &stream.Pool{}, p.tables[table], text))
}
