package aggregate_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/operators/aggregate"
	"millrace/operators/operatortest"
	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// pairs is a function of a program over a number, which may be NULL, and a text, which may not: how many pairs there are, and a sum by which other pairs are told.
type pairs struct{}

func (pairs) each(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch, sign int64) error {
	for i, s := range slots {
		row, x := args.Row(i), int64(7)
		if n := &args.Columns[0]; !n.IsNull(row) {
			x = 10 * stream.Value[int64](n, row)
		}
		w := to.Rows().At(s)
		w[0], w[1] = w[0]+uint64(sign), w[1]+uint64(sign*weighPair(x, string(args.Columns[1].Bytes(row))))
	}
	return nil
}

func weighPair(x int64, text string) int64 {
	for _, c := range text {
		x = 31*x + int64(c)
	}
	return x
}

func (p pairs) Accumulate(to aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	return p.each(to, slots, args, 1)
}

func (p pairs) Retract(from aggregate.Accumulators, slots []statebackend.Slot, args *stream.Batch) error {
	return p.each(from, slots, args, -1)
}

func (pairs) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		w := of.Rows().At(s)
		out.AppendString(fmt.Sprintf("%d pairs, %d", w[0], int64(w[1])))
	}
	return nil
}

// ownFunctions returns PAIRS, and the registry that has it.
func ownFunctions(t testing.TB) (*expr.Declared, *expr.Registry) {
	number := types.Of(types.BigInt)
	d := &expr.Declared{
		Name: "PAIRS", Kind: expr.AggregateFunc, Args: []types.Type{number, types.StringType().NotNull()}, Result: types.StringType(), Retracts: true,
		Accumulator: []types.Field{field("n", number.NotNull()), field("sum", number.NotNull())},
	}
	functions, err := expr.Builtins().With(d.Signature(aggregate.NewFunction(func() aggregate.Function { return pairs{} })))
	if err != nil {
		t.Fatal(err)
	}
	return d, functions
}

// TestOwnDistinctEqualsModel: of a DISTINCT call of a function of the program each pair of arguments counts once, NULL as a value where the function takes it,
// whatever the rows are that come and go.
func TestOwnDistinctEqualsModel(t *testing.T) {
	declared, functions := ownFunctions(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		spec := group(func(s *jobgraph.GroupAggregateSpec) {
			s.UpdateBefore = false
			s.Aggregates = []jobgraph.AggregateCall{
				{Func: "PAIRS", Own: declared, Arg: 1, Rest: []int{2}, Name: "once", Distinct: true},
				{Func: "PAIRS", Own: declared, Arg: 1, Rest: []int{2}, Name: "admitted", Distinct: true, Filtered: true, Filter: 3},
				{Func: "PAIRS", Own: declared, Arg: 1, Rest: []int{2}, Name: "every"},
				{Func: "COUNT", Arg: 1, Name: "numbers", Distinct: true},
			}
		})
		var script, want []string
		there := map[string][][]string{}
		for range rapid.IntRange(0, 60).Draw(t, "rows") {
			pick := func(of ...string) string { return of[r.IntN(len(of))] }
			row := []string{pick("1", "2", "NULL"), pick("NULL", "0", "1", "7"), pick("NULL", "''", "'a'", "'ab'"), pick("TRUE", "FALSE", "NULL"), "0"}
			key, kind := row[0], "+I"
			if rows := there[key]; len(rows) > 0 && r.IntN(3) == 0 {
				i := r.IntN(len(rows))
				row, kind = rows[i], "-D"
				there[key] = append(append([][]string{}, rows[:i]...), rows[i+1:]...)
			} else {
				there[key] = append(append([][]string{}, rows...), row)
			}
			script = append(script, kind+" "+strings.Join(row, " "))
			told := "+U"
			switch {
			case len(there[key]) == 0:
				told = "-D"
			case kind == "+I" && len(there[key]) == 1:
				told = "+I"
			}
			want = append(want, told+" "+key+" "+pairsOf(there[key]))
		}
		c := &operatortest.Case{
			Spec: spec, New: aggregate.NewGroup, Inputs: []*types.Schema{orders}, Keys: [][]int{{0}}, Backend: columnar.New(), Functions: functions,
			Script: strings.Join(append(script, "end"), "\n"),
		}
		var all []operatortest.Variant
		for _, v := range c.Variants() {
			if v.BatchRows == 1 {
				all = append(all, v)
			}
		}
		v := all[rapid.IntRange(0, len(all)-1).Draw(t, "variant")]
		v.Seed = r.Uint64()
		out := operatortest.Play(t, c, v)
		wanted := changed(streamtest.Canonical(t, out.Schema, strings.Join(want, "\n")))
		if diff := streamtest.Diff(wanted, changed(out.Rows[0]), true); diff != "" {
			t.Fatalf("%s\n(-model +operator):\n%s", c.Script, diff)
		}
	})
}

