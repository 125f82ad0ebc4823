package calc_test

import (
	"strings"
	"testing"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/calc"
	"millrace/operators/operatortest"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var (
	functions = expr.Builtins()
	input     = types.NewSchema(
		types.Field{Name: "i", Type: types.Of(types.BigInt)},
		types.Field{Name: "s", Type: types.StringType()},
		types.Field{Name: "l", Type: types.ArrayOf(types.Of(types.Int))})
	i = &expr.Column{Index: 0, Name: "i", T: input.Fields[0].Type}
	s = &expr.Column{Index: 1, Name: "s", T: input.Fields[1].Type}
	l = &expr.Column{Index: 2, Name: "l", T: input.Fields[2].Type}
)

func call(t *testing.T, name string, args ...expr.Expr) expr.Expr {
	t.Helper()
	e, err := expr.NewCall(functions, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func number(n int64) expr.Expr {
	return &expr.Literal{T: types.Of(types.BigInt).NotNull(), Value: n}
}

func project(name string, e expr.Expr) jobgraph.Projection {
	return jobgraph.Projection{Name: name, Expr: e}
}

const rows = `
	1 'a' [1]
	-D 2 'b' []
	+U 3 NULL NULL
	NULL 'd' [NULL]
	5 'e' [5, 6]
	watermark 7
	-3 'f' []
	end`

func TestCalc(t *testing.T) {
	double := project("twice", call(t, "*", i, number(2)))
	odd := call(t, "=", call(t, "%", i, number(2)), number(1))
	for _, c := range []operatortest.Case{
		{
			Name: "filter and compute", Spec: &jobgraph.OperatorSpec{UID: "c", Body: &jobgraph.CalcSpec{
				Filter: odd, Columns: []jobgraph.Projection{double, project("s", s), project("l", l), project("one", number(1))},
			}},
			Want:   "2 'a' [1] 1\n+U 6 NULL NULL 1\n10 'e' [5, 6] 1",
			Counts: &operators.Counts{Filtered: 3},
		},
		{
			Name: "columns handed through", Spec: &jobgraph.OperatorSpec{UID: "c", Body: &jobgraph.CalcSpec{
				Columns: []jobgraph.Projection{project("a", s), project("b", i), project("c", i)},
			}},
			Want:   "'a' 1 1\n-D 'b' 2 2\n+U NULL 3 3\n'd' NULL NULL\n'e' 5 5\n'f' -3 -3",
			Counts: &operators.Counts{},
		},
		{
			Name: "nothing is left", Spec: &jobgraph.OperatorSpec{UID: "c", Body: &jobgraph.CalcSpec{
				Filter: call(t, ">", i, number(100)), Columns: []jobgraph.Projection{double},
			}},
			Counts: &operators.Counts{Filtered: 6},
		},
		{
			Name: "a failing column sees only the rows that are left", Spec: &jobgraph.OperatorSpec{UID: "c", Body: &jobgraph.CalcSpec{
				Filter: call(t, ">", i, number(2)), Columns: []jobgraph.Projection{project("q", call(t, "/", number(30), call(t, "-", i, number(2))))},
			}},
			Want: "+U 30\n10", Counts: &operators.Counts{Filtered: 4},
		},
	} {
		c.New, c.Inputs, c.Script, c.Ordered = calc.Factory(functions), []*types.Schema{input}, rows, true
		operatortest.Run(t, c)
	}
}

func open(t *testing.T, pool *stream.Pool, spec *jobgraph.CalcSpec) (operators.Operator, error) {
	t.Helper()
	return openAt(t, pool, spec, &operators.Time{})
}

func openAt(t *testing.T, pool *stream.Pool, spec *jobgraph.CalcSpec, now *operators.Time) (operators.Operator, error) {
	t.Helper()
	o := &jobgraph.OperatorSpec{UID: "c", Body: spec}
	op, err := calc.Factory(functions)(o)
	if err != nil {
		return nil, err
	}
	out, err := jobgraph.OutputSchema(o, []*types.Schema{input})
	if err != nil {
		t.Fatal(err)
	}
	return op, op.Open(&operators.Context{
		Operator: "c", Inputs: []*types.Schema{input}, Output: out, Pool: pool, Time: now, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	})
}

// TestFailingRow: division by zero is the user's, names the column, and leaves
// no memory behind.
func TestFailingRow(t *testing.T) {
	var pool stream.Pool
	quotient := call(t, "/", number(1), i)
	op, err := open(t, &pool, &jobgraph.CalcSpec{Columns: []jobgraph.Projection{project("i", i), project("q", quotient)}})
	if err != nil {
		t.Fatal(err)
	}
	b := streamtest.Batch(t, &pool, input, "1 'a' []\n0 'b' []")
	err = op.Process(0, b)
	if err == nil {
		_, err = op.Next()
	}
	if err == nil || !strings.Contains(err.Error(), "column q") || failure.ClassOf(err).Domain != failure.DomainUser {
		t.Errorf("got %v", err)
	}
	if err := op.Close(); err != nil {
		t.Error(err)
	}
	b.Release()
	if pool.Live() != 0 {
		t.Errorf("%d buffers leak", pool.Live())
	}
}

// TestLocalTimes goes by the clocks of Berlin around the nights in which they change.
func TestLocalTimes(t *testing.T) {
	zone, err := types.LoadZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	in := types.NewSchema(types.Field{Name: "at", Type: types.TimestampLTZOf(3)}, types.Field{Name: "shown", Type: types.TimestampOf(3)})
	at, shown := &expr.Column{Index: 0, Name: "at", T: in.Fields[0].Type}, &expr.Column{Index: 1, Name: "shown", T: in.Fields[1].Type}
	text := func(s string) expr.Expr {
		return &expr.Literal{T: types.Type{Kind: types.Char, Length: len(s)}, Value: s}
	}
	o := &jobgraph.OperatorSpec{UID: "c", Body: &jobgraph.CalcSpec{
		Filter: call(t, "<>", call(t, "DATE_FORMAT", at, text("HH")), text("09")),
		Columns: []jobgraph.Projection{
			project("clock", &expr.Cast{X: at, To: types.TimestampOf(3)}),
			project("printed", call(t, "DATE_FORMAT", at, text("yyyy-MM-dd HH:mm"))),
			project("day", &expr.Cast{X: at, To: types.Of(types.Date)}),
			project("moment", &expr.Cast{X: shown, To: types.TimestampLTZOf(3)}),
		},
	}}
	op, err := calc.Factory(functions)(o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jobgraph.OutputSchema(o, []*types.Schema{in})
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	if err := op.Open(&operators.Context{
		Operator: "c", Inputs: []*types.Schema{in}, Output: out, Pool: &pool, Time: &operators.Time{}, Zone: zone, RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	}); err != nil {
		t.Fatal(err)
	}
	b := streamtest.Batch(t, &pool, in, strings.Join([]string{
		"2024-03-31 00:59:59.999 2024-03-31 01:59:59.999", "2024-03-31 01:00:00.000 2024-03-31 02:30:00.000", // the second time is not on the clocks
		"2024-10-27 00:30:00.000 2024-10-27 02:30:00.000", "2024-10-27 01:30:00.000 2024-10-27 03:00:00.000", // half past two comes twice
		"2024-01-01 08:00:00.000 NULL", "2024-06-30 22:00:00.000 NULL",
	}, "\n"))
	defer b.Release()
	if err := op.Process(0, b); err != nil {
		t.Fatal(err)
	}
	got, err := op.Next()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Batch.Release()
	want := []string{
		"+I 2024-03-31 01:59:59.999 '2024-03-31 01:59' 2024-03-31 2024-03-31 00:59:59.999", "+I 2024-03-31 03:00:00.000 '2024-03-31 03:00' 2024-03-31 2024-03-31 01:30:00.000",
		"+I 2024-10-27 02:30:00.000 '2024-10-27 02:30' 2024-10-27 2024-10-27 00:30:00.000", "+I 2024-10-27 02:30:00.000 '2024-10-27 02:30' 2024-10-27 2024-10-27 02:00:00.000",
		"+I 2024-07-01 00:00:00.000 '2024-07-01 00:00' 2024-07-01 NULL",
	}
	if diff := streamtest.Diff(want, streamtest.Rows(got.Batch), true); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	var pool stream.Pool
	for name, c := range map[string]struct {
		spec jobgraph.CalcSpec
		want string
	}{
		"no columns":     {jobgraph.CalcSpec{}, "no column"},
		"number as test": {jobgraph.CalcSpec{Filter: i, Columns: []jobgraph.Projection{project("i", i)}}, "filter"},
		"unknown column": {jobgraph.CalcSpec{Columns: []jobgraph.Projection{project("x", &expr.Column{Index: 7, T: i.T})}}, "column x"},
	} {
		_, err := open(t, &pool, &c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func BenchmarkCalc(b *testing.B) {
	var pool stream.Pool
	in := types.NewSchema(types.Field{Name: "i", Type: types.Of(types.BigInt).NotNull()})
	col := &expr.Column{T: in.Fields[0].Type}
	filter, _ := expr.NewCall(functions, ">", col, number(4096))
	twice, _ := expr.NewCall(functions, "*", col, number(2))
	o := &jobgraph.OperatorSpec{UID: "c", Body: &jobgraph.CalcSpec{Filter: filter, Columns: []jobgraph.Projection{project("i", col), project("twice", twice)}}}
	op, _ := calc.Factory(functions)(o)
	out, _ := jobgraph.OutputSchema(o, []*types.Schema{in})
	if err := op.Open(&operators.Context{Operator: "c", Inputs: []*types.Schema{in}, Output: out, Pool: &pool, RowsMax: stream.RowsMax, Counts: &operators.Counts{}}); err != nil {
		b.Fatal(err)
	}
	batch := pool.NewBatch(in, stream.RowsMax)
	batch.Columns[0] = stream.NewFixed(&pool, col.T, stream.RowsMax)
	for k := range stream.RowsMax {
		stream.Values[int64](&batch.Columns[0])[k] = int64(k)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := op.Process(0, batch); err != nil {
			b.Fatal(err)
		}
		for {
			out, err := op.Next()
			if err != nil {
				b.Fatal(err)
			}
			if out.Batch == nil {
				break
			}
			out.Batch.Release()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stream.RowsMax, "ns/row")
}

// TestTheTimeOfTheTask: a function of the clock tells what the task is told.
func TestTheTimeOfTheTask(t *testing.T) {
	var pool stream.Pool
	var now operators.Time
	op, err := openAt(t, &pool, &jobgraph.CalcSpec{Columns: []jobgraph.Projection{project("at", call(t, "NOW"))}}, &now)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{1000, 2000} {
		now.Pass(want)
		b := streamtest.Batch(t, &pool, input, "1 'a' []")
		if err := op.Process(0, b); err != nil {
			t.Fatal(err)
		}
		b.Release()
		o, err := op.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := stream.Value[int64](&o.Batch.Columns[0], 0); got != want {
			t.Errorf("the time is %d, want %d", got, want)
		}
		o.Batch.Release()
	}
}
