package over_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/operators/aggregate"
	"millrace/operators/operatortest"
	"millrace/operators/over"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// trail is a function of a program that has all values in their order, of a number, which may be NULL, and a text, which may not.
type trail struct{}

func piece(args *stream.Batch, row int) []byte {
	out := []byte("?")
	if v := &args.Columns[0]; !v.IsNull(row) {
		out = strconv.AppendInt(nil, stream.Value[int64](v, row), 10)
	}
	return append(append(out, args.Columns[1].Bytes(row)...), ' ')
}

func (trail) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	for i, s := range slots {
		to.Rows().At(s)[0]++
		if err := to.SetBytes(1, s, append(bytes.Clone(to.Bytes(1, s)), piece(args, args.Row(i))...)); err != nil {
			return err
		}
	}
	return nil
}

// Retract takes what came first back: frames leave it behind so.
func (trail) Retract(from aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	for i, s := range slots {
		rest, found := bytes.CutPrefix(from.Bytes(1, s), piece(args, args.Row(i)))
		if !found {
			return fmt.Errorf("%s is not the first of %s", piece(args, args.Row(i)), from.Bytes(1, s))
		}
		from.Rows().At(s)[0]--
		if err := from.SetBytes(1, s, bytes.Clone(rest)); err != nil {
			return err
		}
	}
	return nil
}

func (trail) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		out.AppendString(fmt.Sprintf("%d %s", of.Rows().At(s)[0], of.Bytes(1, s)))
	}
	return nil
}

// kinds is one that counts, and adds up what tells values apart.
type kinds struct{}

func weigh(args *stream.Batch, row int) (sum uint64) {
	for _, c := range piece(args, row) {
		sum = 31*sum + uint64(c)
	}
	return sum % 1000
}

func (kinds) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	for i, s := range slots {
		w := to.Rows().At(s)
		w[0], w[1] = w[0]+1, w[1]+weigh(args, args.Row(i))
	}
	return nil
}

func (kinds) Retract(from aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	for i, s := range slots {
		w := from.Rows().At(s)
		w[0], w[1] = w[0]-1, w[1]-weigh(args, args.Row(i))
	}
	return nil
}

func (kinds) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		w := of.Rows().At(s)
		if w[0] == 0 {
			out.AppendNull()
			continue
		}
		out.AppendInt64(int64(1000*w[0] + w[1]%1000))
	}
	return nil
}

var (
	big       = types.Of(types.BigInt)
	trailFunc = &expr.Declared{
		Name: "TRAIL", Kind: expr.AggregateFunc, Args: []types.Type{big, types.StringType().NotNull()}, Result: types.StringType().NotNull(), Retracts: true,
		Accumulator: []types.Field{{Name: "n", Type: big.NotNull()}, {Name: "all", Type: types.BytesType().NotNull()}},
	}
	kindsFunc = &expr.Declared{
		Name: "KINDS", Kind: expr.AggregateFunc, Args: []types.Type{big, types.StringType().NotNull()}, Result: big, Retracts: true,
		Accumulator: []types.Field{{Name: "n", Type: big.NotNull()}, {Name: "sum", Type: big.NotNull()}},
	}
	// ownCalls are calls of them: of all rows, of each value once, and of those that a filter admits.
	ownCalls = []jobgraph.AggregateCall{
		{Func: "TRAIL", Own: trailFunc, Arg: 2, Rest: []int{3}, Name: "trail"},
		{Func: "KINDS", Own: kindsFunc, Arg: 2, Rest: []int{3}, Name: "kinds", Distinct: true},
		{Func: "KINDS", Own: kindsFunc, Arg: 2, Rest: []int{3}, Name: "admitted", Distinct: true, Filtered: true, Filter: 4},
		{Func: "TRAIL", Own: trailFunc, Arg: 2, Rest: []int{3}, Name: "followed", Filtered: true, Filter: 4},
	}
	ownFunctions = func() *expr.Registry {
		out, err := expr.Builtins().With(
			trailFunc.Signature(aggregate.NewFunction(func() aggregate.Function { return trail{} })),
			kindsFunc.Signature(aggregate.NewFunction(func() aggregate.Function { return kinds{} })))
		if err != nil {
			panic(err)
		}
		return out
	}()
)