// changed leaves out rows that say of a key what was said of it.
func changed(rows []string) (out []string) {
	last := map[string]string{}
	for _, row := range rows {
		kind, rest, _ := strings.Cut(row, " ")
		key, values, _ := strings.Cut(rest, " ")
		if kind == "-D" { // whose columns behind the key say nothing
			delete(last, key)
			out = append(out, kind+" "+key)
			continue
		}
		if last[key] != values || kind == "+I" {
			out = append(out, row)
		}
		last[key] = values
	}
	return out
}

// pairsOf is what the calls give of rows.
func pairsOf(rows [][]string) string {
	var out []string
	for i := range 3 {
		seen, n, sum := map[string]bool{}, 0, int64(0)
		for _, r := range rows {
			pair := r[1] + " " + r[2]
			if r[2] == "NULL" || i == 1 && r[3] != "TRUE" || i < 2 && seen[pair] {
				continue
			}
			seen[pair] = true
			x := int64(7)
			if r[1] != "NULL" {
				x, _ = strconv.ParseInt(r[1], 10, 64)
				x *= 10
			}
			n, sum = n+1, sum+weighPair(x, strings.Trim(r[2], "'"))
		}
		out = append(out, fmt.Sprintf("'%d pairs, %d'", n, sum))
	}
	numbers := map[string]bool{}
	for _, r := range rows {
		if r[1] != "NULL" {
			numbers[r[1]] = true
		}
	}
	return strings.Join(append(out, strconv.Itoa(len(numbers))), " ")
}

// listing gives how many values came, in a list.
type listing struct{ pairs }

func (listing) Result(of aggregate.Accumulators, slots []statebackend.Slot, out *stream.Builder) error {
	for _, s := range slots {
		out.Child(0).AppendInt64(int64(of.Rows().At(s)[0]))
		out.AppendList()
	}
	return nil
}

// TestOwnResultsThatAreLists: a group whose list is another one says so, and one whose list is the same does not.
func TestOwnResultsThatAreLists(t *testing.T) {
	number := types.Of(types.BigInt)
	d := &expr.Declared{
		Name: "LISTING", Kind: expr.AggregateFunc, Args: []types.Type{number, types.StringType().NotNull()}, Result: types.ArrayOf(number),
		Accumulator: []types.Field{field("n", number.NotNull()), field("sum", number.NotNull())},
	}
	functions, err := expr.Builtins().With(d.Signature(aggregate.NewFunction(func() aggregate.Function { return listing{} })))
	if err != nil {
		t.Fatal(err)
	}
	c := operatortest.Case{
		Spec: group(func(s *jobgraph.GroupAggregateSpec) {
			s.Retract, s.UpdateBefore, s.Aggregates = false, false, []jobgraph.AggregateCall{{Func: "LISTING", Own: d, Arg: 1, Rest: []int{2}, Name: "list"}}
		}),
		New: aggregate.NewGroup, Inputs: []*types.Schema{orders}, Keys: [][]int{{0}}, Backend: columnar.New(), Functions: functions,
		Script: "1 5 'a' TRUE 0\n1 5 NULL TRUE 0\n1 6 'a' TRUE 0\nend",
	}
	out := operatortest.Play(t, &c, operatortest.Variant{BatchRows: 1, RowsMax: stream.RowsMax})
	if want := streamtest.Canonical(t, out.Schema, "+I 1 [1]\n+U 1 [2]"); streamtest.Diff(want, out.Rows[0], true) != "" {
		t.Errorf("got %q, want %q", out.Rows[0], want)
	}
}
