package jobgraph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/expr"
	"millrace/internal/failure"
	"millrace/internal/options"
	"millrace/types"
)

// operator checks operator k of vertex i over its inputs and returns the schema
// of its output, nil where that is not known.
func (v *validator) operator(i, k int, in []*types.Schema) *types.Schema {
	x := &v.g.Vertices[i]
	o := &x.Operators[k]
	field := fmt.Sprintf("operators[%d]", k)
	kind := o.Kind()
	if kind == KindUnknown {
		v.add(x.ID, field, "operator has no or several descriptions")
		return nil
	}
	if !slices.Contains(v.known.Operators(), kind) {
		v.unknown(x.ID, field, "operator kind", string(kind), kindNames(v.known.Operators()))
	}
	switch kind {
	case KindCalc:
		return v.calc(x.ID, field+".calc", o.Calc, in[0])
	case KindUnion:
		return in[0]
	case KindLocalAggregate:
		return v.local(x.ID, field+".local_aggregate", o, in[0])
	default:
		return v.windowAggregate(i, k, field+".window_aggregate", in[0])
	}
}

func (v *validator) calc(vertex types.VertexID, field string, c *CalcSpec, in *types.Schema) *types.Schema {
	if c.Filter != nil && v.expr(vertex, field+".filter", c.Filter, in) {
		if t := c.Filter.Type(); t.Kind != types.Boolean {
			v.add(vertex, field+".filter", "is %s, want BOOLEAN", t)
		}
	}
	if len(c.Columns) == 0 {
		v.add(vertex, field+".columns", "there are none")
		return nil
	}
	if !v.atMost(vertex, field+".columns", len(c.Columns), ColumnsMax) {
		return nil
	}
	fields := make([]types.Field, len(c.Columns))
	whole := true
	for i, p := range c.Columns {
		if !v.expr(vertex, fmt.Sprintf("%s.columns[%d].expr", field, i), p.Expr, in) {
			whole = false
			continue
		}
		fields[i] = types.Field{Name: p.Name, Type: p.Expr.Type()}
	}
	return v.derived(vertex, field+".columns", types.NewSchema(fields...), whole)
}

// derived checks the names and types of an operator's output. A part of it that
// is not known makes the whole unknown.
func (v *validator) derived(vertex types.VertexID, field string, s *types.Schema, whole bool) *types.Schema {
	if !whole {
		return nil
	}
	if err := s.Validate(); err != nil {
		v.add(vertex, field, "%s", err)
		return nil
	}
	return s
}

// expr checks a tree and reports whether it can be asked for its type. Where the
// schema of the input is not known, what the tree says of itself is believed.
func (v *validator) expr(vertex types.VertexID, field string, e expr.Expr, in *types.Schema) bool {
	if !present(e) {
		v.add(vertex, field, "is missing")
		return false
	}
	if in == nil {
		return true
	}
	for _, err := range expr.Check(e, in, v.known.Functions()) {
		m := failure.Message{Vertex: string(vertex), Field: field, Primary: err.Error()}
		if path, text, ok := strings.Cut(m.Primary, ": "); ok && strings.HasPrefix(path, "expression") {
			m.Field, m.Primary = field+strings.TrimPrefix(path, "expression"), text
		}
		m.Hint = v.functionHint(m.Primary)
		v.problems.Add(m)
	}
	return true
}

// present tells whether there is a node at the root.
func present(e expr.Expr) bool {
	switch e := e.(type) {
	case *expr.Column:
		return e != nil
	case *expr.Literal:
		return e != nil
	case *expr.Call:
		return e != nil
	case *expr.Cast:
		return e != nil
	case *expr.Case:
		return e != nil
	default:
		return false
	}
}

// functionHint returns what to do about an unknown function, by the text of the
// problem; nothing for other problems.
func (v *validator) functionHint(text string) string {
	quoted, ok := strings.CutPrefix(text, "no function ")
	if !ok {
		return ""
	}
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return ""
	}
	if near, ok := options.Nearest(strings.ToUpper(name), v.known.Functions().Names()); ok {
		return "did you mean " + near + "?"
	}
	return ""
}

// local checks a LocalAggregate.
func (v *validator) local(vertex types.VertexID, field string, o *OperatorSpec, in *types.Schema) *types.Schema {
	w := o.LocalAggregate
	if w.Partial || w.LateOutput {
		v.add(vertex, field, "a local aggregate can have neither partial nor late_output")
	}
	if !v.window(vertex, field, w, in) || in == nil {
		return nil
	}
	s, err := PartialSchema(w, in)
	if err != nil {
		v.add(vertex, field, "%s", err)
		return nil
	}
	return v.derived(vertex, field, s, true)
}

