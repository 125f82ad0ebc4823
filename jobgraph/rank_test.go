package jobgraph_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/types"
)

// rankedCluster has the operators that rank, tell apart, normalise and sort, and none besides.
type rankedCluster struct{ cluster }

func (rankedCluster) Operators() []jobgraph.OperatorKind {
	return []jobgraph.OperatorKind{
		jobgraph.KindChangelogNormalize, jobgraph.KindDeduplicate, jobgraph.KindDropUpdateBefore, jobgraph.KindLimit, jobgraph.KindRank,
		jobgraph.KindSinkMaterialize, jobgraph.KindSort,
	}
}

// behindHash is the main job with another operator behind the exchange by auction, in front of the sink.
func behindHash(t *testing.T, body jobgraph.OperatorBody) *jobgraph.Graph {
	g := mainJob(t)
	g.Vertices[0].Operators = nil
	g.Vertices[1].Operators = []jobgraph.OperatorSpec{{UID: "o", Body: body}}
	return g
}

// Columns of the bids.
const (
	auction, bidder, price, datetime = 0, 1, 2, 5
)

func rightRank() *jobgraph.RankSpec {
	return &jobgraph.RankSpec{
		Keys: []int{auction}, Order: []jobgraph.SortColumn{{Column: price, Descending: true, NullsLast: true}, {Column: datetime}}, Strategy: jobgraph.AppendFast,
		From: 1, To: 10, ToColumn: jobgraph.NoColumn, RankNumber: "rank", UpdateBefore: true, WindowEnd: jobgraph.NoColumn, TTL: time.Hour,
	}
}

// rightOperators are descriptions without a problem.
func rightOperators(t *testing.T) []jobgraph.OperatorBody {
	update, byColumn, inWindows := rightRank(), rightRank(), rightRank()
	update.Strategy, update.UniqueKey = jobgraph.UpdateFast, []int{auction, bidder}
	byColumn.To, byColumn.ToColumn, byColumn.Strategy = 0, bidder, jobgraph.Retract
	inWindows.WindowEnd, inWindows.TTL, inWindows.RankNumber, inWindows.Order = datetime, 0, "", nil
	in := mainJob(t).Vertices[0].Source.Schema
	dear, err := expr.NewCall(expr.Builtins(), ">", &expr.Column{Index: price, Name: "price", T: in.Fields[price].Type}, expr.BigInt(100))
	if err != nil {
		t.Fatal(err)
	}
	return []jobgraph.OperatorBody{
		rightRank(), update, byColumn, inWindows,
		&jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: datetime, KeepLast: true, UpdateBefore: true, WindowEnd: jobgraph.NoColumn},
		&jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: datetime, AppendOnly: true, WindowEnd: jobgraph.NoColumn, TTL: time.Minute},
		&jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: datetime, WindowEnd: datetime},
		&jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: jobgraph.NoColumn, WindowEnd: jobgraph.NoColumn, FinalOnly: true},
		&jobgraph.ChangelogNormalizeSpec{Keys: []int{auction}, Filter: dear, UpdateBefore: true},
		&jobgraph.SinkMaterializeSpec{Keys: []int{auction}, UpsertKey: []int{bidder}, TTL: time.Minute},
		&jobgraph.DropUpdateBeforeSpec{},
		&jobgraph.DropUpdateBeforeSpec{Keys: []int{auction}},
	}
}

// singleOperators are those that need one task.
func singleOperators() []jobgraph.OperatorBody {
	return []jobgraph.OperatorBody{
		&jobgraph.SortSpec{Order: []jobgraph.SortColumn{{Column: price}, {Column: bidder, Descending: true}}, Time: jobgraph.NoColumn},
		&jobgraph.SortSpec{Order: []jobgraph.SortColumn{{Column: price, NullsLast: true}}, Time: datetime},
		&jobgraph.SortSpec{Time: datetime},
		&jobgraph.LimitSpec{Offset: 10, Count: 5},
		&jobgraph.LimitSpec{Offset: 10},
	}
}

func TestExplainRanked(t *testing.T) {
	var page strings.Builder
	explain := func(g *jobgraph.Graph) {
		g.Vertices[1].Sink.Connector = "print"
		if err := jobgraph.Validate(g, rankedCluster{}); err != nil {
			t.Errorf("%s: %v", g.Vertices[1].Operators[0].Kind(), err)
			return
		}
		_, text, _ := strings.Cut(jobgraph.Explain(g), "vertex "+string(g.Vertices[1].ID))
		_, text, _ = strings.Cut(text, "\n")
		text, _, _ = strings.Cut(text, "  sink ")
		fmt.Fprintf(&page, "== %s\n%s", g.Vertices[1].Operators[0].Kind(), text)
	}
	for _, body := range rightOperators(t) {
		explain(behindHash(t, body))
	}
	for _, body := range singleOperators() {
		g := behindHash(t, body)
		g.Vertices[1].Parallelism = 1
		explain(g)
	}
	golden(t, "ranked.explain", page.String())
}

