package aggregate_test

import (
	"strings"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/operators/operatortest"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func field(name string, t types.Type) types.Field { return types.Field{Name: name, Type: t} }

var orders = types.NewSchema(
	field("k", types.Of(types.Int)),
	field("v", types.Of(types.BigInt)),
	field("s", types.StringType()),
	field("f", types.Of(types.Boolean)),
	field("d", types.Of(types.Double)),
)

func group(change func(*jobgraph.GroupAggregateSpec)) *jobgraph.OperatorSpec {
	s := &jobgraph.GroupAggregateSpec{
		Keys: []int{0}, Retract: true, UpdateBefore: true,
		Aggregates: []jobgraph.AggregateCall{
			{Func: "COUNT", Arg: jobgraph.CountStar, Name: "n"},
			{Func: "SUM", Arg: 1, Name: "total"},
		},
	}
	change(s)
	return &jobgraph.OperatorSpec{UID: "agg", Body: s}
}

func asIs(*jobgraph.GroupAggregateSpec) {}

// rowByRow plays a script with batches of one row, where the changelog is that of
// an engine that knows no batches.
func rowByRow(t *testing.T, name string, spec *jobgraph.OperatorSpec, script, want string, counts *operators.Counts) {
	t.Helper()
	c := operatortest.Case{Name: name, Spec: spec, New: aggregate.NewGroup, Inputs: []*types.Schema{orders}, Keys: [][]int{keysOf(spec)}, Backend: columnar.New(), Script: script}
	var all []operatortest.Variant
	for _, v := range c.Variants() {
		if v.BatchRows == 1 {
			all = append(all, v)
		}
	}
	t.Run(name, func(t *testing.T) {
		for i, v := range all {
			v.Seed = uint64(i)
			out := operatortest.Play(t, &c, v)
			if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, want), out.Rows[0], true); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", v, diff)
			}
			if counts != nil && out.Counts != *counts {
				t.Errorf("%s: counts %+v, want %+v", v, out.Counts, *counts)
			}
		}
	})
}

func keysOf(spec *jobgraph.OperatorSpec) []int {
	return spec.Body.(*jobgraph.GroupAggregateSpec).Keys
}

func TestGroupRowByRow(t *testing.T) {
	rowByRow(t, "rows come and go", group(asIs), `
		+I 1 10 'a' TRUE 0
		+I 1 NULL 'a' TRUE 0
		+I NULL 5 'a' TRUE 0
		+I 2 7 'a' TRUE 0
		-U 1 10 'a' TRUE 0
		+U 1 30 'a' TRUE 0
		-D 2 7 'a' TRUE 0
		-D 2 7 'a' TRUE 0
		-D NULL 5 'a' TRUE 0
		+I 2 1 'a' TRUE 0
		end`, `
		+I 1 1 10
		-U 1 1 10
		+U 1 2 10
		+I NULL 1 5
		+I 2 1 7
		-U 1 2 10
		+U 1 1 NULL
		-U 1 1 NULL
		+U 1 2 30
		-D 2 1 7
		-D NULL 1 5
		+I 2 1 1`, &operators.Counts{Folded: 9, Expired: 1})
	rowByRow(t, "without -U, and nothing where nothing changes",
		group(func(s *jobgraph.GroupAggregateSpec) { s.UpdateBefore, s.Aggregates = false, s.Aggregates[1:] }), `
		+I 1 10 'a' TRUE 0
		+I 1 0 'a' TRUE 0
		+I 1 1 'a' TRUE 0
		-D 1 0 'a' TRUE 0
		-D 1 1 'a' TRUE 0
		-D 1 10 'a' TRUE 0
		end`, `
		+I 1 10
		+U 1 11
		+U 1 10
		-D 1 NULL`, nil)
	rowByRow(t, "no aggregates: the keys that there are", group(func(s *jobgraph.GroupAggregateSpec) { s.Aggregates = nil }), `
		+I 1 10 'a' TRUE 0
		+I 1 11 'a' TRUE 0
		-D 1 10 'a' TRUE 0
		-D 1 11 'a' TRUE 0
		end`, "+I 1\n-D 1", nil)
	rowByRow(t, "no keys: one group, which is none without rows", group(func(s *jobgraph.GroupAggregateSpec) { s.Keys = nil }), `
		+I 1 10 'a' TRUE 0
		-D 1 10 'a' TRUE 0
		+I 2 11 'a' TRUE 0
		end`, "+I 1 10\n-D 1 10\n+I 1 11", nil)
	rowByRow(t, "sums begin anew when a group was empty", group(func(s *jobgraph.GroupAggregateSpec) { s.Aggregates[1].Arg = 4 }), `
		+I 1 0 'a' TRUE 1e100
		+I 1 0 'a' TRUE 1
		-D 1 0 'a' TRUE 1e100
		-D 1 0 'a' TRUE 1
		+I 1 0 'a' TRUE 2
		end`, `
		+I 1 1 1e100
		-U 1 1 1e100
		+U 1 2 1e100
		-U 1 2 1e100
		+U 1 1 0
		-D 1 1 0
		+I 1 1 2`, nil)
}

