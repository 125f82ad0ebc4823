package expr

import (
	"fmt"

	"millrace/types"
)

// The functions of this file are the Params and Resolve of signatures.

func refuse(i int, t types.Type, want string) error {
	return fmt.Errorf("argument %d is %s, want %s", i+1, t, want)
}

// each makes a Params that asks the same of every argument and brings NULL to
// the type that stands for it.
func each(ok func(types.Type) bool, want string, null types.Type) func([]types.Type) ([]types.Type, error) {
	return func(args []types.Type) ([]types.Type, error) {
		out := make([]types.Type, len(args))
		for i, t := range args {
			switch {
			case t.Kind == types.Null:
				out[i] = null
			case !ok(t):
				return nil, refuse(i, t, want)
			default:
				out[i] = t
			}
		}
		return out, nil
	}
}

// param is what a function asks of one argument.
type param struct {
	ok   func(types.Type) bool
	want string
	// to is the type that the argument is cast to, and NULL where it stays.
	// Without a kind, NULL is refused.
	to types.Type
	// stays: the argument is not cast.
	stays bool
}

var (
	textParam    = param{isText, "text", types.StringType(), true}
	intParam     = param{isSmallInteger, "INT", types.Of(types.Int), false}
	bigintParam  = param{isInteger, "an integer", types.Of(types.BigInt), false}
	doubleParam  = param{isNumber, "a number", types.Of(types.Double), false}
	numberParam  = param{isNumber, "a number", types.Of(types.Int), true}
	booleanParam = param{isBoolean, "BOOLEAN", boolean, false}
)

// isSmallInteger: what an INT holds.
func isSmallInteger(t types.Type) bool { return isInteger(t) && t.Kind != types.BigInt }

