package expand_test

import (
	"strings"
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/expand"
	"millrace/operators/operatortest"
	"millrace/stream"
	"millrace/types"
)

var rows = types.NewSchema(
	types.Field{Name: "a", Type: types.Of(types.Int).NotNull()},
	types.Field{Name: "b", Type: types.StringType()},
	types.Field{Name: "v", Type: types.Of(types.BigInt)},
)

func sets(sets ...jobgraph.GroupingSet) *jobgraph.OperatorSpec {
	return &jobgraph.OperatorSpec{UID: "e", Body: &jobgraph.ExpandSpec{ID: "$e", Sets: sets}}
}

func TestExpand(t *testing.T) {
	operatortest.Run(t, operatortest.Case{
		Name: "cube", New: expand.New, Inputs: []*types.Schema{rows},
		Spec:   sets(jobgraph.GroupingSet{}, jobgraph.GroupingSet{Nulls: []int{1}, ID: 1}, jobgraph.GroupingSet{Nulls: []int{0, 1}, ID: 3}),
		Script: "+I 1 'x' 10\n-U 2 NULL NULL\n+U 2 'y' 7\nend",
		Want: `
			+I 1 'x' 10 0
			-U 2 NULL NULL 0
			+U 2 'y' 7 0
			+I 1 NULL 10 1
			-U 2 NULL NULL 1
			+U 2 NULL 7 1
			+I NULL NULL 10 3
			-U NULL NULL NULL 3
			+U NULL NULL 7 3`,
	})
}

func TestRefusals(t *testing.T) {
	if _, err := expand.New(sets()); err == nil || !strings.Contains(err.Error(), "no grouping sets") {
		t.Errorf("got %v", err)
	}
	op, err := expand.New(sets(jobgraph.GroupingSet{Nulls: []int{7}}))
	if err != nil {
		t.Fatal(err)
	}
	err = op.Open(&operators.Context{Operator: "e", Inputs: []*types.Schema{rows}, RowsMax: 1})
	if err == nil || !strings.Contains(err.Error(), "no column 7") {
		t.Errorf("got %v", err)
	}
}

// BenchmarkExpand gives full batches out for four sets.
func BenchmarkExpand(b *testing.B) {
	var pool stream.Pool
	s := types.NewSchema(types.Field{Name: "a", Type: types.Of(types.BigInt)}, types.Field{Name: "v", Type: types.Of(types.BigInt)})
	spec := sets(jobgraph.GroupingSet{}, jobgraph.GroupingSet{Nulls: []int{0}, ID: 1}, jobgraph.GroupingSet{Nulls: []int{1}, ID: 2}, jobgraph.GroupingSet{Nulls: []int{0, 1}, ID: 3})
	op, err := expand.New(spec)
	if err != nil {
		b.Fatal(err)
	}
	out, _ := jobgraph.OutputSchema(spec, []*types.Schema{s})
	if err := op.Open(&operators.Context{Inputs: []*types.Schema{s}, Output: out, Pool: &pool, RowsMax: stream.RowsMax}); err != nil {
		b.Fatal(err)
	}
	in := pool.NewBatch(s, stream.RowsMax)
	for i, f := range s.Fields {
		in.Columns[i] = stream.NewFixed(&pool, f.Type, stream.RowsMax)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := op.Process(0, in); err != nil {
			b.Fatal(err)
		}
		for {
			out, _ := op.Next()
			if out.Batch == nil {
				break
			}
			out.Batch.Release()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}
