package optimize_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/sql/optimize"
	"millrace/sql/plan"
	"millrace/sql/plan/plantest"
	"millrace/types"
)

// TestOptimizedPlansGiveTheSameRows runs each case before and after on tables of chance, row by row, and compares what
// comes out as bags.
func TestOptimizedPlansGiveTheSameRows(t *testing.T) {
	for _, c := range cases {
		if c.name == "fields" { // its rows have ROWs, of which there are no constants
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			b := plantest.New(t)
			before := c.build(b)
			after, err := optimize.Optimize(before, config(b))
			if err != nil {
				t.Fatal(err)
			}
			some := 0
			for seed := range uint64(8) {
				x := &runner{t: t, functions: b.Functions, random: rand.New(rand.NewPCG(seed, 1)), tables: make(map[string][][]any)}
				for i := range before {
					want, got := x.bag(before[i]), x.bag(after[i])
					some += len(want)
					if diff := gocmp.Diff(want, got); diff != "" {
						t.Fatalf("seed %d, plan %d (-before +after):\n%s\n%s", seed, i, diff, plan.Explain(after...))
					}
				}
			}
			if some == 0 {
				t.Error("no case has a row: nothing is compared")
			}
		})
	}
}

// runner runs plans over rows of BIGINT, text and time, as the definitions of the nodes say and no faster.
type runner struct {
	t         *testing.T
	functions *expr.Registry
	random    *rand.Rand
	tables    map[string][][]any
}

// bag returns the rows of a plan as texts, in an order of its own.
func (x *runner) bag(n plan.Node) []string {
	var out []string
	for _, row := range x.run(n) {
		out = append(out, fmt.Sprint(row...))
	}
	slices.Sort(out)
	return out
}

func (x *runner) run(n plan.Node) [][]any {
	switch n := n.(type) {
	case *plan.Sink:
		return x.run(n.Input)
	case *plan.Watermark:
		return x.run(n.Input)
	case *plan.Values:
		return nil
	case *plan.Scan:
		return x.scan(n)
	case *plan.Filter:
		return slices.DeleteFunc(slices.Clone(x.run(n.Input)), func(row []any) bool { return x.eval(n.Condition, row) != true })
	case *plan.Project:
		var out [][]any
		for _, row := range x.run(n.Input) {
			computed := make([]any, len(n.Columns))
			for i, e := range n.Columns {
				computed[i] = x.eval(e, row)
			}
			out = append(out, computed)
		}
		return out
	case *plan.Join:
		return x.join(n)
	case *plan.Set:
		return x.set(n)
	case *plan.Aggregate:
		return x.aggregate(n)
	case *plan.WindowTable:
		return x.windows(n)
	case *plan.Correlate:
		var out [][]any
		for _, row := range x.run(n.Input) {
			for range x.eval(n.Args[0], row).(int64) {
				out = append(out, row)
			}
		}
		return out
	case *plan.Over:
		return x.numbered(x.run(n.Input), n.Partition, n.Order, func(int64) bool { return true }, true)
	case *plan.Rank:
		keys := n.Partition
		if n.WindowEnd != plan.NoColumn {
			keys = append(slices.Clone(keys), n.WindowEnd)
		}
		return x.numbered(x.run(n.Input), keys, n.Order, func(rank int64) bool { return n.From <= rank && rank <= n.To }, n.Number)
	case *plan.Deduplicate:
		order := []plan.Order{{Column: n.Time, Descending: n.KeepLast, NullsFirst: !n.KeepLast}}
		return x.numbered(x.run(n.Input), n.Keys, order, func(rank int64) bool { return rank == 1 }, false)
	case *plan.Sort:
		rows := x.run(n.Input)
		end := min(int(n.Offset+n.Limit), len(rows))
		return rows[min(int(n.Offset), end):end]
	default:
		x.t.Fatalf("no way to run %T", n)
		return nil
	}
}

// scan gives the columns of a table of chance, whose rows have times of their own.
func (x *runner) scan(n *plan.Scan) [][]any {
	rows, ok := x.tables[n.Path.Name]
	if !ok {
		for i := range 9 {
			row := make([]any, len(n.Table.Columns))
			for k, c := range n.Table.Columns {
				switch {
				case c.Type.Kind == types.Timestamp:
					row[k] = int64(i)*3700 + int64(x.random.IntN(1000))
				case x.random.IntN(8) == 0:
					row[k] = nil
				case c.Type.Kind == types.VarChar:
					row[k] = string(rune('a' + x.random.IntN(3)))
				default:
					row[k] = int64(x.random.IntN(9))
				}
			}
			rows = append(rows, row)
		}
		x.tables[n.Path.Name] = rows
	}
	var out [][]any
	for _, row := range rows {
		read := make([]any, len(n.Columns))
		for i, c := range n.Columns {
			read[i] = row[c]
		}
		out = append(out, read)
	}
	return out
}

