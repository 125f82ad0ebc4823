package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/types"
)

// conditionText prints a condition that there need not be.
func conditionText(e expr.Expr, names []string) string {
	if e == nil {
		return ""
	}
	return exprText(e, names)
}

// exprText prints an expression over columns of the given names: operators between their operands, in brackets below another
// one.
func exprText(e expr.Expr, names []string) string {
	switch e := e.(type) {
	case *expr.Column:
		if e.Index >= 0 && e.Index < len(names) {
			return names[e.Index]
		}
		return e.String()
	case *expr.Call:
		return callText(e, names)
	case *expr.Cast:
		return when(e.Try, "TRY_") + "CAST(" + exprText(e.X, names) + " AS " + e.To.AsNullable().String() + ")"
	case *expr.Case:
		return caseText(e, names)
	case *expr.Literal:
		return literalText(e)
	default:
		return e.String()
	}
}

// literalText prints a constant as SQL has it, as far as that is short.
func literalText(l *expr.Literal) string {
	v, ok := l.Value.(int64)
	if !ok {
		return l.String()
	}
	switch l.T.Kind {
	case types.Decimal:
		digits := fmt.Sprintf("%0*d", l.T.Scale+1, max(v, -v))
		point := len(digits) - l.T.Scale
		text := digits[:point] + when(l.T.Scale > 0, ".") + digits[point:]
		return when(v < 0, "-") + text
	case types.IntervalDayTime:
		return "INTERVAL " + (time.Duration(v) * time.Millisecond).String()
	case types.IntervalYearMonth:
		return "INTERVAL " + strconv.FormatInt(v, 10) + " MONTH"
	case types.Date:
		return "DATE '" + time.Unix(v*86_400, 0).UTC().Format(time.DateOnly) + "'"
	case types.Timestamp:
		return "TIMESTAMP '" + timestampText(v, l.T.Precision) + "'"
	default:
		return l.String()
	}
}

func timestampText(v int64, precision int) string {
	var at time.Time
	switch {
	case precision <= 3:
		at = time.UnixMilli(v)
	case precision <= 6:
		at = time.UnixMicro(v)
	default:
		at = time.Unix(0, v)
	}
	layout := time.DateTime
	if precision > 0 {
		layout += "." + strings.Repeat("0", precision)
	}
	return at.UTC().Format(layout)
}

// nameText prints a name, quoted where SQL has to; the names that columns get without one stay as they are.
func nameText(name string) string {
	if catalog.Quoted(strings.ReplaceAll(name, "$", "_")) == strings.ReplaceAll(name, "$", "_") {
		return name
	}
	return catalog.Quoted(name)
}

func callText(e *expr.Call, names []string) string {
	args := make([]string, len(e.Args))
	symbol := isSymbol(e.Func)
	for i, a := range e.Args {
		args[i] = exprText(a, names)
		if c, ok := a.(*expr.Call); symbol && ok && isSymbol(c.Func) {
			args[i] = "(" + args[i] + ")"
		}
	}
	switch {
	case e.Func == "GET" && len(args) == 2:
		return fieldText(e, args)
	case symbol && len(args) == 1 && strings.HasPrefix(e.Func, "IS "):
		return args[0] + " " + e.Func
	case symbol && len(args) == 1:
		return map[string]string{"NEG": "-", "NOT": "NOT "}[e.Func] + args[0]
	case strings.HasSuffix(e.Func, "BETWEEN") && len(args) == 3:
		return args[0] + " " + e.Func + " " + args[1] + " AND " + args[2]
	case strings.HasSuffix(e.Func, "IN") && symbol && len(args) > 1:
		return args[0] + " " + e.Func + " (" + strings.Join(args[1:], ", ") + ")"
	case strings.HasSuffix(e.Func, "LIKE") && len(args) == 3:
		return args[0] + " " + e.Func + " " + args[1] + " ESCAPE " + args[2]
	case symbol && len(args) > 1:
		return strings.Join(args, " "+e.Func+" ")
	default:
		return e.Func + "(" + strings.Join(args, ", ") + ")"
	}
}

// isSymbol tells functions that SQL writes between or beside their operands.
func isSymbol(f string) bool {
	switch f {
	case "AND", "OR", "NOT", "NEG", "LIKE", "NOT LIKE", "SIMILAR TO", "NOT SIMILAR TO", "BETWEEN", "NOT BETWEEN", "IN", "NOT IN":
		return true
	}
	return strings.HasPrefix(f, "IS ") || !strings.ContainsFunc(f, func(r rune) bool { return r >= 'A' && r <= 'Z' })
}

// fieldText prints GET(row, 1) by the field's name.
func fieldText(e *expr.Call, args []string) string {
	fields := e.Args[0].Type().Fields
	if l, ok := e.Args[1].(*expr.Literal); ok {
		if i, ok := l.Value.(int64); ok && i >= 0 && i < int64(len(fields)) {
			return args[0] + "." + fields[i].Name
		}
	}
	return "GET(" + strings.Join(args, ", ") + ")"
}

func caseText(e *expr.Case, names []string) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, w := range e.Whens {
		b.WriteString(" WHEN " + exprText(w.If, names) + " THEN " + exprText(w.Then, names))
	}
	if e.Else != nil {
		b.WriteString(" ELSE " + exprText(e.Else, names))
	}
	b.WriteString(" END")
	return b.String()
}
