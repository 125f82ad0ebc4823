package jobgraph

import (
	"fmt"
	"reflect"

	"millrace/types"
)

// OperatorSpec describes an operator.
type OperatorSpec struct {
	UID  types.OperatorUID
	Name string
	Body OperatorBody
}

// OperatorBody says what an operator does; each kind of operator has a type of its own, such as *CalcSpec. What this
// package has to know of a kind stands beside its type.
type OperatorBody interface {
	// kind returns the operator's kind, whatever the receiver.
	kind() OperatorKind
	// inputs returns how many inputs the operator takes.
	inputs() (least, most int)
	// output returns the schema of the main output of a description that was checked.
	output(in []*types.Schema) (*types.Schema, error)
	// passes returns which column of which input comes out unchanged, in every row, as a column of the main
	// output; false where none does.
	passes(column int) (input, from int, ok bool)
	// check reports what is wrong with the description over its inputs, of which those that are not known are
	// nil, and returns the schema of the main output, nil where it is not known.
	check(c *operatorCheck, in []*types.Schema) *types.Schema
	// explain tells people what the operator does.
	explain(e *explainer, in []*types.Schema)
}

// sided is an operator with side outputs.
type sided interface {
	// sides returns their schemas, by ports 1, 2, ...; those that are not known are nil.
	sides(in []*types.Schema) []*types.Schema
}

// OperatorKind names a kind of operator.
type OperatorKind string

// The operator kinds.
const (
	KindCalc                OperatorKind = "calc"
	KindWindowAggregate     OperatorKind = "window-aggregate"
	KindLocalAggregate      OperatorKind = "local-aggregate"
	KindGroupAggregate      OperatorKind = "group-aggregate"
	KindLocalGroupAggregate OperatorKind = "local-group-aggregate"
	KindWindowAssign        OperatorKind = "window-assign"
	KindOverAggregate       OperatorKind = "over-aggregate"
	KindExpand              OperatorKind = "expand"
	KindUnion               OperatorKind = "union"
	KindJoin                OperatorKind = "join"
	KindIntervalJoin        OperatorKind = "interval-join"
	KindWindowJoin          OperatorKind = "window-join"
	KindTemporalJoin        OperatorKind = "temporal-join"
	KindLookupJoin          OperatorKind = "lookup-join"
	KindCorrelate           OperatorKind = "correlate"
	KindUnknown             OperatorKind = "unknown"

	KindRank               OperatorKind = "rank"
	KindDeduplicate        OperatorKind = "deduplicate"
	KindChangelogNormalize OperatorKind = "changelog-normalize"
	KindSinkMaterialize    OperatorKind = "sink-materialize"
	KindSort               OperatorKind = "sort"
	KindLimit              OperatorKind = "limit"
	KindDropUpdateBefore   OperatorKind = "drop-update-before"

	KindNative OperatorKind = "native"
)

// Kind returns the kind of the body, KindUnknown where there is none.
func (o *OperatorSpec) Kind() OperatorKind {
	if o.Body == nil || reflect.ValueOf(o.Body).IsNil() {
		return KindUnknown
	}
	return o.Body.kind()
}

// OutputSchema returns the schema of an operator's main output over its inputs.
// The descriptions are trusted: Validate has checked them.
func OutputSchema(o *OperatorSpec, inputs []*types.Schema) (*types.Schema, error) {
	if len(inputs) == 0 {
		return nil, fmt.Errorf("operator %s has no input", o.UID)
	}
	if o.Kind() == KindUnknown {
		return nil, fmt.Errorf("operator %s has no description", o.UID)
	}
	return o.Body.output(inputs)
}

// SideSchemas returns the schemas of an operator's side outputs.
func SideSchemas(o *OperatorSpec, inputs []*types.Schema) []*types.Schema {
	if s, ok := o.Body.(sided); ok && o.Kind() != KindUnknown {
		return s.sides(inputs)
	}
	return nil
}

// operatorCheck is the validator at one operator.
type operatorCheck struct {
	*validator
	vertex   int // its position in the graph
	operator int // its position in the chain
	id       types.VertexID
	field    string // of the description
}

// addf reports a problem of a field of the description; "" is the description itself.
func (c *operatorCheck) addf(field, format string, args ...any) {
	c.add(c.id, c.at(field), format, args...)
}

func (c *operatorCheck) at(field string) string {
	if field == "" {
		return c.field
	}
	return c.field + "." + field
}
