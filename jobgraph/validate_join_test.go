package jobgraph_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/types"
)

// joinJob replaces the main job by a join of its bids with the bids of another source.
func joinJob(g *jobgraph.Graph, spec jobgraph.OperatorBody) {
	hash := func(keys ...int) jobgraph.Partitioning { return jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: keys} }
	g.Vertices[0].Operators = nil
	other := g.Vertices[0]
	source := *other.Source
	source.UID = "others"
	other.ID, other.Name, other.Source = "others", "", &source
	g.Vertices[1].Operators = []jobgraph.OperatorSpec{{UID: "join", Body: spec}}
	g.Vertices = append(g.Vertices, other)
	g.Edges = []jobgraph.Edge{
		{From: "bids", To: "bids-per-auction", Partitioning: hash(0)},
		{From: "others", To: "bids-per-auction", Input: 1, Partitioning: hash(0)},
	}
}

// joinProblems makes a join with everything that can be wrong with one.
func joinProblems(g *jobgraph.Graph) {
	joinJob(g, &jobgraph.JoinSpec{
		Type:      9,
		Keys:      jobgraph.JoinKeys{Left: []int{0, 1, 4}, Right: []int{0, 40, 0}, NullsMeet: []bool{true}},
		Condition: &expr.Column{Index: 2, Name: "price", T: types.Of(types.BigInt)},
		Left:      jobgraph.JoinSide{Changelog: jobgraph.UpsertChangelog, TTL: time.Microsecond},
		Right:     jobgraph.JoinSide{Changelog: 7, Unique: []int{-1}},
	})
	joins := func(id string, spec jobgraph.OperatorBody) {
		v := jobgraph.Vertex{ID: types.VertexID(id), Sink: &jobgraph.SinkSpec{UID: types.OperatorUID(id + "-sink"), Connector: "print"}}
		v.Operators = []jobgraph.OperatorSpec{{UID: types.OperatorUID(id), Body: spec}}
		g.Vertices = append(g.Vertices, v)
		for input, from := range []types.VertexID{"bids", "others"} {
			g.Edges = append(g.Edges, jobgraph.Edge{From: from, To: v.ID, Input: input, Partitioning: jobgraph.Partitioning{Kind: jobgraph.Hash, Keys: []int{0}}})
		}
	}
	joins("types", &jobgraph.JoinSpec{Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{3}}})
	joins("cross", &jobgraph.JoinSpec{})
	joins("scattered", &jobgraph.JoinSpec{Keys: jobgraph.JoinKeys{Left: []int{1}, Right: []int{0}}})
	upsert := jobgraph.JoinSide{Changelog: jobgraph.UpsertChangelog, Unique: []int{1}}
	joins("upserts", &jobgraph.JoinSpec{Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}, Left: upsert})
	upsert.Unique = []int{0, 1}
	joins("nulls", &jobgraph.JoinSpec{Type: jobgraph.FullJoin, Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}, Right: upsert})
	byAuction := jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}
	joins("interval", &jobgraph.IntervalJoinSpec{Type: jobgraph.SemiJoin, Keys: byAuction, LeftTime: 2, RightTime: 9, Lower: 1, Upper: -time.Second})
	joins("window", &jobgraph.WindowJoinSpec{Type: 6, Keys: byAuction, LeftEnd: 5, RightEnd: 3})
	joins("temporal", &jobgraph.TemporalJoinSpec{Type: jobgraph.FullJoin, LeftTime: 5, RightTime: 0, Left: jobgraph.UpsertChangelog})
}

