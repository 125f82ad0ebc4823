package sdk_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"millrace/jobgraph"
	"millrace/operators"
	"millrace/sdk"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// keepers are functions that keep something of each row.
func keepers() map[string]func(*sdk.Setup) keeper {
	type function = func(c *sdk.Context[int64, int64], v *visited) error
	row := func(f function) keeper { return keeper{Row: f} }
	return map[string]func(*sdk.Setup) keeper{
		"nothing": func(*sdk.Setup) keeper {
			return row(func(*sdk.Context[int64, int64], *visited) error { return nil })
		},
		"value": func(s *sdk.Setup) keeper {
			n := sdk.NewValue[int64](s, "n")
			return row(func(_ *sdk.Context[int64, int64], v *visited) error {
				sum, _ := n.Get()
				n.Set(sum + v.Page)
				return nil
			})
		},
		"value that ages": func(s *sdk.Setup) keeper {
			n := sdk.NewValue[int64](s, "n", sdk.TTL(time.Hour))
			return row(func(_ *sdk.Context[int64, int64], v *visited) error {
				sum, _ := n.Get()
				n.Set(sum + v.Page)
				return nil
			})
		},
		"value of six fields": func(s *sdk.Setup) keeper {
			type sums struct {
				Count, Total, Least, Most int64
				Last                      time.Time
				Name                      string
			}
			n := sdk.NewValue[sums](s, "n")
			return row(func(_ *sdk.Context[int64, int64], v *visited) error {
				sum, _ := n.Get()
				sum.Count, sum.Total, sum.Most = sum.Count+1, sum.Total+v.Page, max(sum.Most, v.Page)
				n.Set(sum)
				return nil
			})
		},
		"list": func(s *sdk.Setup) keeper {
			pages := sdk.NewList[int64](s, "pages")
			return row(func(_ *sdk.Context[int64, int64], v *visited) error {
				if pages.Add(v.Page); pages.Len() >= 8 {
					pages.Clear()
				}
				return nil
			})
		},
		"list that is read": func(s *sdk.Setup) keeper {
			pages := sdk.NewList[int64](s, "pages")
			return row(func(_ *sdk.Context[int64, int64], v *visited) error {
				n := 0
				for range pages.All() {
					n++
				}
				if pages.Add(v.Page); n >= 8 {
					pages.Clear()
				}
				return nil
			})
		},
		"map": func(s *sdk.Setup) keeper {
			pages := sdk.NewMap[int64, int64](s, "pages")
			return row(func(_ *sdk.Context[int64, int64], v *visited) error {
				n, _ := pages.Get(v.Page % 8)
				pages.Put(v.Page%8, n+1)
				return nil
			})
		},
		"timer": func(s *sdk.Setup) keeper {
			until := sdk.NewValue[time.Time](s, "until")
			p := row(func(c *sdk.Context[int64, int64], v *visited) error {
				if old, ok := until.Get(); ok {
					c.DeleteTimer(old)
				}
				at := v.At.Add(time.Minute)
				until.Set(at)
				c.SetTimer(at)
				return nil
			})
			p.Timer = func(*sdk.Context[int64, int64], sdk.Timer) error { return nil }
			return p
		},
	}
}

type keeper = sdk.Processor[int64, visited, int64]

// BenchmarkState is what such a function pays: batches of 8,192 rows of 10,000 keys.
func BenchmarkState(b *testing.B) {
	for name, of := range keepers() {
		b.Run(name, func(b *testing.B) {
			measure(b, keeping(b, of))
		})
	}
}

func measure(b *testing.B, batch func()) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		batch()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keptBatch, "ns/row")
}

// TestRowsAllocateNothing: functions and their state cost a row no allocation, once there is memory for the keys.
func TestRowsAllocateNothing(t *testing.T) {
	for name, describe := range stateless() {
		t.Run(name, func(t *testing.T) { allocatesNothing(t, taking(t, describe), 200) })
	}
	for name, of := range keepers() {
		t.Run(name, func(t *testing.T) {
			most := 200.0
			if name == "list that is read" { // an iterator that may be used within itself
				most = 4 * keptBatch
			}
			allocatesNothing(t, keeping(t, of), most)
		})
	}
}

func allocatesNothing(t *testing.T, batch func(), most float64) {
	t.Helper()
	for range 40 { // until there is memory for all keys
		batch()
	}
	if n := testing.AllocsPerRun(20, batch); n > most {
		t.Errorf("%.0f allocations for %d rows", n, keptBatch)
	}
}

type visited struct {
	User, Page int64
	At         time.Time `millrace:",rowtime"`
}

const keptBatch = 8192

// keeping opens a function that keeps something, and returns what has it take a batch.
func keeping(t testing.TB, of func(*sdk.Setup) keeper) func() {
	t.Helper()
	return taking(t, func(in *sdk.Stream[visited]) {
		sdk.KeyedProcess(sdk.KeyByFields[int64](in, "user"), "it", of).To("out", nowhere)
	})
}

