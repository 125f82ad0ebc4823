package window_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators/aggregate"
	"millrace/operators/operatortest"
	"millrace/operators/window"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/types"
)

// highest is MAX of a program, which keeps what it has as a text.
type highest struct{}

func offer(to aggregate.Accumulators, s statebackend.Slot, x int64) error {
	if have, err := strconv.ParseInt(string(to.Bytes(0, s)), 10, 64); err == nil && have >= x {
		return nil
	}
	to.Rows().At(s)[1]++
	return to.SetBytes(0, s, strconv.AppendInt(nil, x, 10))
}

func (highest) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	for i, s := range slots {
		if err := offer(to, s, stream.Value[int64](&args.Columns[0], args.Row(i))); err != nil {
			return err
		}
	}
	return nil
}

func (highest) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		x, err := strconv.ParseInt(string(of.Bytes(0, s)), 10, 64)
		if err != nil {
			out.AppendNull()
			continue
		}
		out.AppendInt64(x)
	}
	return nil
}

// merging is highest with what merges.
type merging struct{ highest }

func (merging) Merge(into aggregate.Accumulators, slots []statebackend.Slot, parts aggregate.Accumulators, of []statebackend.Slot) error {
	for i, s := range slots {
		if x, err := strconv.ParseInt(string(parts.Bytes(0, of[i])), 10, 64); err == nil {
			if err := offer(into, s, x); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestOwnFunctions: a function of the program gives in windows of every kind what the built-in one does that computes the same, over failures too.
func TestOwnFunctions(t *testing.T) {
	number := types.Of(types.BigInt)
	declared := func(name string, merges bool) *expr.Declared {
		return &expr.Declared{
			Name: name, Kind: expr.AggregateFunc, Args: []types.Type{number.NotNull()}, Result: number, Merges: merges,
			Accumulator: []types.Field{field("value", types.StringType().NotNull()), field("times", number.NotNull())},
		}
	}
	once, parts := declared("HIGHEST_ONCE", false), declared("HIGHEST", true)
	functions, err := expr.Builtins().With(
		once.Signature(aggregate.NewFunction(func() aggregate.Function { return highest{} })),
		parts.Signature(aggregate.NewFunction(func() aggregate.Function { return merging{} })))
	if err != nil {
		t.Fatal(err)
	}
	second := time.Second
	for name, w := range map[string]jobgraph.WindowSpec{
		"tumbling": {Size: 10 * second}, "hopping": {Kind: jobgraph.Hopping, Size: 15 * second, Slide: 5 * second},
		"cumulating": {Kind: jobgraph.Cumulating, Size: 20 * second, Slide: 5 * second}, "session": {Kind: jobgraph.Session, Size: 4 * second},
	} {
		spec := mainJob()
		spec.Window = w
		c := operatortest.Case{
			Name: name, Spec: aggregateOf(spec), New: window.New, Inputs: []*types.Schema{bids}, Keys: [][]int{{0}}, Backend: backend, Functions: functions,
			Script: `
				1 100 1000
				2 50  9999
				1 30  10000
				1 200 0
				1 NULL 25000
				NULL 7 25000
				watermark 9999
				3 -5 12000
				1 7 12000
				1 9 17000
				watermark 21000
				1 8 24000
				3 6 30000
				1 5 22000
				end`,
		}
		c.Want = strings.Join(operatortest.Play(t, &c, c.Variants()[0]).Rows[0], "\n")
		for _, d := range []*expr.Declared{parts, once} {
			if !d.Merges && w.Kind == jobgraph.Session {
				continue
			}
			own := *spec
			own.Aggregates = append([]jobgraph.AggregateCall{}, spec.Aggregates...)
			own.Aggregates[2].Func, own.Aggregates[2].Own = d.Name, d
			c.Name, c.Spec = name+" by "+d.Name, aggregateOf(&own)
			operatortest.Run(t, c)
		}
	}
}

// kinds counts pairs of a number and a text, of which both may be NULL.
type kinds struct{}

func (kinds) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	for i, s := range slots {
		w := to.Rows().At(s)
		if w[0]++; args.Columns[0].IsNull(args.Row(i)) || args.Columns[1].IsNull(args.Row(i)) {
			w[1]++
		}
	}
	return nil
}

func (kinds) Merge(into aggregate.Accumulators, slots []statebackend.Slot, parts aggregate.Accumulators, of []statebackend.Slot) error {
	for i, s := range slots {
		w, p := into.Rows().At(s), parts.Rows().At(of[i])
		w[0], w[1] = w[0]+p[0], w[1]+p[1]
	}
	return nil
}

func (kinds) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		w := of.Rows().At(s)
		out.AppendString(strconv.FormatUint(w[0], 10) + ", NULL in " + strconv.FormatUint(w[1], 10))
	}
	return nil
}

