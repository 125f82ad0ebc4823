package expr

import "millrace/types"

// Builtins returns a registry of the functions that expr/kernel evaluates.
func Builtins() *Registry {
	r := NewRegistry()
	for _, family := range []struct {
		name  string
		table []Signature
	}{
		{"Arithmetic", arithmetic()},
		{"Comparison", comparisons()},
		{"Logic", logic()},
		{"Choice", conditionals()},
		{"Mathematics", numbers()},
		{"Text", texts()},
		{"Patterns", patterns()},
		{"Time", times()},
		{"Nested values", nested()},
		{"Internal", internals()},
	} {
		for i := range family.table {
			s := &family.table[i]
			s.Family, s.Usage, s.Example = family.name, usages[s.Name].form, usages[s.Name].example
		}
		if err := r.Register(family.table...); err != nil {
			panic(err) // two rows of the tables have one name
		}
	}
	return r
}

// HashBucket is the internal function that deals values out to so many buckets, the second argument: 0 to one less. Equal values, as
// DISTINCT takes them, have one bucket, for ever; that of NULL is NULL.
const HashBucket = "$HASH_BUCKET"

func internals() []Signature {
	return []Signature{{
		Name: HashBucket, Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Internal: true, Constants: []int{1}, Params: bucketParams, Resolve: always(integer),
		Doc: "One of so many buckets, by the value's hash.",
	}}
}

func bucketParams(args []types.Type) ([]types.Type, error) {
	if l := args[0].Layout(); l == types.LayoutNone || l >= types.LayoutList {
		return nil, refuse(0, args[0], "a value that is not nested")
	}
	return []types.Type{args[0], integer}, nil
}

var (
	boolean = types.Of(types.Boolean)
	integer = types.Of(types.Int)
)

func isBoolean(t types.Type) bool { return t.Kind == types.Boolean }
func anyType(types.Type) bool     { return true }

func arithmetic() []Signature {
	return []Signature{
		{Name: "+", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: sumParams, Resolve: sumResult(true), Doc: "Sum; a time moved by an interval."},
		{Name: "-", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: sumParams, Resolve: sumResult(false), Doc: "Difference; a time moved back by an interval."},
		{Name: "*", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: productParams, Resolve: productResult, Doc: "Product; an interval so many times."},
		{Name: "/", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: numberParams, Resolve: numberResult(decimalQuotient), Doc: "Quotient; of integers, truncated."},
		{Name: "%", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: remainderParams, Resolve: numberResult(decimalRemainder), Doc: "Remainder, with the sign of the dividend."},
		{Name: "MOD", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: remainderParams, Resolve: numberResult(decimalRemainder), Doc: "Same as %."},
		{Name: "NEG", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: each(func(t types.Type) bool { return isNumber(t) || isInterval(t) }, "a number", integer), Resolve: firstType, Doc: "Unary minus."},
	}
}

func comparisons() []Signature {
	var table []Signature
	for _, f := range []struct{ name, doc string }{
		{"=", "Whether both are equal."},
		{"<>", "Whether both differ."},
		{"<", "Whether the first is less."},
		{"<=", "Whether the first is not greater."},
		{">", "Whether the first is greater."},
		{">=", "Whether the first is not less."},
	} {
		table = append(table, Signature{
			Name: f.name, Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2,
			Params: comparisonParams, Resolve: always(boolean), Doc: f.doc,
		})
	}
	for _, name := range []string{"IS DISTINCT FROM", "IS NOT DISTINCT FROM"} {
		table = append(table, Signature{
			Name: name, Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2,
			Params: comparisonParams, Resolve: neverNull(boolean), Doc: "Comparison in which NULL is a value like any other.",
		})
	}
	for _, f := range []struct{ name, doc string }{{"IN", "Whether the first argument is among the others; NULL if it is not, but NULL is."}, {"NOT IN", "Negation of IN."}} {
		table = append(table, Signature{
			Name: f.name, Kind: ScalarFunc, MinArgs: 2, MaxArgs: Variadic,
			Params: comparisonParams, Resolve: always(boolean), Doc: f.doc,
		})
	}
	for _, f := range []struct{ name, doc string }{{"BETWEEN", "Whether the first argument lies between the others, ends included."}, {"NOT BETWEEN", "Negation of BETWEEN."}} {
		table = append(table, Signature{
			Name: f.name, Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3,
			Params: comparisonParams, Resolve: always(boolean), Doc: f.doc,
		})
	}
	return table
}

func logic() []Signature {
	booleans := each(isBoolean, "BOOLEAN", boolean)
	table := []Signature{
		{Name: "AND", Kind: ScalarFunc, MinArgs: 2, MaxArgs: Variadic, Params: booleans, Resolve: always(boolean), Doc: "Three-valued conjunction."},
		{Name: "OR", Kind: ScalarFunc, MinArgs: 2, MaxArgs: Variadic, Params: booleans, Resolve: always(boolean), Doc: "Three-valued disjunction."},
		{Name: "NOT", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: booleans, Resolve: always(boolean), Doc: "Three-valued negation."},
	}
	for _, name := range []string{"IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE", "IS UNKNOWN", "IS NOT UNKNOWN"} {
		table = append(table, Signature{
			Name: name, Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1,
			Params: booleans, Resolve: neverNull(boolean), Doc: "Test of a truth value.",
		})
	}
	for _, name := range []string{"IS NULL", "IS NOT NULL"} {
		table = append(table, Signature{
			Name: name, Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1,
			Params: each(anyType, "", integer), Resolve: neverNull(boolean), Doc: "Test for NULL.",
		})
	}
	return table
}

func conditionals() []Signature {
	return []Signature{
		{Name: "COALESCE", Kind: ScalarFunc, MinArgs: 1, MaxArgs: Variadic, Params: commonParams, Resolve: coalesceResult, Doc: "The first argument that is not NULL; those after it are not evaluated."},
		{Name: "IFNULL", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: commonParams, Resolve: coalesceResult, Doc: "The first argument, or the second where that is NULL."},
		{Name: "IF", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: ifParams, Resolve: ifResult, Doc: "The second argument where the condition is TRUE, else the third."},
		{Name: "GREATEST", Kind: ScalarFunc, MinArgs: 1, MaxArgs: Variadic, Params: orderedParams, Resolve: firstType, Doc: "The greatest argument; NULL if one is."},
		{Name: "LEAST", Kind: ScalarFunc, MinArgs: 1, MaxArgs: Variadic, Params: orderedParams, Resolve: firstType, Doc: "The least argument; NULL if one is."},
		{Name: "TYPEOF", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: parameters(param{anyType, "", types.Of(types.Int), true}), Resolve: neverNull(types.StringType()), Doc: "The type of the argument, as text."},
		{Name: "NULLIF", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: nullIfParams, Resolve: nullableFirst, Doc: "NULL where both arguments are equal, else the first."},
	}
}
