package expr

import "millrace/types"

// numbers are the functions of mathematics.
func numbers() []Signature {
	number, doubles := parameters(numberParam), parameters(doubleParam)
	table := []Signature{
		{Name: "PI", Kind: ScalarFunc, Resolve: neverNull(double), Doc: "The number pi."},
		{Name: "E", Kind: ScalarFunc, Resolve: neverNull(double), Doc: "Euler's number."},
		{Name: "RAND", Kind: ScalarFunc, MinArgs: 0, MaxArgs: 1, Params: parameters(intParam), Resolve: always(double), Varies: true, Doc: "A number from 0 to below 1 by chance, or as Java's generator draws for a seed."},
		{Name: "RAND_INTEGER", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: parameters(intParam), Resolve: always(integer), Varies: true, Doc: "A whole number from 0 to below a bound by chance, or as Java's generator draws for a seed, which comes first."},
		{Name: "ABS", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: number, Resolve: firstType, Doc: "Absolute value."},
		{Name: "SIGN", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: number, Resolve: firstType, Doc: "-1, 0 or 1, as the number is below, at or above 0."},
		{Name: "FLOOR", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: roundedParams, ResolveArgs: roundedType, Constants: []int{1}, Zoned: true, Doc: "The largest whole number that is not larger; the beginning of the unit that a time is in."},
		{Name: "CEIL", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: roundedParams, ResolveArgs: roundedType, Constants: []int{1}, Zoned: true, Doc: "The smallest whole number that is not smaller; the time itself, or the beginning of the next unit."},
		{Name: "CEILING", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: roundedParams, ResolveArgs: roundedType, Constants: []int{1}, Zoned: true, Doc: "Same as CEIL."},
		{Name: "ROUND", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: parameters(numberParam, intParam), ResolveArgs: digitsType, Doc: "A number rounded, half away from 0, to a number of fractional digits, 0 without one; negative ones are before the point."},
		{Name: "TRUNCATE", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: parameters(numberParam, intParam), ResolveArgs: digitsType, Doc: "A number cut off behind a number of fractional digits, 0 without one."},
		{Name: "LOG", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: doubles, Resolve: always(double), Doc: "Natural logarithm, or that of the second argument to the base of the first."},
		{Name: "POWER", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: doubles, Resolve: always(double), Doc: "The first argument raised to the power of the second."},
		{Name: "ATAN2", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: doubles, Resolve: always(double), Doc: "The angle of a point (y, x) from the x axis."},
	}
	for _, f := range []struct{ name, doc string }{
		{"SQRT", "Square root."},
		{"EXP", "E raised to a power."},
		{"LN", "Natural logarithm."},
		{"LOG10", "Logarithm to base 10."},
		{"LOG2", "Logarithm to base 2."},
		{"SIN", "Sine."},
		{"SINH", "Hyperbolic sine."},
		{"COS", "Cosine."},
		{"COSH", "Hyperbolic cosine."},
		{"TAN", "Tangent."},
		{"TANH", "Hyperbolic tangent."},
		{"COT", "Cotangent."},
		{"ASIN", "Arc sine."},
		{"ACOS", "Arc cosine."},
		{"ATAN", "Arc tangent."},
		{"DEGREES", "Radians as degrees."},
		{"RADIANS", "Degrees as radians."},
	} {
		table = append(table, Signature{Name: f.name, Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: doubles, Resolve: always(double), Doc: f.doc})
	}
	return table
}

// digitsType types ROUND and TRUNCATE: a DECIMAL has as many fractional digits
// as a constant says, and its own where that is not constant.
func digitsType(args []Expr) (types.Type, error) {
	t := nullableIfAny(args[0].Type(), typesOf(args))
	if t.Kind != types.Decimal {
		return t, nil
	}
	digits := int64(0)
	if len(args) == 2 {
		l, ok := args[1].(*Literal)
		if !ok || l.Value == nil {
			return t, nil
		}
		digits, _ = l.Value.(int64)
	}
	whole := t.Precision - t.Scale
	switch {
	case digits >= int64(t.Scale):
		return t, nil
	case digits < 0:
		t.Precision, t.Scale = min(types.MaxDecimalPrecision, 1+whole), 0
	default:
		t.Precision, t.Scale = 1+whole+int(digits), int(digits)
	}
	return t, nil
}
