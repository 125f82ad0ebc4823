package nexmark_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"millrace/internal/testutil/matrix"
)

// others are the queries to which Apache Flink's answers are in testdata/expected.
var others = []string{"q1", "q2", "q3", "q4", "q5", "q7", "q8", "q9", "q14", "q15", "q16", "q17", "q18", "q19", "q20", "q21", "q22"}

// fromKafka are the queries that also read from a real broker.
var fromKafka = []string{"q1", "q3", "q4", "q5", "q8", "q9", "q18", "q20"}

// one is a query in a configuration.
type one struct {
	query string
	configuration
}

// all returns every query in every configuration.
func all() (out []one) {
	queries := slices.Concat(others, slices.Sorted(maps.Keys(models)))
	for _, batch := range []bool{false, true} {
		for _, parallelism := range []int{1, 2, 4} {
			for _, crash := range []bool{false, true} {
				for _, q := range queries {
					if q != onTheClock {
						out = append(out, one{q, configuration{parallelism: parallelism, batch: batch, crash: crash}})
					}
				}
			}
		}
	}
	return out
}

// sampled is how many of the matrix a run takes that does not take all.
const sampled = 5

// TestNexmark compares every query's answer with Apache Flink's, or with a model's where there is none.
func TestNexmark(t *testing.T) {
	for _, o := range matrix.Sample(t, sampled, all()) {
		t.Run(o.query+"/"+o.String(), func(t *testing.T) { answers(t, o) })
	}
}

// TestNexmarkFromKafka reads from a broker of Apache Kafka.
func TestNexmarkFromKafka(t *testing.T) {
	var all []one
	for i, q := range fromKafka {
		all = append(all, one{q, configuration{parallelism: 2, real: true, crash: i%2 == 0}})
	}
	for _, o := range matrix.Sample(t, 1, all) {
		t.Run(o.query+"/"+o.String(), func(t *testing.T) { answers(t, o) })
	}
}

func answers(t *testing.T, o one) {
	r := newRun(t, o.query, o.configuration, nil)
	r.start(t)
	if diff := compare(t, r.comparable(expected(t, r)), r.comparable(r.end(t))); diff != "" {
		t.Error(diff)
	}
}

// expected returns what the answer must be.
func expected(t *testing.T, r *run) (out []record) {
	t.Helper()
	if model := models[r.query]; model != nil {
		return model(t, historyOf(t, r.events))
	}
	for _, line := range lines(t, "expected/"+r.query+".jsonl.zst") {
		out = append(out, recordOf(t, line))
	}
	return out
}

// comparable returns rows without what is left open.
func (r *run) comparable(rows []record) []record {
	switch r.query {
	case "q7":
		return unnamed(rows)
	case "q19":
		return ranksOfPrices(rows)
	}
	return rows
}

// unnamed takes the names of price and bidder from rows of q7: the table into which Apache Flink wrote its answer calls the price bidder, and
// the bidder price.
func unnamed(rows []record) (out []record) {
	for _, row := range rows {
		r := maps.Clone(row)
		delete(r, "price")
		delete(r, "bidder")
		numbers := []string{fmt.Sprint(row["price"]), fmt.Sprint(row["bidder"])}
		slices.Sort(numbers)
		r["numbers"] = strings.Join(numbers, " ")
		out = append(out, r)
	}
	return out
}

// ranksOfPrices gives rows of q19 with the same price the lowest of their ranks, for their order is open.
func ranksOfPrices(rows []record) (out []record) {
	key := func(r record) string { return fmt.Sprint(r["auction"], " ", r["price"]) }
	rank := func(r record) int64 {
		n, _ := r["rank_number"].(json.Number).Int64()
		return n
	}
	lowest := make(map[string]int64)
	for _, r := range rows {
		if n, there := lowest[key(r)]; !there || rank(r) < n {
			lowest[key(r)] = rank(r)
		}
	}
	for _, row := range rows {
		r := maps.Clone(row)
		r["rank_number"] = number(lowest[key(r)])
		out = append(out, r)
	}
	return out
}
