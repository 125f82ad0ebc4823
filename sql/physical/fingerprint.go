package physical

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

// fingerprints tell what parts of plans mean, whatever else the plan has and in which columns it stands: of a column, how it
// is computed of columns of tables; of a relation, which rows it has. So what reads more or fewer columns of a table keeps the
// uids of its operators, and with them its state.
type fingerprints struct {
	nodes   map[plan.Node]string
	columns map[plan.Node][]string
}

func newFingerprints() *fingerprints {
	return &fingerprints{nodes: make(map[plan.Node]string), columns: make(map[plan.Node][]string)}
}

// digest is a short text for a list of texts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// node returns the fingerprint of a relation.
func (f *fingerprints) node(n plan.Node) string {
	if _, ok := f.nodes[n]; !ok {
		f.nodes[n], f.columns[n] = f.of(n)
	}
	return f.nodes[n]
}

// columnsOf returns the fingerprints of a relation's columns.
func (f *fingerprints) columnsOf(n plan.Node) []string {
	f.node(n)
	return f.columns[n]
}

// of makes the fingerprints of a relation and its columns.
func (f *fingerprints) of(n plan.Node) (node string, columns []string) {
	switch n := n.(type) {
	case *plan.Scan:
		node = digest("scan", n.Path.String())
		for _, c := range n.Result {
			columns = append(columns, digest("column", node, c.Name))
		}
		return node, columns
	case *plan.Project: // computes columns and leaves the rows as they are
		for _, e := range n.Columns {
			columns = append(columns, f.expr(e, f.columnsOf(n.Input)))
		}
		return f.node(n.Input), columns
	case *plan.Filter:
		return digest("filter", f.node(n.Input), f.condition(n.Condition, f.columnsOf(n.Input))), f.columnsOf(n.Input)
	case *plan.Watermark: // how late rows may be is no matter of what they are
		return digest("watermark", f.node(n.Input), f.columnsOf(n.Input)[n.Column]), f.columnsOf(n.Input)
	case *plan.Sink:
		return digest("sink", n.Path.String()), f.columnsOf(n.Input)
	case *plan.Aggregate:
		return f.aggregate(n)
	case *plan.Rank:
		return f.rank(n)
	case *plan.Deduplicate:
		in := f.columnsOf(n.Input)
		return digest("deduplicate", f.node(n.Input), picked(n.Keys, in), picked([]int{n.Time, n.WindowEnd}, in), strconv.FormatBool(n.KeepLast)), in
	case *plan.Join:
		return f.join(n)
	case *plan.TemporalJoin:
		return f.temporal(n)
	case *plan.Over:
		return f.over(n)
	case *plan.Sort:
		in := f.columnsOf(n.Input)
		return digest("sort", f.node(n.Input), ordered(n.Order, in), fmt.Sprint(n.Limit, n.Offset)), in
	case *plan.Set:
		return f.set(n)
	default:
		return f.other(n)
	}
}

// other takes a node by the text that explains it, which is stable as long as nothing below changes.
func (f *fingerprints) other(n plan.Node) (node string, columns []string) {
	parts := []string{plan.Line(n)}
	for _, in := range n.Inputs() {
		parts = append(parts, f.node(in))
	}
	node = digest(parts...)
	return node, f.numbered(node, len(n.Schema()))
}

func (f *fingerprints) numbered(node string, n int) (out []string) {
	for i := range n {
		out = append(out, digest("column", node, strconv.Itoa(i)))
	}
	return out
}

// picked returns the fingerprints of some columns as one text.
func picked(columns []int, of []string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		if c != plan.NoColumn {
			out[i] = of[c]
		}
	}
	return strings.Join(out, ",")
}

func (f *fingerprints) aggregate(n *plan.Aggregate) (node string, columns []string) {
	in := f.columnsOf(n.Input)
	parts := []string{"aggregate", f.node(n.Input), picked(n.Keys, in), fmt.Sprint(n.Sets)}
	if w := n.Window; w != nil {
		parts = append(parts, string(w.Kind), w.Size.String(), w.Step.String(), w.Offset.String(), picked(w.Keys, in))
		if w.Kind == plan.Attached {
			parts = append(parts, picked([]int{w.Start, w.End}, in))
		} else {
			parts = append(parts, in[w.Time])
		}
	}
	node = digest(append(parts, called(n.Calls, in)...)...)
	return node, f.numbered(node, len(n.Result))
}

// called returns what calls compute of columns, whatever they call it.
func called(calls []plan.Call, in []string) (out []string) {
	for _, c := range calls {
		out = append(out, c.Func, picked(c.Args, in), strconv.FormatBool(c.Distinct), picked([]int{c.Filter}, in), c.Text, strconv.FormatInt(c.Offset, 10))
		if c.Set != 0 {
			out = append(out, strconv.Itoa(c.Set))
		}
	}
	return out
}

// ordered returns an order of columns.
func ordered(order []plan.Order, in []string) string {
	var out []string
	for _, o := range order {
		out = append(out, in[o.Column], fmt.Sprint(o.Descending, o.NullsFirst))
	}
	return strings.Join(out, ",")
}

func (f *fingerprints) over(n *plan.Over) (node string, columns []string) {
	in := f.columnsOf(n.Input)
	parts := []string{"over", f.node(n.Input), picked(n.Partition, in), ordered(n.Order, in), fmt.Sprint(n.Frame)}
	node = digest(append(parts, called(n.Calls, in)...)...)
	return node, append(slices.Clone(in), f.numbered(node, len(n.Calls))...)
}

