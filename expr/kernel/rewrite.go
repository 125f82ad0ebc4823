package kernel

import (
	"millrace/expr"
	"millrace/types"
)

// rewrite expresses a call by others; nil leaves it to its binder.
type rewrite func(reg *expr.Registry, e *expr.Call) (expr.Expr, error)

var rewrites = map[string]rewrite{
	"MOD":              renamed("%"),
	"%":                narrowRemainder,
	"CEILING":          renamed("CEIL"),
	"CHARACTER_LENGTH": renamed("CHAR_LENGTH"),
	"||":               renamed("CONCAT"),
	"BETWEEN":          between,
	"NOT BETWEEN":      notBetween,
	"NULLIF":           nullIf,
	"IFNULL":           renamed("COALESCE"),
	"IF":               ifElse,
	"TYPEOF":           typeOf,
	"SUBSTR":           renamed("SUBSTRING"),
	"BTRIM":            trim(expr.TrimBoth),
	"LTRIM":            trim(expr.TrimLeading),
	"RTRIM":            trim(expr.TrimTrailing),
	"IS NOT JSON":      negated("IS JSON"),
	"IN":               inList,
	"NOT IN":           negated("IN"),
	"NOT LIKE":         negated("LIKE"),
	"NOT SIMILAR TO":   negated("SIMILAR TO"),
	"DATE_FORMAT":      dateFormatOfText,
	"TO_TIMESTAMP":     castUnlessPattern,
	"TO_DATE":          castUnlessPattern,
	"TO_TIMESTAMP_LTZ": toTimestampLTZ,
	"YEAR":             partOf, "QUARTER": partOf, "MONTH": partOf, "WEEK": partOf, "DAYOFYEAR": partOf, "DAYOFMONTH": partOf, "DAYOFWEEK": partOf,
	"HOUR": partOf, "MINUTE": partOf, "SECOND": partOf,
}

// renamed serves a second name of a function.
func renamed(name string) rewrite {
	return func(_ *expr.Registry, e *expr.Call) (expr.Expr, error) {
		return &expr.Call{Func: name, Args: e.Args, T: e.T}, nil
	}
}

// narrowRemainder brings integers of two widths to the wider one and the
// remainder, which is smaller than the divisor, back to the divisor's.
func narrowRemainder(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
	a, b := e.Args[0], e.Args[1]
	if a.Type().Kind == b.Type().Kind || a.Type().Kind == types.Decimal || b.Type().Kind == types.Decimal {
		return nil, nil
	}
	wide, err := expr.CommonType(a.Type(), b.Type())
	if err != nil {
		return nil, err
	}
	wa, err := expr.NewCast(a, wide, false)
	if err != nil {
		return nil, err
	}
	wb, err := expr.NewCast(b, wide, false)
	if err != nil {
		return nil, err
	}
	r, err := expr.NewCall(reg, "%", wa, wb)
	if err != nil {
		return nil, err
	}
	return expr.NewCast(r, e.T, false)
}

func between(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
	low, err := expr.NewCall(reg, ">=", e.Args[0], e.Args[1])
	if err != nil {
		return nil, err
	}
	high, err := expr.NewCall(reg, "<=", e.Args[0], e.Args[2])
	if err != nil {
		return nil, err
	}
	return expr.NewCall(reg, "AND", low, high)
}

func notBetween(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
	in, err := between(reg, e)
	if err != nil {
		return nil, err
	}
	return expr.NewCall(reg, "NOT", in)
}

func nullIf(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
	same, err := expr.NewCall(reg, "=", e.Args[0], e.Args[1])
	if err != nil {
		return nil, err
	}
	return &expr.Case{
		Whens: []expr.When{{If: same, Then: expr.Null(e.T)}},
		Else:  e.Args[0],
		T:     e.T,
	}, nil
}

// negated serves the NOT form of a test.
func negated(name string) rewrite {
	return func(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
		test, err := expr.NewCall(reg, name, e.Args...)
		if err != nil {
			return nil, err
		}
		return expr.NewCall(reg, "NOT", test)
	}
}

// dateFormatOfText reads a text as a TIMESTAMP; one that is none gives NULL.
func dateFormatOfText(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
	k := e.Args[0].Type().Kind
	if k == types.Timestamp || k == types.TimestampLTZ {
		return nil, nil
	}
	t, err := expr.NewCast(e.Args[0], types.TimestampOf(3), true)
	if err != nil {
		return nil, err
	}
	return expr.NewCall(reg, e.Func, t, e.Args[1])
}

// castUnlessPattern makes TO_DATE and TO_TIMESTAMP without a pattern a TRY_CAST.
func castUnlessPattern(_ *expr.Registry, e *expr.Call) (expr.Expr, error) {
	if len(e.Args) == 2 {
		return nil, nil
	}
	return expr.NewCast(e.Args[0], e.T, true)
}

func ifElse(_ *expr.Registry, e *expr.Call) (expr.Expr, error) {
	return &expr.Case{Whens: []expr.When{{If: e.Args[0], Then: e.Args[1]}}, Else: e.Args[2], T: e.T}, nil
}

func typeOf(_ *expr.Registry, e *expr.Call) (expr.Expr, error) {
	return expr.String(e.Args[0].Type().String()), nil
}

// trim serves the functions that are TRIM of one side.
func trim(side string) rewrite {
	return func(reg *expr.Registry, e *expr.Call) (expr.Expr, error) {
		var characters expr.Expr = expr.String(" ")
		if len(e.Args) == 2 {
			characters = e.Args[1]
		}
		return expr.NewCall(reg, "TRIM", expr.String(side), characters, e.Args[0])
	}
}
