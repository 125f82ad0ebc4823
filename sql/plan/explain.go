package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Explain prints plans as indented trees: one node a line, inputs below it, expressions by the names of columns. A node that
// is met more than once has a number where it stands first (#1 = ...) and is that number afterwards; numbers go through all
// plans given. Equal plans have equal texts.
func Explain(roots ...Node) string {
	e := explainer{uses: make(map[Node]int), numbers: make(map[Node]int)}
	for _, r := range roots {
		e.count(r)
	}
	for _, r := range roots {
		e.node(r, 0)
	}
	return e.out.String()
}

type explainer struct {
	out     strings.Builder
	uses    map[Node]int // how many nodes read one
	numbers map[Node]int // of the shared nodes that are printed
}

func (e *explainer) count(n Node) {
	e.uses[n]++
	if e.uses[n] > 1 {
		return
	}
	for _, in := range n.Inputs() {
		e.count(in)
	}
}

func (e *explainer) node(n Node, depth int) {
	e.out.WriteString(strings.Repeat("  ", depth))
	if number, printed := e.numbers[n]; printed {
		fmt.Fprintf(&e.out, "#%d\n", number)
		return
	}
	if e.uses[n] > 1 {
		e.numbers[n] = len(e.numbers) + 1
		fmt.Fprintf(&e.out, "#%d = ", e.numbers[n])
	}
	e.out.WriteString(Line(n))
	e.out.WriteByte('\n')
	for _, in := range n.Inputs() {
		e.node(in, depth+1)
	}
}

// Line prints a node without its inputs: Filter(price > 5).
func Line(n Node) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", n), "*plan.")
	parts := slices.DeleteFunc(describe(n), func(s string) bool { return s == "" })
	return name + "(" + strings.Join(parts, ", ") + ")"
}

func describe(n Node) []string {
	switch n := n.(type) {
	case *Scan:
		return []string{n.Path.String(), labelled("columns", list(schemaNames(n.Result))), hints(n.Hints)}
	case *Values:
		return describeValues(n)
	case *Project:
		return describeProject(n)
	case *Filter:
		return []string{exprText(n.Condition, namesOf(n.Input))}
	case *Watermark:
		return []string{namesOf(n.Input)[n.Column] + " - " + n.Delay.String()}
	case *Aggregate:
		return describeAggregate(n)
	case *WindowTable:
		return []string{windowText(&n.Window, namesOf(n.Input))}
	case *Join:
		return describeJoin(n)
	case *TemporalJoin:
		names := pairNames(n.Left, n.Right)
		return []string{string(n.Kind), labelled("time", names[n.Time]), keysText(n.Keys, n.Left, n.Right), labelled("on", conditionText(n.Condition, names)), hintList(n.Hints)}
	case *Correlate:
		args := make([]string, len(n.Args))
		for i, a := range n.Args {
			args[i] = exprText(a, namesOf(n.Input))
		}
		return []string{string(n.Kind), n.Func + "(" + strings.Join(args, ", ") + ")", when(n.Ordinality, "with ordinality")}
	case *Over:
		return describeOver(n)
	case *Set:
		return []string{string(n.Kind) + when(n.All, " ALL")}
	case *Sort:
		return describeSort(n)
	case *Sink:
		return describeSink(n)
	default:
		return describeOptimized(n)
	}
}

func describeValues(n *Values) []string {
	rows := make([]string, len(n.Rows))
	for i, row := range n.Rows {
		cells := make([]string, len(row))
		for j, c := range row {
			cells[j] = exprText(c, nil)
		}
		rows[i] = "(" + strings.Join(cells, ", ") + ")"
	}
	return rows
}

func describeProject(n *Project) []string {
	names := namesOf(n.Input)
	out := make([]string, len(n.Columns))
	for i, c := range n.Columns {
		out[i] = exprText(c, names)
		if as := nameText(n.Result[i].Name); out[i] != as {
			out[i] += " AS " + as
		}
	}
	return out
}

func describeAggregate(n *Aggregate) []string {
	names := namesOf(n.Input)
	out := []string{labelled("keys", columnList(n.Keys, names))}
	if n.Sets != nil {
		sets := make([]string, len(n.Sets))
		for i, s := range n.Sets {
			keys := make([]string, len(s))
			for j, k := range s {
				keys[j] = names[n.Keys[k]]
			}
			sets[i] = list(keys)
		}
		out = append(out, labelled("sets", list(sets)))
	}
	if n.Window != nil {
		out = append(out, labelled("window", windowText(n.Window, names)))
	}
	for _, p := range n.Properties {
		out = append(out, p.String())
	}
	out = append(out, callTexts(n.Calls, names)...)
	return append(out, hintList(n.Hints))
}

func describeJoin(n *Join) []string {
	names := pairNames(n.Left, n.Right)
	return []string{
		string(n.Kind), keysText(n.Keys, n.Left, n.Right), joinWindowText(n, names), joinIntervalText(n, names),
		labelled("on", conditionText(n.Condition, names)), when(n.NullAware, "null aware"),
		when(n.Single, "single"), hintList(n.Hints),
	}
}

func describeOver(n *Over) []string {
	names := namesOf(n.Input)
	out := []string{labelled("partition", columnList(n.Partition, names)), labelled("order", orderText(n.Order, names)), n.Frame.String()}
	return append(out, callTexts(n.Calls, names)...)
}