// windowAggregate checks a WindowAggregate, its partner if it has one, and that
// the rows of one key meet in one subtask.
func (v *validator) windowAggregate(i, k int, field string, in *types.Schema) *types.Schema {
	x := &v.g.Vertices[i]
	w := x.Operators[k].WindowAggregate
	if w.LateOutput && k != len(x.Operators)-1 {
		v.add(x.ID, field+".late_output", "only the last operator of a vertex can have it")
	}
	raw := in
	if w.Partial {
		raw = v.partial(i, k, field, in)
	}
	if !v.window(x.ID, field, w, raw) || raw == nil {
		return nil
	}
	v.keyed(i, k, field, w)
	s, err := windowSchema(w, raw)
	if err != nil {
		v.add(x.ID, field, "%s", err)
		return nil
	}
	return v.derived(x.ID, field, s, true)
}

// partial checks what goes with Partial and returns the raw input's schema.
func (v *validator) partial(i, k int, field string, in *types.Schema) *types.Schema {
	x := &v.g.Vertices[i]
	w := x.Operators[k].WindowAggregate
	if w.LateOutput {
		v.add(x.ID, field+".late_output", "needs raw input: it can't go with partial")
	}
	if !v.schema(x.ID, field+".input", w.Input) {
		return nil
	}
	found := v.problems.Len()
	for _, p := range v.producers(i, k, make(map[spot]bool)) {
		l := p.operator(v.g)
		switch {
		case l == nil || l.LocalAggregate == nil:
			v.add(x.ID, field+".partial", "the input from %s is not of a local aggregate", v.g.Vertices[p.vertex].ID)
		case !sameAggregate(l.LocalAggregate, w):
			v.add(x.ID, field+".partial", "keys, time, window or aggregates differ from those of the local aggregate %s", l.UID)
		}
	}
	if in == nil || v.problems.Len() > found || !v.windowFits(w, w.Input) {
		return w.Input
	}
	if want, err := PartialSchema(w, w.Input); err == nil && !want.Equal(in) {
		v.add(x.ID, field+".input", "a local aggregate over it gives %s, but what comes is %s", want, in)
	}
	return w.Input
}

// windowFits tells, without reporting, whether the columns of a spec exist.
func (v *validator) windowFits(w *WindowAggregateSpec, raw *types.Schema) bool {
	quiet := &validator{g: v.g, known: v.known}
	return quiet.window("", "", w, raw)
}

func sameAggregate(a, b *WindowAggregateSpec) bool {
	return slices.Equal(a.Keys, b.Keys) && a.Time == b.Time && a.Window == b.Window &&
		slices.EqualFunc(a.Aggregates, b.Aggregates, func(x, y AggregateCall) bool {
			return strings.EqualFold(x.Func, y.Func) && x.Arg == y.Arg
		})
}

// window checks what both aggregates share against the raw input's schema, nil
// where that is not known, and reports whether it stands.
func (v *validator) window(vertex types.VertexID, field string, w *WindowAggregateSpec, raw *types.Schema) bool {
	found := v.problems.Len()
	v.keys(vertex, field+".keys", w.Keys, raw)
	v.windowSpec(vertex, field+".window", w.Window)
	if raw != nil && v.column(vertex, field+".time", w.Time, raw) {
		f := raw.Fields[w.Time]
		if f.Type.Kind != types.Timestamp || f.Type.Unit() != types.Millis {
			v.add(vertex, field+".time", "column %s must be a TIMESTAMP of precision 0 to 3, not %s", f.Name, f.Type)
		}
	}
	if v.atMost(vertex, field+".aggregates", len(w.Aggregates), AggregatesMax) {
		for i, a := range w.Aggregates {
			v.aggregate(vertex, fmt.Sprintf("%s.aggregates[%d]", field, i), a, raw)
		}
	}
	return v.problems.Len() == found
}

func (v *validator) windowSpec(vertex types.VertexID, field string, w WindowSpec) {
	switch {
	case w.Size < time.Millisecond || w.Size%time.Millisecond != 0 || w.Size > IntervalMax:
		v.add(vertex, field+".size", "%s is not a whole number of milliseconds from 1 ms to %s", w.Size, IntervalMax)
	case w.Offset%time.Millisecond != 0 || w.Offset >= w.Size || w.Offset <= -w.Size:
		v.add(vertex, field+".offset", "%s is not a whole number of milliseconds less than the size, %s, either way", w.Offset, w.Size)
	}
}

var aggregateNames = []string{"AVG", "COUNT", "MAX", "MIN", "SUM"}

func (v *validator) aggregate(vertex types.VertexID, field string, a AggregateCall, raw *types.Schema) {
	name := strings.ToUpper(a.Func)
	if a.Name == "" {
		v.add(vertex, field+".name", "is empty")
	}
	if !slices.Contains(aggregateNames, name) {
		v.unknown(vertex, field+".func", "aggregate function", a.Func, aggregateNames)
		return
	}
	if a.Arg == CountStar {
		if name != "COUNT" {
			v.add(vertex, field+".arg", "%s needs a column", name)
		}
		return
	}
	if raw == nil || !v.column(vertex, field+".arg", a.Arg, raw) {
		return
	}
	if _, err := expr.AggregateType(name, raw.Fields[a.Arg].Type); err != nil {
		v.add(vertex, field+".arg", "%s", err)
	}
}
