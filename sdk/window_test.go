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

// add sees whether the accumulator began as its zero.
func (s *sum) add(n, pages int64) error {
	if s.N == 0 && s.Pages != nil {
		return fmt.Errorf("an accumulator begins with %d pages", *s.Pages)
	}
	if s.Pages != nil {
		pages += *s.Pages
	}
	s.N, s.Pages = s.N+n, &pages
	return nil
}

func totals(w sdk.Window, late bool) func(*sdk.Env) { return totalsWithin(w, late, 0) }

func totalsWithin(w sdk.Window, late bool, lateness time.Duration) func(*sdk.Env) {
	return func(e *sdk.Env) {
		windows := sdk.Windows(sdk.KeyByFields[string](clicks(e), "user"), w).AllowedLateness(lateness)
		if late {
			windows = windows.KeepLate()
		}
		out := sdk.Aggregate(windows, "totals", sdk.Aggregator[string, click, sum, total]{
			Add:   func(s *sum, c *click) error { return s.add(1, c.Page) },
			Merge: func(s, other *sum) error { return s.add(other.N, *other.Pages) },
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

// Windows that are kept take rows that come later, and give their results again for each.
func TestAllowedLateness(t *testing.T) {
	c := one(t, "totals", totalsWithin(sdk.Tumble(10*time.Millisecond), true, 5*time.Millisecond))
	c.Script = `
		'a' 1 1970-01-01 00:00:00.001
		'b' 2 1970-01-01 00:00:00.010
		watermark 9
		'a' 3 1970-01-01 00:00:00.002
		'b' 4 1970-01-01 00:00:00.003
		'a' 5 1970-01-01 00:00:00.011
		'a' 6 1970-01-01 00:00:00.003
		watermark 13
		'a' 7 1970-01-01 00:00:00.009
		watermark 14
		'a' 8 1970-01-01 00:00:00.009
		watermark 19
		end`
	c.Want = `
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 1 1
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 2 4
		'b' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 1 4
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 3 10
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 4 17
		'b' 1970-01-01 00:00:00.010 1970-01-01 00:00:00.020 1 2
		'a' 1970-01-01 00:00:00.010 1970-01-01 00:00:00.020 1 5`
	c.Late = "'a' 8 1970-01-01 00:00:00.009"
	c.Counts = &operators.Counts{Folded: 7, Late: 1}
	run(t, c)

	// A row is late where all its windows are gone; it goes to those that are closed, in their order, and to those that are open.
	c = one(t, "totals", totalsWithin(sdk.Hop(20*time.Millisecond, 5*time.Millisecond), true, 5*time.Millisecond))
	c.Script = `
		'a' 1 1970-01-01 00:00:00.001
		watermark 14
		'a' 2 1970-01-01 00:00:00.002
		watermark 22
		'a' 4 1970-01-01 00:00:00.004
		watermark 24
		'a' 8 1970-01-01 00:00:00.004
		end`
	c.Want = `
		'a' 1969-12-31 23:59:59.985 1970-01-01 00:00:00.005 1 1
		'a' 1969-12-31 23:59:59.990 1970-01-01 00:00:00.010 1 1
		'a' 1969-12-31 23:59:59.995 1970-01-01 00:00:00.015 1 1
		'a' 1969-12-31 23:59:59.995 1970-01-01 00:00:00.015 2 3
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.020 2 3
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.020 3 7`
	c.Late = "'a' 8 1970-01-01 00:00:00.004"
	c.Counts, c.Ordered = &operators.Counts{Folded: 3, Late: 1}, true
	run(t, c)
}

func TestSessionWindows(t *testing.T) {
	c := one(t, "totals", totals(sdk.Session(10*time.Millisecond), true))
	c.Script = `
		'a' 1 1970-01-01 00:00:00.001
		'b' 2 1970-01-01 00:00:00.005
		'a' 4 1970-01-01 00:00:00.030
		'a' 8 1970-01-01 00:00:00.021
		'a' 16 1970-01-01 00:00:00.011
		watermark 10
		watermark 15
		'b' 32 1970-01-01 00:00:00.005
		'b' 64 1970-01-01 00:00:00.007
		'c' 1 1970-01-01 00:00:00.002
		watermark 39
		'a' 128 1970-01-01 00:00:00.030
		'a' 256 1970-01-01 00:00:00.040
		'a' 512 1970-01-01 00:00:00.031
		watermark 50
		end`
	c.Want = `
		'b' 1970-01-01 00:00:00.005 1970-01-01 00:00:00.015 1 2
		'b' 1970-01-01 00:00:00.007 1970-01-01 00:00:00.017 1 64
		'a' 1970-01-01 00:00:00.001 1970-01-01 00:00:00.040 4 29
		'a' 1970-01-01 00:00:00.031 1970-01-01 00:00:00.050 2 768`
	c.Late = "'b' 32 1970-01-01 00:00:00.005\n'c' 1 1970-01-01 00:00:00.002\n'a' 128 1970-01-01 00:00:00.030"
	c.Counts = &operators.Counts{Folded: 8, Late: 3}
	run(t, c)

	// The first two sessions are kept, are made one by a late row, and with the third by another, which is open again then.
	c = one(t, "totals", totalsWithin(sdk.Session(10*time.Millisecond), true, 30*time.Millisecond))
	c.Script = `
		'a' 1 1970-01-01 00:00:00.000
		'a' 2 1970-01-01 00:00:00.015
		watermark 24
		'a' 4 1970-01-01 00:00:00.030
		'a' 8 1970-01-01 00:00:00.008
		'a' 16 1970-01-01 00:00:00.022
		watermark 39
		'a' 32 1970-01-01 00:00:00.040
		watermark 59
		'a' 64 1970-01-01 00:00:00.015
		watermark 78
		'a' 128 1970-01-01 00:00:00.015
		watermark 79
		'a' 256 1970-01-01 00:00:00.040
		end`
	c.Want = `
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.010 1 1
		'a' 1970-01-01 00:00:00.015 1970-01-01 00:00:00.025 1 2
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.025 3 11
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.040 5 31
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.050 6 63
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.050 7 127
		'a' 1970-01-01 00:00:00.000 1970-01-01 00:00:00.050 8 255`
	c.Late = "'a' 256 1970-01-01 00:00:00.040"
	c.Counts, c.Ordered = &operators.Counts{Folded: 8, Late: 1}, true
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