func TestGroupDistinctAndExtremes(t *testing.T) {
	calls := []jobgraph.AggregateCall{
		{Func: "COUNT", Arg: 2, Name: "n", Distinct: true},
		{Func: "COUNT", Arg: 2, Name: "m", Distinct: true, Filtered: true, Filter: 3},
		{Func: "MAX", Arg: 2, Name: "last"},
		{Func: "MIN", Arg: 1, Name: "least"},
		{Func: "COUNT", Arg: jobgraph.CountStar, Name: "r", Filtered: true, Filter: 3},
	}
	rowByRow(t, "values appear and go", group(func(s *jobgraph.GroupAggregateSpec) { s.UpdateBefore, s.Aggregates = false, calls }), `
		+I 1 10 'a' TRUE 0
		+I 1 -5 'a' FALSE 0
		+I 1 7 'b' NULL 0
		+I 1 NULL NULL TRUE 0
		-D 1 -5 'a' FALSE 0
		-D 1 10 'a' TRUE 0
		+I 1 NULL '' TRUE 0
		-D 1 7 'b' NULL 0
		-D 1 NULL '' TRUE 0
		end`, `
		+I 1 1 1 'a' 10 1
		+U 1 1 1 'a' -5 1
		+U 1 2 1 'b' -5 1
		+U 1 2 1 'b' -5 2
		+U 1 2 1 'b' 7 2
		+U 1 1 0 'b' 7 1
		+U 1 2 1 'b' 7 2
		+U 1 1 1 '' NULL 2
		+U 1 0 0 NULL NULL 1`, nil)
}

func TestGroupTTL(t *testing.T) {
	spec := group(func(s *jobgraph.GroupAggregateSpec) {
		s.TTL, s.UpdateBefore = 10*time.Second, false
		s.Aggregates = append(s.Aggregates, jobgraph.AggregateCall{Func: "COUNT", Arg: 2, Name: "v", Distinct: true})
	})
	rowByRow(t, "keys are forgotten", spec, `
		time 1000
		+I 1 1 'a' TRUE 0
		+I 2 1 'a' TRUE 0
		time 8000
		+I 1 1 'b' TRUE 0
		time 11999
		+I 1 0 NULL TRUE 0
		time 12500
		-D 2 1 'a' TRUE 0
		+I 2 5 'a' TRUE 0
		+I 1 1 'a' TRUE 0
		end`, `
		+I 1 1 1 1
		+I 2 1 1 1
		+U 1 2 2 2
		+U 1 3 2 2
		+I 2 1 5 1
		+U 1 4 3 3`, &operators.Counts{Folded: 6, Expired: 1})
}

func TestGroupFinalOnly(t *testing.T) {
	final := func(s *jobgraph.GroupAggregateSpec) { s.FinalOnly = true }
	for _, c := range []operatortest.Case{
		{
			Name: "each key once", Spec: group(final), Keys: [][]int{{0}},
			Script: "+I 1 10 'a' TRUE 0\n+I 2 5 'a' TRUE 0\n-D 2 5 'a' TRUE 0\n+I 1 2 'b' TRUE 0\n+I 3 NULL NULL TRUE 0\nend",
			Want:   "1 2 12\n3 1 NULL",
		},
		{
			Name: "no keys and no rows", Spec: group(func(s *jobgraph.GroupAggregateSpec) { final(s); s.Keys = nil }), Script: "end", Want: "0 NULL",
		},
		{Name: "keys and no rows", Spec: group(final), Keys: [][]int{{0}}, Script: "end"},
	} {
		c.New, c.Inputs, c.Backend = aggregate.NewGroup, []*types.Schema{orders}, columnar.New()
		operatortest.Run(t, c)
	}
}

// TestGroupOneChangeABatch: with all rows in one batch each key leaves once.
func TestGroupOneChangeABatch(t *testing.T) {
	c := operatortest.Case{
		Spec: group(asIs), New: aggregate.NewGroup, Inputs: []*types.Schema{orders}, Backend: columnar.New(),
		Script: "+I 1 1 'a' TRUE 0\nwatermark 1\n+I 1 2 'a' TRUE 0\n-D 1 1 'a' TRUE 0\n+I 2 1 'a' TRUE 0\n-D 2 1 'a' TRUE 0\n+I 3 1 'a' TRUE 0\n+I 3 1 'a' TRUE 0\nend",
	}
	out := operatortest.Play(t, &c, operatortest.Variant{RowsMax: stream.RowsMax})
	want := "+I 1 1 1\n-U 1 1 1\n+U 1 1 2\n+I 3 2 2"
	if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, want), out.Rows[0], true); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGroupRefusals(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*jobgraph.GroupAggregateSpec)
	}{
		{"column", "no column 9", func(s *jobgraph.GroupAggregateSpec) { s.Aggregates[1].Arg = 9 }},
		{"key", "no key column 7", func(s *jobgraph.GroupAggregateSpec) { s.Keys = []int{7} }},
		{"filter", "no BOOLEAN column", func(s *jobgraph.GroupAggregateSpec) {
			s.Aggregates[1].Filtered, s.Aggregates[1].Filter = true, 1
		}},
		{"partial without schema", "raw input is missing", func(s *jobgraph.GroupAggregateSpec) { s.Partial = true }},
		{"partial of others", "want the partial rows", func(s *jobgraph.GroupAggregateSpec) { s.Partial, s.Input = true, orders }},
		{"list", "want text", func(s *jobgraph.GroupAggregateSpec) { s.Aggregates[1].Func = "LISTAGG" }},
		{"array", "no operator has the aggregate function ARRAY_AGG", func(s *jobgraph.GroupAggregateSpec) { s.Aggregates[1].Func = "ARRAY_AGG" }},
	} {
		var pool stream.Pool
		op, err := aggregate.NewGroup(group(c.change))
		if err == nil {
			err = op.Open(&operators.Context{Operator: "agg", Inputs: []*types.Schema{orders}, Pool: &pool, Time: &operators.Time{}, RowsMax: 1, Counts: &operators.Counts{}})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
