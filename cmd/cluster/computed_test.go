package cluster_test

import (
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/expr"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// TestEventTimeOfComputedColumn: windows by a time that the source computes, a day earlier than the one that it reads, hold the
// same bids. That none is late shows that watermarks are made of the computed column.
func TestEventTimeOfComputedColumn(t *testing.T) {
	sink := newCollect()
	c := start(t, sink, cluster.Options{})
	b := bids{events: 50_000, parallelism: 2, local: true, rate: 1000, interval: 50 * time.Millisecond}
	g := b.graph()
	read := g.Vertices[0].Source.Schema
	column := func(i int) *expr.Column {
		return &expr.Column{Index: i, Name: read.Fields[i].Name, T: read.Fields[i].Type}
	}
	earlier, err := expr.NewCall(expr.Builtins(), "-", column(2), &expr.Literal{
		T: types.Of(types.IntervalDayTime).NotNull(), Value: int64(24 * time.Hour / time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.Vertices[0].Source.Schema = types.NewSchema(read.Fields...)
	g.Vertices[0].Source.Computed = []jobgraph.Projection{
		{Name: "auction", Expr: column(0)}, {Name: "price", Expr: column(1)}, {Name: "dateTime", Expr: earlier},
	}
	if s := watch(t, c, submit(t, c, g), nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
}
