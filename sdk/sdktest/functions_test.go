package sdktest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// TestFunctionsOfSQL: those of the job are called.
func TestFunctionsOfSQL(t *testing.T) {
	p := sdktest.Start(t, func(e *sdk.Env) {
		sdk.ScalarFunc(e, "twice", func(n int64) (int64, error) { return 2 * n, nil })
		sdk.AggregateFunc(e, "total", sdk.AggregateOf[int64, int64, int64]{
			Add:    func(acc *int64, n int64) error { *acc += n; return nil },
			Result: func(acc *int64) (int64, error) { return *acc, nil },
		})
		e.View("numbers", sdk.From[int64](e, "numbers", anywhere))
		sdk.Query[int64](e, "totals", "SELECT TOTAL(`value`) AS `value` FROM numbers").To("total", anywhere)
		sdk.Query[int64](e, "doubled", "SELECT TWICE(`value`) AS `value` FROM numbers").To("out", anywhere)
	}, sdktest.Options{})
	sdktest.Push(p, "numbers", int64(1), int64(2))
	if diff := cmp.Diff([]int64{2, 4}, sdktest.Take[int64](p, "out")); diff != "" {
		t.Error(diff)
	}
	if got := sdktest.Changes[int64](p, "total"); len(got) == 0 || got[len(got)-1].Row != 3 {
		t.Errorf("the total is %v, want 3 in the end", got)
	}
}
