package sdk_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"millrace/operators"
	"millrace/operators/operatortest"
	"millrace/sdk"
	"millrace/statebackend"
	"millrace/statebackend/statetest"
)

type total struct {
	User        string
	WindowStart time.Time
	WindowEnd   time.Time `type:"TIMESTAMP(3)"`
	Clicks      int64
	Pages       int64
}

type sum struct {
	N     int64
	Pages *int64
}

func totals(w sdk.Window, late bool) func(*sdk.Env) {
	return func(e *sdk.Env) {
		windows := sdk.Windows(sdk.KeyByFields[string](clicks(e), "user"), w)
		if late {
			windows = windows.KeepLate()
		}
		out := sdk.Aggregate(windows, "totals", sdk.Aggregator[string, click, sum, total]{
			Add: func(s *sum, c *click) error {
				pages := c.Page
				if s.Pages != nil {
					pages += *s.Pages
				}
				s.N, s.Pages = s.N+1, &pages
				return nil
			},
			Result: func(w sdk.WindowOf[string], s *sum) (total, error) {
				return total{w.Key, w.Start, w.End, s.N, *s.Pages}, nil
			},
		})
		out.To("out", nowhere)
		if late {
			sdk.Late[click](out).To("late", nowhere)
		}
	}
}

const clickScript = `
	'a' 1 1970-01-01 00:00:00.001
	'b' 2 1970-01-01 00:00:00.010
	'a' 3 1970-01-01 00:00:00.009
	-U 'a' 4 1970-01-01 00:00:00.012
	watermark 9
	'a' 5 1970-01-01 00:00:00.005
	'b' 6 1970-01-01 00:00:00.019
	watermark 18
	'b' 7 1970-01-01 00:00:00.015
	end`

func TestAggregate(t *testing.T) {
	c := one(t, "totals", totals(sdk.Tumble(10*time.Millisecond), true))
	c.Script = clickScript
	c.Want = `
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 2 4
		'a' 1970-01-01 00:00:00.010 1970-01-01 00:00:00.020 1 4
		'b' 1970-01-01 00:00:00.010 1970-01-01 00:00:00.020 3 15`
	c.Late = "'a' 5 1970-01-01 00:00:00.005"
	c.Counts = &operators.Counts{Folded: 6, Late: 1}
	operatortest.Run(t, c)

	c = one(t, "totals", totals(sdk.Hop(10*time.Millisecond, 5*time.Millisecond).Offset(time.Millisecond), false))
	c.Script = "'a' 1 1970-01-01 00:00:00.001\nwatermark 5\n'a' 2 1970-01-01 00:00:00.003\nend"
	c.Want = `
		'a' 1969-12-31 23:59:59.996 1970-01-01 00:00:00.006 1 1
		'a' 1970-01-01 00:00:00.001 1970-01-01 00:00:00.011 2 3`
	c.Counts = &operators.Counts{Folded: 2}
	operatortest.Run(t, c)

	c = one(t, "totals", totals(sdk.Cumulate(10*time.Millisecond, 5*time.Millisecond), false))
	c.Script = "'a' 1 1970-01-01 00:00:00.001\n'a' 2 1970-01-01 00:00:00.007\nwatermark 9\n'a' 2 1970-01-01 00:00:00.007\nend"
	c.Want = `
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.005 1 1
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 2 3`
	c.Counts = &operators.Counts{Folded: 2, Late: 1}
	operatortest.Run(t, c)
}

// tiered is a backend whose rows leave memory at every call.
type tiered struct{ statebackend.Backend }

func (b tiered) Open(ctx context.Context, spec statebackend.OpenSpec) (statebackend.Store, error) {
	spec.Tier = &statetest.MemoryTier{}
	return b.Backend.Open(ctx, spec)
}

// run runs a case, also with rows that are out of memory.
func run(t *testing.T, c operatortest.Case) {
	t.Helper()
	operatortest.Run(t, c)
	c.Name += " out of memory"
	c.Backend = tiered{c.Backend}
	operatortest.Run(t, c)
}

