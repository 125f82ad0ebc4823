package plan

import (
	"strings"

	"millrace/expr"
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
	default:
		return e.String()
	}
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
