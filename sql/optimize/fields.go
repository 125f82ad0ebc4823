package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/sql/plan"
	"millrace/types"
)

// narrowRows lets scans read those fields of ROW columns alone that somebody asks for, as far as projections, conditions and
// watermarks pass such a column on. What else is done with a ROW takes all of it.
func (o *optimizer) narrowRows(roots []plan.Node) []plan.Node {
	if o.ReadsFields == nil {
		return roots
	}
	f := &fielder{optimizer: o, asked: make(map[plan.Node][]fieldSet), built: make(map[plan.Node]narrowed)}
	order := inOrder(roots)
	for _, n := range slices.Backward(order) {
		f.ask(n)
	}
	for _, n := range order {
		f.built[n] = f.build(n)
	}
	out := make([]plan.Node, len(roots))
	for i, r := range roots {
		out[i] = f.built[r].node
	}
	return out
}

// fieldSet is what is asked of a column: all of it, or fields of a ROW.
type fieldSet struct {
	whole  bool
	fields []bool
}

// narrowed is a node and, for each column, the fields of its ROW that are still there; nil: the column is as it was.
type narrowed struct {
	node plan.Node
	kept [][]int
}

type fielder struct {
	*optimizer
	asked map[plan.Node][]fieldSet
	built map[plan.Node]narrowed
}

// of returns what is asked of a node's columns, to be added to.
func (f *fielder) of(n plan.Node) []fieldSet {
	if s, ok := f.asked[n]; ok {
		return s
	}
	s := make([]fieldSet, len(n.Schema()))
	for i, c := range n.Schema() {
		s[i].fields = make([]bool, len(c.Type.Fields))
	}
	f.asked[n] = s
	return s
}

// add asks what another column is asked.
func (s *fieldSet) add(o fieldSet) {
	s.whole = s.whole || o.whole
	for i, asked := range o.fields {
		s.fields[i] = s.fields[i] || asked
	}
}

// ask adds what a node needs of its inputs' columns.
func (f *fielder) ask(n plan.Node) {
	mine := f.of(n)
	switch n := n.(type) {
	case *plan.Project:
		in := f.of(n.Input)
		for i, e := range n.Columns {
			if c, ok := e.(*expr.Column); ok {
				in[c.Index].add(mine[i])
				continue
			}
			askExpr(e, in)
		}
	case *plan.Filter:
		in := f.of(n.Input)
		for i := range mine {
			in[i].add(mine[i])
		}
		askExpr(n.Condition, in)
	case *plan.Watermark:
		in := f.of(n.Input)
		for i := range mine {
			in[i].add(mine[i])
		}
		in[n.Column].whole = true
	default:
		for _, input := range n.Inputs() {
			in := f.of(input)
			for i := range in {
				in[i].whole = true
			}
		}
	}
}

// fieldOf takes an expression for the access to a field of a column.
func fieldOf(e expr.Expr) (c *expr.Column, field int, ok bool) {
	call, is := e.(*expr.Call)
	if !is || call.Func != "GET" {
		return nil, 0, false
	}
	c, is = call.Args[0].(*expr.Column)
	l, constant := call.Args[1].(*expr.Literal)
	if !is || !constant {
		return nil, 0, false
	}
	v, ok := l.Value.(int64)
	return c, int(v), ok
}

// ofPresence takes an expression for one that asks whether a column is NULL, and nothing else.
func ofPresence(e expr.Expr) (c *expr.Column, ok bool) {
	call, is := e.(*expr.Call)
	if !is || call.Func != "IS NULL" && call.Func != "IS NOT NULL" {
		return nil, false
	}
	c, ok = call.Args[0].(*expr.Column)
	return c, ok && c.T.Kind == types.Row
}

// askExpr adds what an expression reads.
func askExpr(e expr.Expr, in []fieldSet) {
	expr.Walk(e, func(e expr.Expr) bool {
		if c, field, ok := fieldOf(e); ok {
			in[c.Index].fields[field] = true
			return false
		}
		if _, ok := ofPresence(e); ok {
			return false // a ROW of any of its fields tells
		}
		if c, ok := e.(*expr.Column); ok {
			in[c.Index].whole = true
		}
		return true
	})
}