func (f *fingerprints) rank(n *plan.Rank) (node string, columns []string) {
	in := f.columnsOf(n.Input)
	parts := []string{"rank", f.node(n.Input), picked(n.Partition, in), fmt.Sprint(n.From, n.To, n.Number), picked([]int{n.ToColumn, n.WindowEnd}, in)}
	node = digest(append(parts, ordered(n.Order, in))...)
	columns = slices.Clone(in)
	if n.Number {
		columns = append(columns, digest("rank", node))
	}
	return node, columns
}

func (f *fingerprints) join(n *plan.Join) (node string, columns []string) {
	left, right := f.columnsOf(n.Left), f.columnsOf(n.Right)
	parts := []string{"join", string(n.Kind), f.node(n.Left), f.node(n.Right)}
	for _, k := range n.Keys {
		parts = append(parts, left[k.Left], right[k.Right], strconv.FormatBool(k.NullEquals))
	}
	if i := n.Interval; i != nil {
		parts = append(parts, left[i.LeftTime], right[i.RightTime], fmt.Sprint(i.Lower, i.Upper))
	}
	if w := n.Window; w != nil {
		parts = append(parts, left[w.LeftEnd], right[w.RightEnd])
	}
	return f.joined(parts, left, right, n.Condition, len(n.Result))
}

func (f *fingerprints) temporal(n *plan.TemporalJoin) (node string, columns []string) {
	left, right := f.columnsOf(n.Left), f.columnsOf(n.Right)
	parts := []string{"temporal join", string(n.Kind), f.node(n.Left), f.node(n.Right), left[n.Time]}
	for _, k := range n.Keys {
		parts = append(parts, left[k.Left], right[k.Right])
	}
	return f.joined(parts, left, right, n.Condition, len(n.Result))
}

// joined makes the fingerprints of a join of its parts. A table that is joined with itself has two columns of one fingerprint: the
// sides tell them apart.
func (f *fingerprints) joined(parts, left, right []string, condition expr.Expr, width int) (node string, columns []string) {
	both := make([]string, 0, len(left)+len(right))
	for _, c := range left {
		both = append(both, digest("left", c))
	}
	for _, c := range right {
		both = append(both, digest("right", c))
	}
	if condition != nil {
		parts = append(parts, f.condition(condition, both))
	}
	node = digest(parts...)
	for _, c := range both[:width] {
		columns = append(columns, digest(node, c))
	}
	return node, columns
}

func (f *fingerprints) set(n *plan.Set) (node string, columns []string) {
	parts := []string{string(n.Kind), strconv.FormatBool(n.All)}
	for i := range n.Result {
		of := []string{"set"}
		for _, in := range n.Of {
			of = append(of, f.columnsOf(in)[i])
		}
		columns = append(columns, digest(of...))
	}
	for _, in := range n.Of {
		parts = append(parts, f.node(in))
	}
	return digest(parts...), columns
}

// condition does not mind the order in which parts of a condition stand.
func (f *fingerprints) condition(e expr.Expr, in []string) string {
	var parts []string
	for _, c := range plan.Conjuncts(e) {
		parts = append(parts, f.expr(c, in))
	}
	slices.Sort(parts)
	return digest(parts...)
}

func (f *fingerprints) expr(e expr.Expr, in []string) string {
	switch e := e.(type) {
	case *expr.Column:
		return in[e.Index]
	case *expr.Literal:
		return digest("literal", e.T.AsNullable().String(), fmt.Sprintf("%T:%v", e.Value, e.Value))
	case *expr.Call:
		if name, ok := fieldName(e); ok { // where a field stands goes by which of them are read
			return digest("field", f.expr(e.Args[0], in), name)
		}
		parts := []string{"call", e.Func}
		for _, a := range e.Args {
			parts = append(parts, f.expr(a, in))
		}
		return digest(parts...)
	case *expr.Cast:
		return digest("cast", f.expr(e.X, in), e.To.AsNullable().String(), strconv.FormatBool(e.Try))
	case *expr.Case:
		parts := []string{"case"}
		for _, w := range e.Whens {
			parts = append(parts, f.expr(w.If, in), f.expr(w.Then, in))
		}
		if e.Else != nil {
			parts = append(parts, f.expr(e.Else, in))
		}
		return digest(parts...)
	default:
		return digest("nothing")
	}
}

// fieldName returns the name of the field of a ROW that a call gives.
func fieldName(e *expr.Call) (string, bool) {
	if e.Func != "GET" || len(e.Args) != 2 {
		return "", false
	}
	l, ok := e.Args[1].(*expr.Literal)
	if !ok {
		return "", false
	}
	i, ok := l.Value.(int64)
	fields := e.Args[0].Type().Fields
	if !ok || i < 0 || i >= int64(len(fields)) {
		return "", false
	}
	return fields[i].Name, true
}

// uidDigits is how much of a fingerprint stands in a uid.
const uidDigits = 12

// uid names a step: what it does, of what, and which of several that are alike.
func (p *planner) uid(s *step) types.OperatorUID {
	uid := types.OperatorUID(dashed(s.title()) + "-" + p.prints.node(s.of)[:uidDigits])
	p.ordinals[uid]++
	if n := p.ordinals[uid]; n > 1 {
		return types.OperatorUID(fmt.Sprintf("%s-%d", uid, n))
	}
	return uid
}

// dashed returns group-aggregate for GroupAggregate.
func dashed(title string) string {
	var out strings.Builder
	for i, r := range title {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('-')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
