package join_test

import (
	"fmt"
	"strings"
	"testing"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/join"
	"millrace/operators/operatortest"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// texts is a table that stands in a test, read two rows at a time.
type texts struct {
	t    testing.TB
	rows string
}

func (s texts) Load(pool *stream.Pool, take func(*stream.Batch) error) error {
	if s.rows == "" {
		return fmt.Errorf("nobody answers")
	}
	lines := strings.Split(s.rows, "\n")
	for i := 0; i < len(lines); i += 2 {
		b := streamtest.Batch(s.t, pool, prices, strings.Join(lines[i:min(i+2, len(lines))], "\n"))
		err := take(b)
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func lookups(t testing.TB, rows string) operators.Factory {
	return join.LookupFactory(expr.Builtins(), func(table *jobgraph.LookupTable) (operators.LookupSource, error) {
		if table.Connector != "texts" {
			return nil, fmt.Errorf("no table of %s", table.Connector)
		}
		return texts{t, rows}, nil
	})
}

func TestLookup(t *testing.T) {
	const table = "1 10\n2 20\n1 11\nNULL 5\n3 NULL"
	both := jobgraph.CandidateSchema(orders, prices)
	known := jobgraph.LookupTable{Connector: "texts", Schema: prices}
	script := "1 'a'\n2 'b'\nNULL 'n'\n+I 3 'c'\n-D 3 'c'\n4 'd'"
	for _, c := range []struct {
		name      string
		kind      jobgraph.JoinType
		condition expr.Expr
		want      string
	}{
		{"inner", jobgraph.InnerJoin, nil, "1 'a' 1 10\n1 'a' 1 11\n2 'b' 2 20\n+I 3 'c' 3 NULL\n-D 3 'c' 3 NULL"},
		{"left", jobgraph.LeftJoin, nil, "1 'a' 1 10\n1 'a' 1 11\n2 'b' 2 20\nNULL 'n' NULL NULL\n+I 3 'c' 3 NULL\n-D 3 'c' 3 NULL\n4 'd' NULL NULL"},
		{
			"left with a condition", jobgraph.LeftJoin, call(t, ">", column(both, 3), expr.BigInt(10)),
			"1 'a' 1 11\n2 'b' 2 20\nNULL 'n' NULL NULL\n+I 3 'c' NULL NULL\n-D 3 'c' NULL NULL\n4 'd' NULL NULL",
		},
	} {
		spec := &jobgraph.LookupJoinSpec{Type: c.kind, Table: known, Keys: byID, Condition: c.condition}
		operatortest.Run(t, operatortest.Case{
			Name: c.name, Spec: &jobgraph.OperatorSpec{UID: "lookup", Body: spec}, New: lookups(t, table), Inputs: []*types.Schema{orders},
			Script: script, Want: c.want, Ordered: true,
		})
	}
}

// TestLookupOfManyRows: a row that finds more than a tile leaves with all of them.
func TestLookupOfManyRows(t *testing.T) {
	var table, want strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&table, "1 %d\n", i)
		fmt.Fprintf(&want, "+I 1 'a' 1 %d\n", i)
	}
	spec := &jobgraph.LookupJoinSpec{Table: jobgraph.LookupTable{Connector: "texts", Schema: prices}, Keys: byID}
	c := &operatortest.Case{
		Spec: &jobgraph.OperatorSpec{UID: "lookup", Body: spec}, New: lookups(t, strings.TrimSpace(table.String())),
		Inputs: []*types.Schema{orders}, Script: "1 'a'\n2 'b'\n1 'a'",
	}
	got := operatortest.Play(t, c, operatortest.Variant{RowsMax: 700}).Rows[0]
	if diff := streamtest.Diff(strings.Split(strings.TrimSpace(want.String()+want.String()), "\n"), got, true); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLookupRefusals(t *testing.T) {
	spec := &jobgraph.LookupJoinSpec{Table: jobgraph.LookupTable{Connector: "oracle", Schema: prices}, Keys: byID}
	o := &jobgraph.OperatorSpec{UID: "lookup", Body: spec}
	if _, err := lookups(t, "")(o); err == nil || !strings.Contains(err.Error(), "no table of oracle") {
		t.Errorf("an unknown connector: %v", err)
	}
	spec.Table.Connector = "texts"
	op, err := lookups(t, "")(o)
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	out, _ := jobgraph.OutputSchema(o, []*types.Schema{orders})
	err = op.Open(&operators.Context{
		Operator: "lookup", Inputs: []*types.Schema{orders}, Output: out, Pool: &pool, RowsMax: stream.RowsMax,
		Counts: &operators.Counts{}, Time: &operators.Time{},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := streamtest.Batch(t, &pool, orders, "1 'a'")
	if err := op.Process(0, b); err == nil || !strings.Contains(err.Error(), "nobody answers") {
		t.Errorf("a table that can't be read: %v", err)
	}
	b.Release()
	if err := op.Close(); err != nil {
		t.Fatal(err)
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers leak", n)
	}
}
