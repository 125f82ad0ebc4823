package expr

import (
	"fmt"
	"slices"
	"strings"

	"millrace/types"
)

// Aggregate is an aggregate function that Flink has.
type Aggregate struct {
	// Name is upper case.
	Name             string
	MinArgs, MaxArgs int
	// Doc is one sentence for the list of functions.
	Doc    string
	result func(args []types.Type) (types.Type, error)
}

// Aggregates returns the aggregate functions whose results are typed, in order
// of their names. Whether an operator computes one is the operator's to say:
// AggregateType knows those of all.
func Aggregates() []Aggregate {
	average := func(args []types.Type) (types.Type, error) { return AggregateType("AVG", args[0]) }
	table := []Aggregate{
		{"ARRAY_AGG", 1, 1, "The values as an ARRAY; NULL without a row.", func(args []types.Type) (types.Type, error) { return types.ArrayOf(args[0]), nil }},
		{"AVG", 1, 1, "The mean of the values that are not NULL, in their type.", average},
		{"COUNT", 0, Variadic, "The number of rows, or of those in which no argument is NULL.", func([]types.Type) (types.Type, error) { return AggregateType("COUNT", bigint) }},
		{"FIRST_VALUE", 1, 1, "The first value that is not NULL.", nullableFirst},
		{"LAST_VALUE", 1, 1, "The last value that is not NULL.", nullableFirst},
		{"LISTAGG", 1, 2, "The texts that are not NULL, with a constant, a comma without one, between them.", listedType},
	}
	for _, name := range []string{"MAX", "MIN", "SUM"} {
		doc := map[string]string{"MAX": "The greatest value.", "MIN": "The least value.", "SUM": "The sum of the values that are not NULL."}[name]
		table = append(table, Aggregate{name, 1, 1, doc, func(args []types.Type) (types.Type, error) { return AggregateType(name, args[0]) }})
	}
	table = append(table, Aggregate{"SUM0", 1, 1, "The sum of the values that are not NULL; 0 without one.", func(args []types.Type) (types.Type, error) {
		t, err := AggregateType("SUM", args[0])
		return t.NotNull(), err
	}})
	for _, f := range []struct{ name, doc string }{
		{"STDDEV_POP", "The standard deviation of the values."},
		{"STDDEV_SAMP", "The standard deviation that a sample lets expect."},
		{"VAR_POP", "The variance of the values."},
		{"VAR_SAMP", "The variance that a sample lets expect."},
	} {
		table = append(table, Aggregate{f.name, 1, 1, f.doc, average})
	}
	slices.SortFunc(table, func(a, b Aggregate) int { return strings.Compare(a.Name, b.Name) })
	return table
}

// AggregateResult returns the type of the result of any of Aggregates, named
// in any case, over arguments of the given types, which DISTINCT and FILTER do
// not change. An error is the user's.
func AggregateResult(name string, args []types.Type) (types.Type, error) {
	name = strings.ToUpper(name)
	for _, a := range Aggregates() {
		if a.Name != name {
			continue
		}
		s := Signature{Name: a.Name, MinArgs: a.MinArgs, MaxArgs: a.MaxArgs}
		if err := s.arity(len(args)); err != nil {
			return types.Type{}, err
		}
		for i, t := range args {
			if t.Kind == types.Null {
				return types.Type{}, fmt.Errorf("%s: the type of argument %d, NULL, is not known; cast it", name, i+1)
			}
		}
		return a.result(args)
	}
	return types.Type{}, fmt.Errorf("no aggregate function %s", name)
}

// listedType types LISTAGG, of texts.
func listedType(args []types.Type) (types.Type, error) {
	for i, t := range args {
		if !isText(t) {
			return types.Type{}, fmt.Errorf("LISTAGG: %w", refuse(i, t, "text"))
		}
	}
	return types.StringType(), nil
}

// AggregateType returns the type of an aggregate function's result over an
// argument of the given type, for the functions that every operator which
// aggregates knows; COUNT(*) passes any. Results other than COUNT's are
// nullable: without a row, or with NULL only, they are NULL.
func AggregateType(name string, arg types.Type) (types.Type, error) {
	switch name {
	case "COUNT":
		return types.Of(types.BigInt).NotNull(), nil
	case "MIN", "MAX":
		if l := arg.Layout(); l == types.LayoutNone || l >= types.LayoutList {
			return types.Type{}, fmt.Errorf("%s: values of type %s have no order", name, arg)
		}
		return arg.AsNullable(), nil
	case "SUM":
		if arg.Kind == types.Decimal {
			return types.DecimalOf(types.MaxDecimalPrecision, arg.Scale), nil
		}
	case "AVG":
		if arg.Kind == types.Decimal {
			return types.DecimalOf(types.MaxDecimalPrecision, max(minAdjustedScale, arg.Scale)), nil
		}
	default:
		return types.Type{}, fmt.Errorf("no aggregate function %s", name)
	}
	if !isNumber(arg) {
		return types.Type{}, fmt.Errorf("%s: argument is %s, want a number", name, arg)
	}
	return arg.AsNullable(), nil
}

// AverageSumType returns the type in which AVG adds up: SUM's, but BIGINT for
// the integers and DOUBLE for FLOAT, so that an average does not wrap early.
func AverageSumType(arg types.Type) (types.Type, error) {
	t, err := AggregateType("SUM", arg)
	if err != nil {
		return types.Type{}, err
	}
	switch t.Kind {
	case types.TinyInt, types.SmallInt, types.Int:
		return types.Of(types.BigInt), nil
	case types.Float:
		return types.Of(types.Double), nil
	default:
		return t, nil
	}
}