// eval puts a row's values into an expression and folds it. A branch of CASE that is not taken may have no value.
func (x *runner) eval(e expr.Expr, row []any) any {
	if c, ok := e.(*expr.Case); ok {
		return x.branch(c, row)
	}
	bound := plan.Substitute(e, func(c *expr.Column) expr.Expr {
		t := c.T
		t.Nullable = t.Nullable || row[c.Index] == nil
		return &expr.Literal{T: t, Value: row[c.Index]}
	})
	folded, err := kernel.Fold(bound, x.functions)
	l, ok := folded.(*expr.Literal)
	if err != nil || !ok {
		x.t.Fatalf("%s has no value: %v", bound, err)
	}
	return l.Value
}

func (x *runner) branch(c *expr.Case, row []any) any {
	for _, w := range c.Whens {
		if x.eval(w.If, row) == true {
			return x.eval(w.Then, row)
		}
	}
	if c.Else == nil {
		return nil
	}
	return x.eval(c.Else, row)
}

func (x *runner) join(n *plan.Join) (out [][]any) {
	left, right := x.run(n.Left), x.run(n.Right)
	met := make([]bool, len(right))
	for _, l := range left {
		found := false
		for i, r := range right {
			if !x.meet(n, l, r) {
				continue
			}
			found, met[i] = true, true
			if n.Kind != plan.Semi && n.Kind != plan.Anti {
				out = append(out, slices.Concat(l, r))
			}
		}
		switch {
		case n.Kind == plan.Semi && found, n.Kind == plan.Anti && !found:
			out = append(out, l)
		case !found && (n.Kind == plan.Left || n.Kind == plan.Full):
			out = append(out, slices.Concat(l, make([]any, len(n.Right.Schema()))))
		}
	}
	for i, r := range right {
		if !met[i] && (n.Kind == plan.Right || n.Kind == plan.Full) {
			out = append(out, slices.Concat(make([]any, len(n.Left.Schema())), r))
		}
	}
	return out
}

func (x *runner) meet(n *plan.Join, l, r []any) bool {
	for _, k := range n.Keys {
		if l[k.Left] != r[k.Right] || l[k.Left] == nil && !k.NullEquals {
			return false
		}
	}
	if w := n.Window; w != nil && (l[w.LeftStart] != r[w.RightStart] || l[w.LeftEnd] != r[w.RightEnd]) {
		return false
	}
	if i := n.Interval; i != nil {
		if apart := l[i.LeftTime].(int64) - r[i.RightTime].(int64); apart < i.Lower || apart > i.Upper {
			return false
		}
	}
	if n.NullAware { // what is not known to differ keeps a row out
		return x.eval(n.Condition, slices.Concat(l, r)) != false
	}
	return n.Condition == nil || x.eval(n.Condition, slices.Concat(l, r)) == true
}

func (x *runner) set(n *plan.Set) (out [][]any) {
	if n.Kind == plan.Union {
		for _, in := range n.Of {
			out = append(out, x.run(in)...)
		}
		if n.All {
			return out
		}
		return distinctRows(out)
	}
	if n.All {
		return x.counted(n)
	}
	right := make(map[string]bool)
	for _, row := range x.run(n.Of[1]) {
		right[fmt.Sprintf("%#v", row)] = true
	}
	for _, row := range distinctRows(x.run(n.Of[0])) {
		if right[fmt.Sprintf("%#v", row)] == (n.Kind == plan.Intersect) {
			out = append(out, row)
		}
	}
	return out
}

// counted takes away from the right rows what it has met there.
func (x *runner) counted(n *plan.Set) (out [][]any) {
	right := make(map[string]int)
	for _, row := range x.run(n.Of[1]) {
		right[fmt.Sprintf("%#v", row)]++
	}
	for _, row := range x.run(n.Of[0]) {
		key := fmt.Sprintf("%#v", row)
		if met := right[key] > 0; met == (n.Kind == plan.Intersect) {
			out = append(out, row)
		}
		right[key]--
	}
	return out
}

func distinctRows(rows [][]any) (out [][]any) {
	seen := make(map[string]bool)
	for _, row := range rows {
		if key := fmt.Sprintf("%#v", row); !seen[key] {
			seen[key] = true
			out = append(out, row)
		}
	}
	return out
}

// windows gives each row its windows, the ends of which are multiples of the step.
func (x *runner) windows(n *plan.WindowTable) (out [][]any) {
	for _, row := range x.run(n.Input) {
		for _, w := range windowsAt(row[n.Window.Time].(int64), &n.Window) {
			out = append(out, slices.Concat(row, []any{w[0], w[1], w[1] - 1}))
		}
	}
	return out
}