func describeSort(n *Sort) []string {
	out := []string{labelled("order", orderText(n.Order, namesOf(n.Input)))}
	if n.Limit >= 0 {
		out = append(out, fmt.Sprintf("limit=%d", n.Limit))
	}
	if n.Offset > 0 {
		out = append(out, fmt.Sprintf("offset=%d", n.Offset))
	}
	return out
}

func describeSink(n *Sink) []string {
	names := make([]string, len(n.Columns))
	for i, c := range n.Columns {
		names[i] = n.Table.Columns[c].Name
	}
	values := make([]string, len(n.Partition))
	for i, e := range n.Partition {
		values[i] = n.Table.PartitionedBy[i] + " = " + exprText(e, nil)
	}
	partition := ""
	if len(values) > 0 {
		partition = "partition=" + list(values)
	}
	return []string{n.Path.String(), labelled("columns", list(names)), when(n.Overwrite, "overwrite"), partition, hints(n.Hints)}
}

// callTexts prints calls: SUM(DISTINCT a) FILTER (WHERE b) AS c.
func callTexts(calls []Call, names []string) []string {
	out := make([]string, len(calls))
	for i, c := range calls {
		args := pick(c.Args, names)
		if len(args) == 0 && c.Func == "COUNT" {
			args = []string{"*"}
		}
		if c.Offset != 0 {
			args = slices.Insert(args, min(1, len(args)), strconv.FormatInt(c.Offset, 10))
		}
		if c.Text != "" {
			args = append(args, "'"+strings.ReplaceAll(c.Text, "'", "''")+"'")
		}
		out[i] = c.Func + "(" + when(c.Distinct, "DISTINCT ") + strings.Join(args, ", ") + ")"
		if c.Filter != NoColumn {
			out[i] += " FILTER (WHERE " + names[c.Filter] + ")"
		}
		if c.Set != 0 {
			out[i] += " IN SET " + strconv.Itoa(c.Set)
		}
		out[i] += " AS " + c.Name
	}
	return out
}

func windowText(w *Window, names []string) string {
	if w.Kind == Attached {
		return string(w.Kind) + "(" + names[w.Start] + ", " + names[w.End] + ")"
	}
	parts := []string{names[w.Time], w.Size.String()}
	if w.Step != 0 {
		parts = append(parts, "step "+w.Step.String())
	}
	if w.Offset != 0 {
		parts = append(parts, "offset "+w.Offset.String())
	}
	if len(w.Keys) > 0 {
		parts = append(parts, "by "+columnList(w.Keys, names))
	}
	return string(w.Kind) + "(" + strings.Join(parts, ", ") + ")"
}

func orderText(order []Order, names []string) string {
	if len(order) == 0 {
		return ""
	}
	out := make([]string, len(order))
	for i, o := range order {
		out[i] = names[o.Column] + when(o.Descending, " DESC")
		if o.NullsFirst == o.Descending {
			out[i] += when(o.NullsFirst, " NULLS FIRST") + when(!o.NullsFirst, " NULLS LAST")
		}
	}
	return list(out)
}

// String prints the frame as SQL has it.
func (f Frame) String() string {
	unit, bound := "ROWS ", strconv.FormatInt(f.Preceding, 10)
	if f.Range {
		unit, bound = "RANGE ", (time.Duration(f.Preceding) * time.Millisecond).String()
	}
	switch {
	case f.Unbounded:
		bound = "UNBOUNDED PRECEDING"
	case f.Preceding == 0:
		bound = "CURRENT ROW"
	default:
		bound += " PRECEDING"
	}
	return unit + bound
}

// String returns the name that Flink gives the column.
func (p WindowProperty) String() string {
	return [...]string{"window_start", "window_end", "window_time"}[min(p, WindowTime)]
}

// String prints the columns as a table is created with, times with Flink's marks.
func (s Schema) String() string {
	out := make([]string, len(s))
	for i, c := range s {
		out[i] = nameText(c.Name) + " " + c.Type.String() + when(c.Time == EventTime, " *ROWTIME*") + when(c.Time == ProcessingTime, " *PROCTIME*")
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// namesOf returns the columns of a node's result as they are printed: quoted where SQL has to, and unique.
func namesOf(n Node) []string { return schemaNames(n.Schema()) }

// pairNames returns the columns of two inputs side by side.
func pairNames(left, right Node) []string {
	return schemaNames(slices.Concat(left.Schema(), right.Schema()))
}

func schemaNames(s Schema) []string {
	out := make([]string, len(s))
	taken := make(map[string]bool, len(s))
	for i, c := range s {
		out[i] = nameText(unique(c.Name, taken))
	}
	return out
}

func pick(columns []int, names []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = names[c]
	}
	return out
}

func columnList(columns []int, names []string) string {
	if len(columns) == 0 {
		return ""
	}
	return list(pick(columns, names))
}

func list(parts []string) string { return "[" + strings.Join(parts, ", ") + "]" }

func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return label + "=" + text
}

func when(cond bool, text string) string {
	if cond {
		return text
	}
	return ""
}

func hints(options map[string]string) string {
	if len(options) == 0 {
		return ""
	}
	return labelled("hints", list(hintOptions(options)))
}

func hintOptions(options map[string]string) []string {
	out := make([]string, 0, len(options))
	for k, v := range options {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}

func hintList(hs []Hint) string {
	if len(hs) == 0 {
		return ""
	}
	out := make([]string, len(hs))
	for i, h := range hs {
		out[i] = h.Name + "(" + strings.Join(hintOptions(h.Options), ", ") + ")"
	}
	return labelled("hints", list(out))
}
