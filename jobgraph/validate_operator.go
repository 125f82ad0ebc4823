package jobgraph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millrace/expr"
	"millrace/failure"
	"millrace/options"
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
		v.add(x.ID, field, "operator has no description")
		return nil
	}
	if !slices.Contains(v.known.Operators(), kind) {
		v.unknown(x.ID, field, "operator kind", string(kind), kindNames(v.known.Operators()))
	}
	least, most := o.Body.inputs()
	switch {
	case len(in) < least:
		v.add(x.ID, field, "a %s takes %d inputs, but has %d", kind, least, len(in))
		return nil
	case len(in) > most:
		v.add(x.ID, field, "a %s takes %s, but the vertex has %d", kind, inputsText(most), len(in))
	}
	name := strings.ReplaceAll(string(kind), "-", "_")
	return o.Body.check(&operatorCheck{validator: v, vertex: i, operator: k, id: x.ID, field: field + "." + name}, in)
}

func inputsText(n int) string {
	if n == 1 {
		return "one input"
	}
	return strconv.Itoa(n) + " inputs"
}

// schemaOf checks the names and types of an operator's output.
func (c *operatorCheck) schemaOf(s *types.Schema, err error) *types.Schema {
	if err != nil {
		c.addf("", "%s", err)
		return nil
	}
	return c.derived(c.id, c.field, s)
}

// derived checks a schema that follows from others.
func (v *validator) derived(vertex types.VertexID, field string, s *types.Schema) *types.Schema {
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
	for _, err := range expr.Check(e, in, v.calls) {
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
	if near, ok := options.Nearest(strings.ToUpper(name), v.calls.Names()); ok {
		return "did you mean " + near + "?"
	}
	return ""
}