func (f *fielder) build(n plan.Node) narrowed {
	switch n := n.(type) {
	case *plan.Scan:
		return f.buildScan(n)
	case *plan.Project:
		return f.buildProject(n)
	case *plan.Filter:
		in := f.built[n.Input]
		return narrowed{&plan.Filter{Input: in.node, Condition: f.rewritten(n.Condition, in)}, in.kept}
	case *plan.Watermark:
		in := f.built[n.Input]
		c := *n
		c.Input, c.Result = in.node, slices.Clone(in.node.Schema())
		c.Result[c.Column].Time = plan.EventTime
		return narrowed{&c, in.kept}
	default:
		same := withInputs(n, func(in plan.Node) plan.Node { return f.built[in].node })
		return narrowed{same, make([][]int, len(n.Schema()))}
	}
}

func (f *fielder) buildScan(n *plan.Scan) narrowed {
	out := narrowed{node: n, kept: make([][]int, len(n.Result))}
	if !f.ReadsFields(n) {
		return out
	}
	c := *n
	c.Result = slices.Clone(n.Result)
	for i, asked := range f.of(n) {
		t := n.Result[i].Type
		if t.Kind != types.Row || asked.whole {
			continue
		}
		var kept []int
		for k, is := range asked.fields {
			if is {
				kept = append(kept, k)
			}
		}
		if len(kept) == 0 {
			kept = []int{0}
		}
		if len(kept) < len(t.Fields) {
			out.kept[i], c.Result[i].Type = kept, withFields(t, kept)
		}
	}
	out.node = &c
	return out
}

// withFields returns the ROW type with some of its fields.
func withFields(t types.Type, kept []int) types.Type {
	fields := make([]types.Field, len(kept))
	for i, k := range kept {
		fields[i] = t.Fields[k]
	}
	t.Fields = fields
	return t
}

func (f *fielder) buildProject(n *plan.Project) narrowed {
	in := f.built[n.Input]
	c := &plan.Project{Input: in.node, Columns: make([]expr.Expr, len(n.Columns)), Result: slices.Clone(n.Result)}
	kept := make([][]int, len(n.Columns))
	for i, e := range n.Columns {
		if ref, ok := e.(*expr.Column); ok {
			kept[i] = in.kept[ref.Index]
		}
		c.Columns[i] = f.rewritten(e, in)
		c.Result[i].Type = c.Columns[i].Type()
	}
	return narrowed{c, kept}
}

// rewritten returns an expression over columns of which some have fewer fields.
func (f *fielder) rewritten(e expr.Expr, in narrowed) expr.Expr {
	if c, field, ok := fieldOf(e); ok && in.kept[c.Index] != nil {
		call := e.(*expr.Call)
		at := *call.Args[1].(*expr.Literal)
		at.Value = int64(slices.Index(in.kept[c.Index], field))
		return &expr.Call{Func: call.Func, Args: []expr.Expr{in.ref(c), &at}, T: call.T}
	}
	switch e := e.(type) {
	case *expr.Column:
		return in.ref(e)
	case *expr.Call:
		args := make([]expr.Expr, len(e.Args))
		for i, a := range e.Args {
			args[i] = f.rewritten(a, in)
		}
		return &expr.Call{Func: e.Func, Args: args, T: e.T}
	case *expr.Cast:
		return &expr.Cast{X: f.rewritten(e.X, in), To: e.To, Try: e.Try}
	case *expr.Case:
		out := &expr.Case{T: e.T}
		for _, w := range e.Whens {
			out.Whens = append(out.Whens, expr.When{If: f.rewritten(w.If, in), Then: f.rewritten(w.Then, in)})
		}
		if e.Else != nil {
			out.Else = f.rewritten(e.Else, in)
		}
		return out
	default:
		return e
	}
}

// ref returns the column as it is now.
func (b narrowed) ref(c *expr.Column) *expr.Column {
	if b.kept[c.Index] == nil {
		return c
	}
	return &expr.Column{Index: c.Index, Name: c.Name, T: b.node.Schema()[c.Index].Type}
}
