package jobgraph

import (
	"fmt"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/types"
)

// AggregateCall is an aggregate function over a column.
type AggregateCall struct {
	Func string // COUNT, SUM, MIN, MAX, AVG
	Arg  int    // a column of the (raw) input; CountStar for COUNT(*)
	Name string // of the output column
}

// CountStar is the Arg of COUNT(*).
const CountStar = -1

var aggregateNames = []string{"AVG", "COUNT", "MAX", "MIN", "SUM"}

// field returns the output column of the call.
func (a *AggregateCall) field(in *types.Schema) (types.Field, error) {
	t, err := expr.AggregateType(strings.ToUpper(a.Func), a.argType(in))
	return types.Field{Name: a.Name, Type: t}, err
}

func (a *AggregateCall) argType(in *types.Schema) types.Type {
	if a.Arg == CountStar {
		return types.Of(types.BigInt).NotNull()
	}
	return in.Fields[a.Arg].Type
}

// text shows the call to people.
func (a *AggregateCall) text(in *types.Schema) string {
	arg := "*"
	if a.Arg != CountStar {
		arg = in.Fields[a.Arg].Name
	}
	return fmt.Sprintf("%s = %s(%s)", a.Name, strings.ToUpper(a.Func), arg)
}

// aggregates checks the calls over an input, nil where it is not known.
func (c *operatorCheck) aggregates(field string, calls []AggregateCall, in *types.Schema) {
	if !c.atMost(c.id, c.at(field), len(calls), AggregatesMax) {
		return
	}
	for i, a := range calls {
		c.aggregate(fmt.Sprintf("%s[%d]", field, i), a, in)
	}
}

func (c *operatorCheck) aggregate(field string, a AggregateCall, in *types.Schema) {
	name := strings.ToUpper(a.Func)
	if a.Name == "" {
		c.addf(field+".name", "is empty")
	}
	if !slices.Contains(aggregateNames, name) {
		c.unknown(c.id, c.at(field+".func"), "aggregate function", a.Func, aggregateNames)
		return
	}
	if a.Arg == CountStar {
		if name != "COUNT" {
			c.addf(field+".arg", "%s needs a column", name)
		}
		return
	}
	if in == nil || !c.column(c.id, c.at(field+".arg"), a.Arg, in) {
		return
	}
	if _, err := expr.AggregateType(name, in.Fields[a.Arg].Type); err != nil {
		c.addf(field+".arg", "%s", err)
	}
}
