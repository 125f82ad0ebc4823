package plan_test

import (
	"testing"
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

// TestExplain prints a plan in which a node is met twice.
func TestExplain(t *testing.T) {
	reg := expr.Builtins()
	call := func(name string, args ...expr.Expr) expr.Expr {
		c, err := expr.NewCall(reg, name, args...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	price := &expr.Column{Index: 1, T: types.Of(types.BigInt)}
	scan := &plan.Scan{
		Path:    catalog.Path{Catalog: "c", Database: "d", Name: "my bids"},
		Columns: []int{0, 1},
		Result:  plan.Schema{{Name: "at", Type: types.TimestampOf(3)}, {Name: "price", Type: types.Of(types.BigInt)}},
	}
	timed := &plan.Watermark{
		Input: scan, Delay: 4 * time.Second,
		Result: plan.Schema{{Name: "at", Type: types.TimestampOf(3), Time: plan.EventTime}, scan.Result[1]},
	}
	dear := &plan.Filter{Input: timed, Condition: call("AND", call(">", call("*", price, expr.BigInt(2)), expr.BigInt(5)), call("IS NOT NULL", price))}
	join := &plan.Join{
		Kind: plan.Left, Left: dear, Right: timed,
		Condition: call("=", price, &expr.Column{Index: 3, T: types.Of(types.BigInt)}),
		Result:    append(append(plan.Schema{}, timed.Result...), timed.Result...),
	}
	groups := &plan.Aggregate{
		Input: join, Keys: []int{1, 3}, Sets: [][]int{{0}, {}},
		Calls:  []plan.Call{{Func: "COUNT", Filter: plan.NoColumn, Name: "n"}},
		Result: plan.Schema{{Name: "price", Type: types.Of(types.BigInt)}, {Name: "price", Type: types.Of(types.BigInt)}, {Name: "n", Type: types.Of(types.BigInt)}},
	}
	got := plan.Explain(&plan.Sort{Input: groups, Order: []plan.Order{{Column: 1, Descending: true}}, Limit: 3})
	want := `Sort(order=[price0 DESC], limit=3)
  Aggregate(keys=[price, price0], sets=[[price], []], COUNT(*) AS n)
    Join(LEFT, on=price = price0)
      Filter(((price * 2) > 5) AND (price IS NOT NULL))
        #1 = Watermark(at - 4s)
          Scan(c.d.` + "`my bids`" + `, columns=[at, price])
      #1
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := timed.Result.String(), "(at TIMESTAMP(3) *ROWTIME*, price BIGINT)"; got != want {
		t.Errorf("schema %s, want %s", got, want)
	}
}
