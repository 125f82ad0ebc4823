// Package expr has typed expression trees as data, and the signatures of the
// functions that may stand in them. Building a tree checks types; evaluating
// one is the business of expr/kernel, which works on whole vectors.
//
// Trees are immutable and may be shared. The package is pure: it knows no
// rows, no clock and no session; functions whose value depends on such things
// get it from the evaluator.
package expr

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/types"
)

// Expr is a typed expression: a Column, Literal, Call, Cast or Case.
type Expr interface {
	// Type returns the type of the value.
	Type() types.Type
	fmt.Stringer
	isExpr()
}

// Column is the value of an input column.
type Column struct {
	Index int
	Name  string // for printing only
	T     types.Type
}

// Literal is a constant.
type Literal struct {
	T types.Type
	// Value is nil for NULL, else bool, int64 (integers, dates, times,
	// timestamps, intervals, each in the unit of its layout, and DECIMAL up to
	// 18 digits, unscaled), float64 (FLOAT too), types.Int128 (wide DECIMAL),
	// string (CHAR, VARCHAR) or []byte (BINARY, VARBINARY).
	Value any
}

// Call applies a function of the registry.
type Call struct {
	Func string // the registry's name, upper case
	Args []Expr
	T    types.Type
}

// Cast converts a value as CAST does; Try gives NULL where CAST would fail the job.
type Cast struct {
	X   Expr
	To  types.Type
	Try bool
}

// When is a branch of a Case.
type When struct {
	If, Then Expr
}

// Case is a searched CASE: the first When whose If is TRUE decides. A nil Else
// is NULL.
type Case struct {
	Whens []When
	Else  Expr
	T     types.Type
}

// Type returns the column's type.
func (e *Column) Type() types.Type { return e.T }

// Type returns the literal's type.
func (e *Literal) Type() types.Type { return e.T }

// Type returns the type that the function's signature derived.
func (e *Call) Type() types.Type { return e.T }

// Type returns the target type.
func (e *Cast) Type() types.Type { return e.To }

// Type returns the common type of the branches.
func (e *Case) Type() types.Type { return e.T }

func (*Column) isExpr()  {}
func (*Literal) isExpr() {}
func (*Call) isExpr()    {}
func (*Cast) isExpr()    {}
func (*Case) isExpr()    {}

// String prints the column's name, or $index without one.
func (e *Column) String() string {
	if e.Name != "" {
		return e.Name
	}
	return "$" + strconv.Itoa(e.Index)
}

// String prints the constant and, where that alone would be doubtful, its type.
func (e *Literal) String() string {
	switch v := e.Value.(type) {
	case nil:
		return "NULL"
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case []byte:
		return fmt.Sprintf("X'%X'", v)
	case bool:
		return strings.ToUpper(strconv.FormatBool(v))
	default:
		if e.T.Kind == types.Int || e.T.Kind == types.BigInt || e.T.Kind == types.Double {
			return fmt.Sprint(v)
		}
		return fmt.Sprintf("%v:%s", v, e.T)
	}
}

// String prints FUNC(args).
func (e *Call) String() string {
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = a.String()
	}
	return e.Func + "(" + strings.Join(args, ", ") + ")"
}

// String prints CAST(x AS type).
func (e *Cast) String() string {
	name := "CAST"
	if e.Try {
		name = "TRY_CAST"
	}
	return fmt.Sprintf("%s(%s AS %s)", name, e.X, e.To)
}

// String prints the CASE on one line.
func (e *Case) String() string {
	var sb strings.Builder
	sb.WriteString("CASE")
	for _, w := range e.Whens {
		fmt.Fprintf(&sb, " WHEN %s THEN %s", w.If, w.Then)
	}
	if e.Else != nil {
		fmt.Fprintf(&sb, " ELSE %s", e.Else)
	}
	sb.WriteString(" END")
	return sb.String()
}

// Walk calls visit for the expression and everything in it, parents first,
// until visit returns false for a branch.
func Walk(e Expr, visit func(Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	switch e := e.(type) {
	case *Call:
		for _, a := range e.Args {
			Walk(a, visit)
		}
	case *Cast:
		Walk(e.X, visit)
	case *Case:
		for _, w := range e.Whens {
			Walk(w.If, visit)
			Walk(w.Then, visit)
		}
		Walk(e.Else, visit)
	}
}