// TestOwnDistinct: each pair of arguments counts once in a window, with NULL as a value; of sessions that become one too.
func TestOwnDistinct(t *testing.T) {
	d := &expr.Declared{
		Name: "KINDS", Kind: expr.AggregateFunc, Args: []types.Type{types.Of(types.Int), types.StringType()}, Result: types.StringType(), Merges: true,
		Accumulator: []types.Field{field("n", types.Of(types.BigInt).NotNull()), field("nulls", types.Of(types.BigInt).NotNull())},
	}
	functions, err := expr.Builtins().With(d.Signature(aggregate.NewFunction(func() aggregate.Function { return kinds{} })))
	if err != nil {
		t.Fatal(err)
	}
	calls := func() []jobgraph.AggregateCall {
		return []jobgraph.AggregateCall{
			{Func: "KINDS", Own: d, Arg: 2, Rest: []int{4}}, {Func: "KINDS", Own: d, Arg: 2, Rest: []int{4}, Filtered: true, Filter: 3}, {Func: "COUNT", Arg: 4},
		}
	}
	const script = `
		1 100 1 TRUE 'a' NULL NULL
		1 101 NULL NULL 'a' NULL NULL
		1 101 1 FALSE 'a' NULL NULL
		1 115 1 TRUE 'a' NULL NULL
		1 116 NULL TRUE 'a' NULL NULL
		1 117 NULL TRUE NULL NULL NULL
		2 117 NULL TRUE NULL NULL NULL
		1 130 1 TRUE 'b' NULL NULL
		1 131 1 TRUE '' NULL NULL
		1 132 12 TRUE NULL NULL NULL
		1 133 1 TRUE 'a' NULL NULL
		1 134 NULL FALSE NULL NULL NULL
		1 124 1 TRUE '' NULL NULL
		1 108 1 TRUE NULL NULL NULL
		2 119 NULL TRUE NULL NULL NULL
		end`
	operatortest.Run(t, operatortest.Case{
		Name: "sessions", Spec: distinctSessions(calls()...), New: window.New, Inputs: []*types.Schema{valued}, Keys: [][]int{{0}}, Backend: backend, Functions: functions,
		Script: script, Want: "1 100 144 '7, NULL in 4' '7, NULL in 4' 3\n2 117 129 '1, NULL in 1' '1, NULL in 1' 0",
	})
	hops := distinctSessions(calls()...)
	hops.Body.(*jobgraph.WindowAggregateSpec).Window = jobgraph.WindowSpec{Kind: jobgraph.Hopping, Size: 40 * time.Millisecond, Slide: 20 * time.Millisecond}
	operatortest.Run(t, operatortest.Case{
		Name: "hops", Spec: hops, New: window.New, Inputs: []*types.Schema{valued}, Keys: [][]int{{0}}, Backend: backend, Functions: functions, Script: script,
		Want: `
			1 80 120 '4, NULL in 3' '4, NULL in 3' 1
			2 80 120 '1, NULL in 1' '1, NULL in 1' 0
			1 100 140 '7, NULL in 4' '7, NULL in 4' 3
			2 100 140 '1, NULL in 1' '1, NULL in 1' 0
			1 120 160 '5, NULL in 2' '4, NULL in 1' 3`,
	})
}
