package sdk_test

import (
	"testing"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// runOne gives rows to an operator, outside of its harness, and returns its error.
func runOne(t *testing.T, c operatortest.Case, rows string) error {
	t.Helper()
	var pool stream.Pool
	store, err := c.Backend.Open(t.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.KeyGroupRangeOf(0, 1, 128), MaxParallelism: 128, Parallelism: 1, Pool: &pool,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	op, err := c.New(c.Spec)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = op.Close() }()
	out, err := jobgraph.OutputSchema(c.Spec, c.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	ctx := &operators.Context{
		Task: types.TaskID{Vertex: "v"}, Operator: c.Spec.UID, Parallelism: 1, MaxParallelism: 128, KeyGroups: types.KeyGroupRangeOf(0, 1, 128),
		Inputs: c.Inputs, Output: out, Pool: &pool, State: store, Watermark: stream.NoWatermark, Time: new(operators.Time),
		RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	}
	if err := op.Open(ctx); err != nil {
		return err
	}
	b := streamtest.Batch(t, &pool, c.Inputs[0], rows)
	defer b.Release()
	if err := op.Process(0, b); err != nil {
		return err
	}
	for {
		o, err := op.Next()
		if err != nil || o.Batch == nil {
			return err
		}
		o.Batch.Release()
	}
}
