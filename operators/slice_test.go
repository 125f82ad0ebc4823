package operators_test

import (
	"slices"
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var schema = types.NewSchema(types.Field{Name: "i", Type: types.Of(types.Int)})

func TestSliceCountsSelectedRows(t *testing.T) {
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, schema, "0\n-D 1\n2\n3\n4\n5")
	b.Split = 3
	odd := operators.Select(b, []int32{1, 3, 5})
	for _, c := range []struct {
		in       *stream.Batch
		from, to int
		want     []string
	}{
		{b, 0, 6, []string{"+I 0", "-D 1", "+I 2", "+I 3", "+I 4", "+I 5"}},
		{b, 1, 3, []string{"-D 1", "+I 2"}},
		{b, 2, 2, nil},
		{odd, 0, 3, []string{"-D 1", "+I 3", "+I 5"}},
		{odd, 1, 3, []string{"+I 3", "+I 5"}},
	} {
		s := operators.Slice(c.in, c.from, c.to)
		if got := streamtest.Rows(s); !slices.Equal(got, c.want) || s.Split != 3 {
			t.Errorf("[%d,%d): %v of split %d, want %v of 3", c.from, c.to, got, s.Split, c.want)
		}
		s.Release()
	}
	b.Release()
	odd.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

func TestRegistry(t *testing.T) {
	var r operators.Registry
	r.Register(jobgraph.KindUnion, func(*jobgraph.OperatorSpec) (operators.Operator, error) { return nil, nil })
	if _, err := r.New(&jobgraph.OperatorSpec{UID: "u", Body: &jobgraph.UnionSpec{}}); err != nil {
		t.Error(err)
	}
	if _, err := r.New(&jobgraph.OperatorSpec{UID: "c", Body: &jobgraph.CalcSpec{}}); err == nil {
		t.Error("an unknown kind is made")
	}
	defer func() {
		if recover() == nil {
			t.Error("a kind is registered twice")
		}
	}()
	r.Register(jobgraph.KindUnion, nil)
}