// correlateProblems makes two functions of the bids with what can be wrong with one.
func correlateProblems(g *jobgraph.Graph) {
	text := &expr.Literal{T: types.StringType(), Value: "x"}
	list := &expr.Literal{T: types.ArrayOf(types.Of(types.Int))}
	column := func(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }
	add := func(id string, spec jobgraph.OperatorBody) {
		v := jobgraph.Vertex{ID: types.VertexID(id), Sink: &jobgraph.SinkSpec{UID: types.OperatorUID(id + "-sink"), Connector: "print"}}
		v.Operators = []jobgraph.OperatorSpec{{UID: types.OperatorUID(id), Body: spec}}
		g.Vertices = append(g.Vertices, v)
		g.Edges = append(g.Edges, jobgraph.Edge{From: "bids", To: v.ID, Partitioning: jobgraph.Partitioning{Kind: jobgraph.Rebalance}})
	}
	add("empty", &jobgraph.CorrelateSpec{Type: jobgraph.FullJoin})
	add("text", &jobgraph.CorrelateSpec{Func: jobgraph.Unnest, Args: []expr.Expr{text}, Columns: []types.Field{column("e", types.StringType())}})
	add("two", &jobgraph.CorrelateSpec{Func: jobgraph.Unnest, Args: []expr.Expr{list, list}, Columns: []types.Field{column("e", types.Of(types.Int))}})
	add("types", &jobgraph.CorrelateSpec{
		Func: jobgraph.Unnest, Args: []expr.Expr{list}, Ordinality: true,
		Columns: []types.Field{column("e", types.Of(types.Int).NotNull()), column("n", types.Of(types.BigInt))},
	})
	add("replicate", &jobgraph.CorrelateSpec{Type: jobgraph.LeftJoin, Func: jobgraph.ReplicateRows, Args: []expr.Expr{text}, Columns: []types.Field{column("e", types.Of(types.Int))}})
	add("replicate-nothing", &jobgraph.CorrelateSpec{Func: jobgraph.ReplicateRows})
	table := jobgraph.LookupTable{Connector: "filesistem", Schema: types.NewSchema(column("k", types.StringType()))}
	add("lookup", &jobgraph.LookupJoinSpec{Type: jobgraph.SemiJoin, Table: table})
	table.Connector, table.Options = "filesystem", map[string]string{"bad": ""}
	add("lookup-key", &jobgraph.LookupJoinSpec{Table: table, Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}, NullsMeet: []bool{true}}})
	add("lookup-nothing", &jobgraph.LookupJoinSpec{})
	add("many", &jobgraph.CorrelateSpec{
		Func: jobgraph.Unnest, Args: []expr.Expr{list}, Columns: []types.Field{column("a", types.Of(types.Int)), column("b", types.Of(types.Int))},
	})
}

func TestTimedJoinsAreValid(t *testing.T) {
	byAuction := jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}}
	var text strings.Builder
	for _, spec := range []jobgraph.OperatorBody{
		&jobgraph.IntervalJoinSpec{Keys: byAuction, LeftTime: 5, RightTime: 5, Lower: -time.Second, Upper: time.Minute, Condition: &expr.Literal{T: types.Of(types.Boolean), Value: true}},
		&jobgraph.WindowJoinSpec{Type: jobgraph.FullJoin, Keys: byAuction, LeftEnd: 5, RightEnd: 5},
		&jobgraph.TemporalJoinSpec{Type: jobgraph.LeftJoin, Keys: byAuction, LeftTime: 5, RightTime: 5},
		&jobgraph.TemporalJoinSpec{Keys: byAuction, ProcessingTime: true},
	} {
		g := mainJob(t)
		joinJob(g, spec)
		if err := jobgraph.Validate(g, cluster{}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(jobgraph.Explain(g), "\n") {
			if strings.Contains(line, " join on ") || strings.Contains(line, "    where ") {
				fmt.Fprintln(&text, strings.TrimSpace(line))
			}
		}
	}
	golden(t, "timed-joins.explain", text.String())
}

func TestJoinIsValid(t *testing.T) {
	g := mainJob(t)
	joinJob(g, &jobgraph.JoinSpec{
		Type: jobgraph.LeftJoin, Keys: jobgraph.JoinKeys{Left: []int{0}, Right: []int{0}, NullsMeet: []bool{true}},
		Condition: &expr.Literal{T: types.Of(types.Boolean), Value: true},
		Left:      jobgraph.JoinSide{Unique: []int{0, 1}, TTL: time.Hour},
	})
	// The key passes, so that what follows needs no other exchange.
	g.Vertices[1].Operators = append(g.Vertices[1].Operators, jobgraph.OperatorSpec{UID: "count", Body: &jobgraph.WindowAggregateSpec{
		Keys: []int{0}, Time: 5, Window: jobgraph.WindowSpec{Size: time.Second},
	}})
	if err := jobgraph.Validate(g, cluster{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "join.explain", jobgraph.Explain(g))
	g.Vertices[1].Operators[0].Body.(*jobgraph.JoinSpec).Type = jobgraph.RightJoin
	if err := jobgraph.Validate(g, cluster{}); err == nil {
		t.Error("the left key of a right join was taken for one that partitions")
	}
}