// An accumulator begins as its zero, and takes rows in the order in which they came, in each of their windows.
func TestRowsOfAWindow(t *testing.T) {
	type seen struct {
		First *int64
		Last  time.Time
		Pages string
	}
	describe := func(e *sdk.Env) {
		windows := sdk.Windows(sdk.KeyByFields[string](clicks(e), "user"), sdk.Hop(10*time.Millisecond, 5*time.Millisecond))
		sdk.Aggregate(windows, "seen", sdk.Aggregator[string, click, seen, string]{
			Add: func(s *seen, c *click) error {
				if s.First == nil {
					s.First = &c.Page
				}
				if s.Last.IsZero() || s.Last.Before(c.At) {
					s.Last = c.At
				}
				s.Pages += fmt.Sprint(" ", c.Page)
				return nil
			},
			Result: func(w sdk.WindowOf[string], s *seen) (string, error) {
				return fmt.Sprintf("%s %d:%s, %d %d", w.Key, w.End.UnixMilli(), s.Pages, *s.First, s.Last.UnixMilli()), nil
			},
		}).To("out", nowhere)
	}
	c := one(t, "seen", describe)
	c.Script = `
		'a' 2 1969-12-31 23:59:59.997
		'a' 1 1969-12-31 23:59:59.992
		'b' 3 1969-12-31 23:59:59.991
		'a' 4 1969-12-31 23:59:59.996
		'b' 6 1969-12-31 23:59:59.998
		'a' 5 1969-12-31 23:59:59.993
		end`
	c.Want = "'a -5: 1 5, 1 -7'\n'b -5: 3, 3 -9'\n'a 0: 2 1 4 5, 2 -3'\n'b 0: 3 6, 3 -2'\n'a 5: 2 4, 2 -3'\n'b 5: 6, 6 -2'"
	run(t, c)
}

// The engine's own aggregates give the same.
func TestAggregateColumns(t *testing.T) {
	type out struct {
		Key         int64
		WindowStart time.Time `millrace:"window_start"`
		Highest     *int64
		Clicks      int64
	}
	env := sdk.NewEnv(nil, nil)
	by := sdk.KeyBy(clicks(env), func(c *click) int64 { return int64(len(c.User)) })
	sdk.AggregateColumns[out](sdk.Windows(by, sdk.Tumble(time.Second)), "totals", sdk.Count("clicks"), sdk.Max("page", "highest")).To("out", nowhere)
	checkGraph(t, env, "aggregate-columns")
}

func TestBatches(t *testing.T) {
	type priced struct {
		User  string
		Price float64
	}
	c := one(t, "prices", func(e *sdk.Env) {
		in := clicks(e)
		page := sdk.ColumnOf[int64](in, "page")
		sdk.MapBatch[priced](in, func(b *sdk.Batch, out *sdk.Columns) error {
			prices := make([]float64, b.Len())
			for i, p := range page.In(b) {
				prices[i] = float64(p) / 2
			}
			sdk.Put(out, "price", prices)
			out.Keep("user")
			return nil
		}, sdk.UID("prices")).To("out", nowhere)
	})
	c.Script, c.Want, c.Ordered = "'a' 1 1970-01-01 00:00:00.001\n-U 'b' 2 1970-01-01 00:00:00.010", "'a' 0.5\n-U 'b' 1.0", true
	operatortest.Run(t, c)

	c = one(t, "some", func(e *sdk.Env) {
		in := clicks(e)
		user := sdk.TextsOf(in, "user")
		in.FilterBatch(func(b *sdk.Batch, keep []bool) error {
			for i := range keep {
				keep[i] = string(user.In(b, i)) < "c"
			}
			return nil
		}, sdk.UID("some")).To("out", nowhere)
	})
	c.Script, c.Want, c.Ordered = "'a' 1 1970-01-01 00:00:00.001\n'c' 1 1970-01-01 00:00:00.001\n-U 'b' 2 1970-01-01 00:00:00.010", "'a' 1 1970-01-01 00:00:00.001\n-U 'b' 2 1970-01-01 00:00:00.010", true
	c.Counts = &operators.Counts{Filtered: 1}
	operatortest.Run(t, c)
}