// ownOf returns what ownCalls are over rows.
func ownOf(frame [][]string) string {
	var trails [2]string
	var counts [2]int
	var seen [2]map[string]bool
	var sums [2]uint64
	for i := range seen {
		seen[i] = map[string]bool{}
	}
	for _, r := range frame {
		if r[3] == "NULL" {
			continue
		}
		text := strings.Replace(r[2], "NULL", "?", 1) + strings.Trim(r[3], "'") + " "
		for i := range seen {
			if i == 1 && r[4] != "TRUE" {
				continue
			}
			trails[i] += text
			counts[i]++
			if seen[i][text] {
				continue
			}
			seen[i][text] = true
			sum := uint64(0)
			for _, c := range []byte(text) {
				sum = 31*sum + uint64(c)
			}
			sums[i] += sum % 1000
		}
	}
	once := func(i int) string {
		if len(seen[i]) == 0 {
			return "NULL"
		}
		return strconv.FormatUint(1000*uint64(len(seen[i]))+sums[i]%1000, 10)
	}
	return fmt.Sprintf("'%d %s' %s %s '%d %s'", counts[0], trails[0], once(0), once(1), counts[1], trails[1])
}

// TestOwnAtTheEnd: rows that are answered at the end have what the functions give of their frames, long ones too, which are made of one another.
func TestOwnAtTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		m := &sortedModel{frame: jobgraph.FrameSpec{Range: r.IntN(3) == 0}}
		if !m.frame.Range {
			m.frame.Bounded, m.frame.Preceding = r.IntN(3) > 0, int64([]int{0, 2, 35}[r.IntN(3)])
		}
		var script []string
		for range rapid.IntRange(0, 150).Draw(t, "rows") {
			pick := func(of ...string) string { return of[r.IntN(len(of))] }
			row := []string{pick("1", "1", "2"), "0", pick("NULL", strconv.Itoa(r.IntN(300)), strconv.Itoa(r.IntN(4))), pick("NULL", "'a'", "'b'"), pick("TRUE", "TRUE", "FALSE", "NULL")}
			m.there = append(m.there, row)
			script = append(script, "+I "+strings.Join(row, " "))
		}
		var want []string
		for _, key := range []string{"1", "2"} {
			_, answers := m.answers(key)
			want = append(want, answers...)
		}
		c := &operatortest.Case{
			Spec: byValue(m.frame, func(s *jobgraph.OverAggregateSpec) {
				s.FinalOnly, s.UpdateBefore = true, false
				s.Aggregates = modelCalls
				if m.frame == (jobgraph.FrameSpec{}) {
					s.Aggregates = append(slices.Clone(modelCalls), placeCalls()...)
				}
			}),
			New: over.New, Inputs: []*types.Schema{flagged}, Keys: [][]int{{0}}, Backend: columnar.New(), Functions: ownFunctions, Script: strings.Join(append(script, "end"), "\n"),
		}
		all := c.Variants()
		v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
		v.Seed = r.Uint64()
		out := operatortest.Play(t, c, v)
		if diff := streamtest.Diff(streamtest.Canonical(t, out.Schema, strings.Join(want, "\n")), out.Rows[0], false); diff != "" {
			t.Fatalf("%+v\n%s\n(-model +operator):\n%s", m.frame, c.Script, diff)
		}
	})
}