func windowsAt(at int64, w *plan.Window) (out [][2]int64) {
	size, step := w.Size.Milliseconds(), w.Size.Milliseconds()
	if w.Step > 0 {
		step = w.Step.Milliseconds()
	}
	for start := at - at%step; start > at-size; start -= step {
		out = append(out, [2]int64{start, start + size})
	}
	return out
}

func (x *runner) aggregate(n *plan.Aggregate) (out [][]any) {
	groups := make(map[string][][]any)
	var order []string
	results := make(map[string][]any)
	ofSet := make(map[string]int)
	sets := n.Sets
	if sets == nil {
		sets = [][]int{plan.Counted(len(n.Keys))}
	}
	for _, row := range x.run(n.Input) {
		for set, keys := range sets {
			for _, w := range windowsOf(n, row) {
				group := make([]any, len(n.Keys))
				for _, k := range keys {
					group[k] = row[n.Keys[k]]
				}
				for _, p := range n.Properties {
					group = append(group, [...]any{w[0], w[1], w[1] - 1}[p])
				}
				key := fmt.Sprintf("%d %#v", set, group)
				if _, ok := groups[key]; !ok {
					order = append(order, key)
					results[key], ofSet[key] = group, set+1
				}
				groups[key] = append(groups[key], row)
			}
		}
	}
	if len(n.Keys)+len(n.Properties) == 0 && len(order) == 0 { // there is one group, of no rows
		order, results = []string{""}, map[string][]any{"": nil}
	}
	for _, key := range order {
		row := results[key]
		for _, c := range n.Calls {
			rows := groups[key]
			if c.Set != 0 && c.Set != ofSet[key] {
				rows = nil
			}
			row = append(row, aggregated(&c, rows))
		}
		out = append(out, row)
	}
	return out
}

// windowsOf returns the windows of a row: one that is none where the aggregate has no windows.
func windowsOf(n *plan.Aggregate, row []any) [][2]int64 {
	switch {
	case n.Window == nil:
		return [][2]int64{{}}
	case n.Window.Kind == plan.Attached:
		return [][2]int64{{row[n.Window.Start].(int64), row[n.Window.End].(int64)}}
	default:
		return windowsAt(row[n.Window.Time].(int64), n.Window)
	}
}

func pickRow(row []any, columns []int) (out []any) {
	for _, c := range columns {
		out = append(out, row[c])
	}
	return out
}

func aggregated(c *plan.Call, rows [][]any) any {
	var count, sum int64
	var values []int64
	seen := make(map[any]bool)
	for _, row := range rows {
		if c.Filter != plan.NoColumn && row[c.Filter] != true {
			continue
		}
		if len(c.Args) == 0 {
			count++
			continue
		}
		v := row[c.Args[0]]
		if v == nil || c.Distinct && seen[v] {
			continue
		}
		seen[v] = true
		count++
		if v, ok := v.(int64); ok {
			sum += v
			values = append(values, v)
		}
	}
	switch {
	case c.Func == "COUNT":
		return count
	case c.Func == "SUM0":
		return sum
	case count == 0:
		return nil
	case c.Func == "SUM":
		return sum
	case c.Func == "AVG":
		return sum / count
	case c.Func == "MIN":
		return slices.Min(values)
	default:
		return slices.Max(values)
	}
}

// numbered numbers the rows of each partition in an order and keeps some.
func (x *runner) numbered(rows [][]any, partition []int, order []plan.Order, keep func(int64) bool, number bool) (out [][]any) {
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b []any) int { return compareRows(a, b, order) })
	ranks := make(map[string]int64)
	for _, row := range sorted {
		key := fmt.Sprintf("%#v", pickRow(row, partition))
		ranks[key]++
		if !keep(ranks[key]) {
			continue
		}
		if number {
			row = append(slices.Clone(row), ranks[key])
		}
		out = append(out, row)
	}
	return out
}

func compareRows(a, b []any, order []plan.Order) int {
	for _, o := range order {
		x, y := a[o.Column], b[o.Column]
		way := 0
		switch {
		case x == nil && y == nil:
		case x == nil || y == nil:
			way = 1
			if (x == nil) == o.NullsFirst {
				way = -1
			}
			return way
		default:
			if s, ok := x.(string); ok {
				way = strings.Compare(s, y.(string))
			} else {
				way = cmp.Compare(x.(int64), y.(int64))
			}
		}
		if o.Descending {
			way = -way
		}
		if way != 0 {
			return way
		}
	}
	return 0
}