// taking opens the operator "it" over visits, and returns what has it take a batch.
func taking(b testing.TB, describe func(*sdk.Stream[visited])) func() {
	const keys = 10_000
	c := one(b, "it", func(e *sdk.Env) { describe(sdk.From[visited](e, "visits", sdk.Connect{Name: "values"})) })
	var pool stream.Pool
	store, err := c.Backend.Open(b.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.KeyGroupRangeOf(0, 1, 128), MaxParallelism: 128, Parallelism: 1, Pool: &pool,
	})
	if err != nil {
		b.Fatal(err)
	}
	op, err := c.New(c.Spec)
	if err != nil {
		b.Fatal(err)
	}
	out, err := jobgraph.OutputSchema(c.Spec, c.Inputs)
	if err != nil {
		b.Fatal(err)
	}
	ctx := &operators.Context{
		Task: types.TaskID{Vertex: "v"}, Operator: c.Spec.UID, Parallelism: 1, MaxParallelism: 128, KeyGroups: types.KeyGroupRangeOf(0, 1, 128), Inputs: c.Inputs, Output: out,
		Pool: &pool, State: store, Watermark: stream.NoWatermark, Time: new(operators.Time), RowsMax: stream.RowsMax, Counts: &operators.Counts{},
	}
	ctx.Time.Pass(1_000)
	if err := op.Open(ctx); err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	in := pool.NewBatch(c.Inputs[0], keptBatch)
	for i, f := range c.Inputs[0].Fields {
		in.Columns[i] = stream.NewFixed(&pool, f.Type, keptBatch)
		for r := range stream.Values[int64](&in.Columns[i]) {
			stream.Values[int64](&in.Columns[i])[r] = random.Int64N(keys)
		}
	}
	b.Cleanup(func() {
		in.Release()
		if err := errors.Join(op.Close(), store.Close()); err != nil {
			b.Error(err)
		}
		if n := pool.Live(); n != 0 {
			b.Errorf("%d buffers and batches leak", n)
		}
	})
	return func() {
		if err := op.Process(0, in); err != nil {
			b.Fatal(err)
		}
		for {
			o, err := op.Next()
			if err != nil {
				b.Fatal(err)
			}
			if o.Batch == nil {
				return
			}
			o.Batch.Release()
		}
	}
}

// BenchmarkFunctions is what functions without state cost a row, of three columns.
func BenchmarkFunctions(b *testing.B) {
	for name, describe := range stateless() {
		b.Run(name, func(b *testing.B) { measure(b, taking(b, describe)) })
	}
}

// stateless are row-level functions that do next to nothing.
func stateless() map[string]func(*sdk.Stream[visited]) {
	it := sdk.UID("it")
	return map[string]func(*sdk.Stream[visited]){
		"filter": func(in *sdk.Stream[visited]) {
			in.Filter(func(v *visited) bool { return v.Page%2 == 0 }, it).To("out", nowhere)
		},
		"map": func(in *sdk.Stream[visited]) {
			sdk.Map(in, func(v *visited) (visited, error) { return visited{v.User, v.Page + 1, v.At}, nil }, it).To("out", nowhere)
		},
		"flat map": func(in *sdk.Stream[visited]) {
			sdk.FlatMap(in, func(v *visited, out *sdk.Collector[visited]) error {
				out.Collect(*v)
				return nil
			}, it).To("out", nowhere)
		},
		"process with a side output": func(in *sdk.Stream[visited]) {
			out := sdk.Process(in, func(s *sdk.Setup) func(*sdk.Context[struct{}, visited], *visited) error {
				side := sdk.NewSide[int64](s, "odd")
				return func(c *sdk.Context[struct{}, visited], v *visited) error {
					if v.Page%2 == 1 {
						side.Collect(v.Page)
						return nil
					}
					c.Collect(*v)
					return nil
				}
			}, it)
			out.To("out", nowhere)
			sdk.SideOutput[int64](out, "odd").To("odd-out", nowhere)
		},
		"keyed process": func(in *sdk.Stream[visited]) {
			sdk.KeyedProcess(sdk.KeyByFields[int64](in, "user"), "it", func(*sdk.Setup) sdk.Processor[int64, visited, visited] {
				return sdk.Processor[int64, visited, visited]{Row: func(c *sdk.Context[int64, visited], v *visited) error {
					c.Collect(*v)
					return nil
				}}
			}).To("out", nowhere)
		},
		"windows": func(in *sdk.Stream[visited]) {
			minutes := sdk.Windows(sdk.KeyByFields[int64](in, "user"), sdk.Tumble(time.Minute))
			sdk.Aggregate(minutes, "it", sdk.Aggregator[int64, visited, int64, int64]{
				Add: func(sum *int64, v *visited) error {
					*sum += v.Page
					return nil
				},
				Result: func(_ sdk.WindowOf[int64], sum *int64) (int64, error) { return *sum, nil },
			}).To("out", nowhere)
		},
	}
}
