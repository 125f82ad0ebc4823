package expr

import (
	"fmt"

	"millrace/types"
)

// NewCast builds CAST(x AS to), or TRY_CAST. The nullability of to is derived:
// that of x, and nullable for TRY_CAST. Types between which Flink has no cast
// are an error.
func NewCast(x Expr, to types.Type, try bool) (*Cast, error) {
	if err := to.Validate(); err != nil {
		return nil, fmt.Errorf("cast: %w", err)
	}
	if !CanCast(x.Type(), to) {
		return nil, fmt.Errorf("can't cast %s to %s", x.Type(), to)
	}
	to.Nullable = castNullable(x.Type(), try)
	return &Cast{X: x, To: to, Try: try}, nil
}

func castNullable(from types.Type, try bool) bool {
	return try || from.Nullable || from.Kind == types.Null
}

// NewCase builds a searched CASE: conditions must be BOOLEAN, branches are
// cast to their common type. A nil otherwise is NULL.
func NewCase(whens []When, otherwise Expr) (*Case, error) {
	if len(whens) == 0 {
		return nil, fmt.Errorf("CASE has no WHEN")
	}
	ts := make([]types.Type, 0, len(whens)+1)
	for i, w := range whens {
		if k := w.If.Type().Kind; k != types.Boolean && k != types.Null {
			return nil, fmt.Errorf("CASE: condition %d is %s, want BOOLEAN", i+1, w.If.Type())
		}
		ts = append(ts, w.Then.Type())
	}
	if otherwise != nil {
		ts = append(ts, otherwise.Type())
	}
	t, err := CommonType(ts...)
	if err != nil {
		return nil, fmt.Errorf("CASE: %w", err)
	}
	if t.Kind == types.Null {
		return nil, fmt.Errorf("CASE: the type of NULL is not known")
	}
	t.Nullable = t.Nullable || otherwise == nil
	c := &Case{T: t}
	for _, w := range whens {
		c.Whens = append(c.Whens, When{If: coerce(w.If, boolean), Then: coerce(w.Then, t)})
	}
	if otherwise != nil {
		c.Else = coerce(otherwise, t)
	}
	return c, nil
}

// CanCast tells whether CAST goes from one type to the other.
func CanCast(from, to types.Type) bool {
	switch {
	case from.Kind == types.Null || from.EqualIgnoringNull(to):
		return from.Kind != types.Null || to.Kind != types.Null
	case isText(to):
		return from.Layout() < types.LayoutList
	case isText(from):
		return isNumber(to) || isBoolean(to) || isTemporal(to) || isBinary(to)
	case isNumber(from):
		return isNumber(to) || isBoolean(to) && isInteger(from)
	case isBoolean(from):
		return isNumber(to)
	case isBinary(from):
		return isBinary(to)
	default:
		return canCastTime(from, to)
	}
}

func canCastTime(from, to types.Type) bool {
	switch from.Kind {
	case types.Date:
		return isTimestamp(to)
	case types.Time:
		return to.Kind == types.Time || isTimestamp(to)
	case types.Timestamp, types.TimestampLTZ:
		return isTemporal(to)
	default:
		return from.Kind == to.Kind && isInterval(from)
	}
}