// parameters makes a Params of what each argument must be; the last one serves
// those beyond.
func parameters(ps ...param) func([]types.Type) ([]types.Type, error) {
	return func(args []types.Type) ([]types.Type, error) {
		out := make([]types.Type, len(args))
		for i, t := range args {
			var err error
			if out[i], err = ps[min(i, len(ps)-1)].of(i, t); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

// of returns the type to which argument i of a type is brought.
func (p param) of(i int, t types.Type) (types.Type, error) {
	switch {
	case t.Kind == types.Null && p.to.Kind != types.Invalid:
		return p.to, nil
	case !p.ok(t):
		return t, refuse(i, t, p.want)
	case p.stays:
		return t, nil
	default:
		return p.to, nil
	}
}

// withoutNull replaces NULL among two types by the other; NULL alone becomes fallback.
func withoutNull(args []types.Type, fallback types.Type) []types.Type {
	out := append([]types.Type(nil), args...)
	for i, t := range out {
		if t.Kind != types.Null {
			continue
		}
		out[i] = fallback
		for _, o := range args {
			if o.Kind != types.Null {
				out[i] = o.AsNullable()
				break
			}
		}
	}
	return out
}

// sumParams serves + and -: numbers, and times with intervals.
func sumParams(args []types.Type) ([]types.Type, error) {
	if isTemporal(args[0]) || isTemporal(args[1]) || isInterval(args[0]) || isInterval(args[1]) {
		return withoutNull(args, types.Of(types.IntervalDayTime)), nil
	}
	return numberParams(args)
}

// productParams serves *: numbers, and an interval with a whole number.
func productParams(args []types.Type) ([]types.Type, error) {
	for i, t := range args {
		if !isInterval(t) {
			continue
		}
		out := []types.Type{t, t}
		factor := bigintParam
		if t.Kind == types.IntervalYearMonth {
			factor = intParam
		}
		var err error
		out[1-i], err = factor.of(1-i, args[1-i])
		return out, err
	}
	return numberParams(args)
}

// productResult types *.
func productResult(args []types.Type) (types.Type, error) {
	for _, t := range args {
		if isInterval(t) {
			return nullableIfAny(t, args), nil
		}
	}
	return numberResult(decimalProduct)(args)
}

// numberParams brings two numbers to one type; DECIMALs keep their own scale.
func numberParams(args []types.Type) ([]types.Type, error) {
	args = withoutNull(args, types.Of(types.Int))
	for i, t := range args {
		if !isNumber(t) {
			return nil, refuse(i, t, "a number")
		}
	}
	a, b := args[0], args[1]
	if isExact(a) && isExact(b) && (a.Kind == types.Decimal || b.Kind == types.Decimal) {
		return []types.Type{asDecimal(a), asDecimal(b)}, nil
	}
	t := commonNumber(a, b)
	return []types.Type{t, t}, nil
}

// remainderParams leaves integers of two widths alone: the result has the
// divisor's.
func remainderParams(args []types.Type) ([]types.Type, error) {
	args = withoutNull(args, types.Of(types.Int))
	if isInteger(args[0]) && isInteger(args[1]) {
		return args, nil
	}
	return numberParams(args)
}

// comparisonParams brings the sides of a comparison to types whose values can
// be compared. DECIMALs that no DECIMAL holds both keep theirs.
func comparisonParams(args []types.Type) ([]types.Type, error) {
	args = withoutNull(args, types.Of(types.Int))
	if t, ok := comparedAs(args); ok {
		out := make([]types.Type, len(args))
		for i := range out {
			out[i] = t
			if isText(args[i]) && isText(t) || isBinary(args[i]) && isBinary(t) {
				out[i] = args[i] // bytes are compared; the length doesn't matter
			}
		}
		return out, nil
	}
	if allDecimal(args) {
		out := make([]types.Type, len(args))
		for i, t := range args {
			out[i] = asDecimal(t)
		}
		return out, nil
	}
	return nil, fmt.Errorf("can't compare %s with %s", args[0], args[len(args)-1])
}

func allDecimal(args []types.Type) bool {
	for _, t := range args {
		if !isExact(t) {
			return false
		}
	}
	return true
}

// comparedAs returns the type as which values of the given types are compared.
func comparedAs(args []types.Type) (types.Type, bool) {
	t := args[0]
	for _, u := range args[1:] {
		if isExact(t) && isExact(u) && (t.Kind == types.Decimal || u.Kind == types.Decimal) {
			d, exact := decimalUnion(asDecimal(t), asDecimal(u))
			if !exact {
				return t, false
			}
			t = d
			continue
		}
		c, ok := comparedPair(t, u)
		if !ok {
			return t, false
		}
		t = c
	}
	return t, t.Layout() < types.LayoutList && t.Layout() != types.LayoutNone
}

func comparedPair(a, b types.Type) (types.Type, bool) {
	switch {
	case isText(a) && isTemporal(b):
		return b.AsNullable(), true
	case isTemporal(a) && isText(b):
		return a.AsNullable(), true
	case a.Kind == types.Date && b.Kind == types.Timestamp:
		return b.AsNullable(), true
	case a.Kind == types.Timestamp && b.Kind == types.Date:
		return a.AsNullable(), true
	default:
		return commonOfTwo(a, b)
	}
}

// commonParams brings all arguments to their common type.
func commonParams(args []types.Type) ([]types.Type, error) {
	t, err := CommonType(args...)
	if err != nil {
		return nil, err
	}
	if t.Kind == types.Null {
		return nil, fmt.Errorf("the type of NULL is not known")
	}
	out := make([]types.Type, len(args))
	for i := range out {
		out[i] = t
	}
	return out, nil
}

// orderedParams brings all arguments to a common type whose values have an order.
func orderedParams(args []types.Type) ([]types.Type, error) {
	out, err := commonParams(args)
	if err != nil {
		return nil, err
	}
	if l := out[0].Layout(); l == types.LayoutNone || l >= types.LayoutList {
		return nil, fmt.Errorf("values of type %s have no order", out[0])
	}
	return out, nil
}

// ifParams takes a condition, and brings what IF chooses from to one type.
func ifParams(args []types.Type) ([]types.Type, error) {
	condition, err := booleanParam.of(0, args[0])
	if err != nil {
		return nil, err
	}
	chosen, err := commonParams(args[1:])
	if err != nil {
		return nil, err
	}
	return append([]types.Type{condition}, chosen...), nil
}

func ifResult(args []types.Type) (types.Type, error) {
	return nullableIfAny(args[1], args[1:]), nil
}

// nullIfParams compares both arguments, and gives the first as it is.
func nullIfParams(args []types.Type) ([]types.Type, error) {
	if args[0].Kind == types.Null {
		return nil, fmt.Errorf("the type of NULL is not known")
	}
	want, err := comparisonParams(args)
	if err != nil {
		return nil, err
	}
	return []types.Type{args[0], want[1]}, nil
}

// substringParams takes text, a position and perhaps a length.
func substringParams(args []types.Type) ([]types.Type, error) {
	out := withoutNull(args, types.Of(types.Int))
	if args[0].Kind == types.Null {
		out[0] = types.StringType()
	}
	if !isText(out[0]) {
		return nil, refuse(0, out[0], "text")
	}
	for i := 1; i < len(args); i++ {
		if args[i].Kind != types.Null && (!isInteger(args[i]) || args[i].Kind == types.BigInt) {
			return nil, refuse(i, args[i], "INT")
		}
		out[i] = types.Of(types.Int)
	}
	return out, nil
}

// Results.

func nullableIfAny(t types.Type, args []types.Type) types.Type {
	t.Nullable = anyNullable(args)
	return t
}

func firstType(args []types.Type) (types.Type, error) {
	return nullableIfAny(args[0], args), nil
}

// always makes a Resolve that gives a type, nullable if an argument is.
func always(t types.Type) func([]types.Type) (types.Type, error) {
	return func(args []types.Type) (types.Type, error) { return nullableIfAny(t, args), nil }
}

// neverNull makes a Resolve that gives a type without NULL.
func neverNull(t types.Type) func([]types.Type) (types.Type, error) {
	return func([]types.Type) (types.Type, error) { return t.NotNull(), nil }
}

// numberResult makes a Resolve of two numbers, DECIMAL by its own rule.
func numberResult(decimal func(a, b types.Type) types.Type) func([]types.Type) (types.Type, error) {
	return func(args []types.Type) (types.Type, error) {
		t := args[1]
		if t.Kind == types.Decimal {
			t = decimal(args[0], args[1])
		}
		return nullableIfAny(t, args), nil
	}
}

// sumResult types + and -: commuted tells whether the interval may stand first.
func sumResult(commuted bool) func([]types.Type) (types.Type, error) {
	numbers := numberResult(decimalSum)
	return func(args []types.Type) (types.Type, error) {
		a, b := args[0], args[1]
		switch {
		case isNumber(a) && isNumber(b):
			return numbers(args)
		case isTemporal(a) && isInterval(b) && shiftable(a, b):
			return nullableIfAny(a, args), nil
		case commuted && isInterval(a) && isTemporal(b) && shiftable(b, a):
			return nullableIfAny(b, args), nil
		case isInterval(a) && a.Kind == b.Kind:
			return nullableIfAny(a, args), nil
		default:
			return types.Type{}, fmt.Errorf("can't be applied to %s and %s", a, b)
		}
	}
}

// shiftable: months move dates and timestamps, not times of the day.
func shiftable(t, interval types.Type) bool {
	return t.Kind != types.Time || interval.Kind == types.IntervalDayTime
}

func coalesceResult(args []types.Type) (types.Type, error) {
	t := args[0]
	for _, a := range args {
		t.Nullable = t.Nullable && a.Nullable
	}
	return t, nil
}

func nullableFirst(args []types.Type) (types.Type, error) { return args[0].AsNullable(), nil }

func wholeNumber(args []types.Type) (types.Type, error) {
	t := args[0]
	if t.Kind == types.Decimal {
		t.Scale = 0
	}
	return t, nil
}

// joinedText types ||: the lengths add up.
func joinedText(args []types.Type) (types.Type, error) {
	t := types.Type{Kind: types.Char}
	sum := 0
	for _, a := range args {
		if a.Kind == types.VarChar {
			t.Kind = types.VarChar
		}
		sum = min(sum+a.Length, types.MaxLength)
	}
	t.Length = sum
	return nullableIfAny(t, args), nil
}

func substringResult(args []types.Type) (types.Type, error) {
	return types.VarCharOf(args[0].Length), nil // NULL for a negative length
}