func TestProblemsOfRanked(t *testing.T) {
	rank := func(change func(*jobgraph.RankSpec)) jobgraph.OperatorBody {
		s := rightRank()
		change(s)
		return s
	}
	cases := []struct {
		name string
		body jobgraph.OperatorBody
	}{
		{"columns that are not there", rank(func(s *jobgraph.RankSpec) {
			s.Keys, s.Order, s.ToColumn, s.WindowEnd = []int{99}, []jobgraph.SortColumn{{Column: -1}}, 99, 99
		})},
		{"ranks the wrong way", rank(func(s *jobgraph.RankSpec) { s.From, s.To = 5, 4 })},
		{"ranks from 0", rank(func(s *jobgraph.RankSpec) { s.From = 0 })},
		{"two ends", rank(func(s *jobgraph.RankSpec) { s.ToColumn = bidder })},
		{"an end that is a time", rank(func(s *jobgraph.RankSpec) { s.ToColumn, s.To = datetime, 0 })},
		{"no strategy", rank(func(s *jobgraph.RankSpec) { s.Strategy = 0 })},
		{"no unique key", rank(func(s *jobgraph.RankSpec) { s.Strategy = jobgraph.UpdateFast })},
		{"a unique key too many", rank(func(s *jobgraph.RankSpec) { s.UniqueKey = []int{bidder} })},
		{"windows and a time to live", rank(func(s *jobgraph.RankSpec) { s.WindowEnd = datetime })},
		{"windows by a number", rank(func(s *jobgraph.RankSpec) { s.WindowEnd, s.TTL = bidder, 0 })},
		{"not by the hash", rank(func(s *jobgraph.RankSpec) { s.Keys = []int{bidder} })},
		{"without keys", rank(func(s *jobgraph.RankSpec) { s.Keys = nil })},
		{"a name twice", rank(func(s *jobgraph.RankSpec) { s.RankNumber = "price" })},
		{"a time to live in microseconds", rank(func(s *jobgraph.RankSpec) { s.TTL = time.Microsecond })},
		{"the last row once", &jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: datetime, KeepLast: true, AppendOnly: true, WindowEnd: jobgraph.NoColumn}},
		{"duplicates in windows by arrival", &jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: jobgraph.NoColumn, WindowEnd: datetime}},
		{"duplicates by a number", &jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: price, WindowEnd: jobgraph.NoColumn}},
		{"changes by nothing", &jobgraph.ChangelogNormalizeSpec{}},
		{"each change, and none but the last", &jobgraph.ChangelogNormalizeSpec{Keys: []int{auction}, EachChange: true, FinalOnly: true}},
		{"each first row", &jobgraph.DeduplicateSpec{Keys: []int{auction}, Time: datetime, EachChange: true, WindowEnd: jobgraph.NoColumn}},
		{"a filter that is a number", &jobgraph.ChangelogNormalizeSpec{Keys: []int{auction}, Filter: expr.BigInt(1)}},
		{"a sink without a key", &jobgraph.SinkMaterializeSpec{}},
		{"an upsert key that is not there", &jobgraph.SinkMaterializeSpec{Keys: []int{auction}, UpsertKey: []int{99}, TTL: -1}},
		{"sorted by nothing, in many tasks", &jobgraph.SortSpec{Time: jobgraph.NoColumn}},
		{"a limit below 0", &jobgraph.LimitSpec{Offset: -1}},
	}
	var page strings.Builder
	for _, c := range cases {
		reportProblems(t, &page, c.name, behindHash(t, c.body))
	}
	g := behindHash(t, rightRank())
	in := g.Vertices[0].Source.Schema
	in.Fields[price].Type = types.ArrayOf(types.Of(types.BigInt))
	reportProblems(t, &page, "an array to sort by and to keep", g)
	golden(t, "ranked-problems.txt", page.String())
}

func reportProblems(t *testing.T, page *strings.Builder, name string, g *jobgraph.Graph) {
	t.Helper()
	err := jobgraph.Validate(g, rankedCluster{})
	var p *failure.Problems
	if !errors.As(err, &p) {
		t.Errorf("%s: got %v, want problems", name, err)
		return
	}
	fmt.Fprintf(page, "== %s\n", name)
	for _, m := range p.All() {
		fmt.Fprintln(page, m.Error())
	}
}