// TestOwnThatCantTakeBack: the operator refuses functions whose rows leave, or are taken back.
func TestOwnThatCantTakeBack(t *testing.T) {
	stays := *trailFunc
	stays.Retracts = false
	calls := []jobgraph.AggregateCall{{Func: "TRAIL", Own: &stays, Arg: 2, Rest: []int{3}, Name: "trail"}}
	for name, o := range map[string]*jobgraph.OperatorSpec{
		"frame": spec(jobgraph.FrameSpec{Bounded: true, Preceding: 3}, true), "long frame": spec(jobgraph.FrameSpec{Bounded: true, Preceding: 300}, true),
		"changes": byValue(jobgraph.FrameSpec{}, asIs),
	} {
		o.Body.(*jobgraph.OverAggregateSpec).Aggregates = calls
		op, err := over.New(o)
		if err == nil {
			err = op.Open(&operators.Context{Operator: "over", Inputs: []*types.Schema{rows}, RowsMax: 1, Counts: &operators.Counts{}, Functions: ownFunctions})
		}
		if err == nil || !strings.Contains(err.Error(), "TRAIL can't take values back") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// firm is kinds where nothing may be taken back, though it says that it can be.
type firm struct{ kinds }

func (firm) Retract(aggregate.Accumulators, []statebackend.Slot, *stream.Batch) error {
	return errors.New("it is taken back")
}

// TestOwnFramesAnew: what was told of a row is worked out again from its rows, whatever the frame, and short frames are always made of theirs: what a function of floating-point numbers takes back may
// leave something behind.
func TestOwnFramesAnew(t *testing.T) {
	functions, err := expr.Builtins().With(kindsFunc.Signature(aggregate.NewFunction(func() aggregate.Function { return firm{} })))
	if err != nil {
		t.Fatal(err)
	}
	own := func(o *jobgraph.OperatorSpec) *jobgraph.OperatorSpec {
		o.Body.(*jobgraph.OverAggregateSpec).Aggregates = ownCalls[1:2]
		return o
	}
	long := jobgraph.FrameSpec{Bounded: true, Preceding: 40}
	for name, o := range map[string]*jobgraph.OperatorSpec{
		"changes": own(byValue(long, asIs)), "short": own(spec(jobgraph.FrameSpec{Bounded: true, Preceding: 31}, true)),
	} {
		var script []string
		for i := range 80 {
			script = append(script, fmt.Sprintf("1 %d %d 'a' TRUE", i, i%50))
		}
		operatortest.Play(t, &operatortest.Case{
			Name: name, Spec: o, New: over.New, Inputs: []*types.Schema{flagged}, Keys: [][]int{{0}}, Backend: columnar.New(), Functions: functions,
			Script: strings.Join(append(script, "end"), "\n"),
		}, operatortest.Variant{RowsMax: 7, BatchRows: 3})
	}
}

// hoarder keeps more than there is room for.
type hoarder struct{ kinds }

func (hoarder) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, _ *stream.Batch) error {
	return to.SetBytes(1, slots[0], make([]byte, stream.RowBytesMax+1))
}

// TestOwnBounds: what a function keeps is bounded whatever the frame, and the error names the function and the row.
func TestOwnBounds(t *testing.T) {
	functions, err := expr.Builtins().With(trailFunc.Signature(aggregate.NewFunction(func() aggregate.Function { return hoarder{} })))
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range []jobgraph.FrameSpec{{}, {Bounded: true, Preceding: 2}} {
		var pool stream.Pool
		store, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{MaxParallelism: 8, KeyGroups: types.AllKeyGroups(8), Pool: &pool})
		if err != nil {
			t.Fatal(err)
		}
		o := spec(frame, true)
		o.Body.(*jobgraph.OverAggregateSpec).Aggregates = ownCalls[:1]
		out, err := jobgraph.OutputSchema(o, []*types.Schema{flagged})
		if err != nil {
			t.Fatal(err)
		}
		op, err := over.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := op.Open(&operators.Context{
			Operator: "over", Inputs: []*types.Schema{flagged}, Output: out, Pool: &pool, State: store, Time: &operators.Time{}, RowsMax: 8, Counts: &operators.Counts{}, Functions: functions,
		}); err != nil {
			t.Fatal(err)
		}
		b := streamtest.Batch(t, &pool, flagged, "1 1 5 'a' TRUE\n1 2 6 'b' TRUE")
		err = op.Process(0, b)
		b.Release()
		if err == nil || !strings.Contains(err.Error(), "function TRAIL(5, 'a'): ") || !strings.Contains(err.Error(), strconv.Itoa(stream.RowBytesMax+1)) {
			t.Errorf("%s: %v", &frame, err)
		}
		if err := op.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if n := pool.Live(); n != 0 {
			t.Errorf("%s: %d buffers are left", &frame, n)
		}
	}
}
