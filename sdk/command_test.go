package sdk_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"millrace/sdk"
)

// TestMain makes the test binary a program: scripts run it as mini.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mini": func() {
		g := newGate()
		close(g.open)
		sdk.Main(mini, own(g, newLedger())...)
	}})
}

// mini is a job with functions for SQL, whose argument is the least number that one of them takes.
func mini(e *sdk.Env) {
	least := int64(0)
	if len(e.Args()) > 0 {
		if _, err := fmt.Sscan(e.Args()[0], &least); err != nil {
			e.Problemf("%q is no number", e.Args()[0])
		}
	}
	sdk.ScalarFunc(e, "twice", func(n int64) (int64, error) {
		if n < least {
			return 0, fmt.Errorf("less than %d", least)
		}
		return 2 * n, nil
	}, sdk.Varies())
	sdk.AggregateFunc(e, "product", sdk.AggregateOf[int64, int64, int64]{
		Add:    func(acc *int64, n int64) error { *acc = max(*acc, 1) * n; return nil },
		Result: func(acc *int64) (int64, error) { return *acc, nil },
	})
	sdk.Query[int64](e, "numbers", "SELECT TWICE(k) AS `value` FROM (VALUES (CAST(3 AS BIGINT))) AS t (k)").To("out", sdk.Connect{Name: "blackhole"})
}

func TestCommands(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", Deadline: time.Now().Add(time.Minute), // a command that hangs is quoted, and ends
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			return nil
		},
	})
}
