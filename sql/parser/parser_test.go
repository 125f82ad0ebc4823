package parser

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"millrace/failure"
	"millrace/sql/ast"
)

// TestScripts runs the files of testdata/scripts. The commands:
//
//	script
//	    parses the statements of the input and prints each on a line of its own, or its error
//	expr
//	    parses each line as an expression
//	type
//	    parses each line as a type
//	tree
//	    parses each line as an expression and prints it with brackets around every operator
//
// What parses is printed, parsed again and compared, and so is what that prints.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "script":
				return scriptOutput(t, d.Input)
			case "expr":
				return eachLine(d.Input, func(line string) string { return exprOutput(t, line, ast.Print) })
			case "tree":
				return eachLine(d.Input, func(line string) string {
					return exprOutput(t, line, func(n ast.Node) string { return grouped(n.(ast.Expr)) })
				})
			case "type":
				return eachLine(d.Input, func(line string) string {
					n, err := ParseType(line)
					if err != nil {
						return err.Error()
					}
					again, err := ParseType(ast.Print(n))
					roundTrip(t, n, again, err)
					return ast.Print(n)
				})
			default:
				t.Fatalf("no command %q", d.Cmd)
				return ""
			}
		})
	})
}

func eachLine(input string, f func(string) string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(input, "\n") {
		b.WriteString(f(line) + "\n")
	}
	return b.String()
}

func scriptOutput(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	for _, s := range ParseScript(text) {
		if s.Err != nil {
			b.WriteString(s.Err.Error() + "\n")
			continue
		}
		checkSpans(t, s.Statement, len(text))
		again, err := ParseStatement(ast.Print(s.Statement))
		roundTrip(t, s.Statement, again, err)
		b.WriteString(ast.Print(s.Statement) + ";\n")
	}
	return b.String()
}

func exprOutput(t *testing.T, line string, print func(ast.Node) string) string {
	t.Helper()
	e, err := ParseExpr(line)
	if err != nil {
		return err.Error()
	}
	checkSpans(t, e, len(line))
	again, err := ParseExpr(ast.Print(e))
	roundTrip(t, e, again, err)
	return print(e)
}

// roundTrip checks that what was printed is parsed as what it was printed from.
func roundTrip(t *testing.T, n, again ast.Node, err error) {
	t.Helper()
	text := ast.Print(n)
	switch {
	case err != nil:
		t.Errorf("printed as %s\nwhich fails: %v", text, err)
	case !ast.Equal(n, again):
		t.Errorf("printed as %s\nwhich is parsed as %s", text, ast.Print(again))
	case strings.Contains(text, "\n"):
		t.Errorf("printed on several lines: %s", text)
	}
}

// checkSpans checks that every node stands in the text, and within the node that it is a part of.
func checkSpans(t *testing.T, n ast.Node, size int) {
	t.Helper()
	outer := n.Range()
	if outer.Start < 0 || outer.End > size || outer.Start > outer.End {
		t.Errorf("%T stands at %v of %d bytes", n, outer, size)
	}
	ast.Walk(n, func(child ast.Node) bool {
		if child == n {
			return true
		}
		if s := child.Range(); s != (ast.Span{}) && (s.Start < outer.Start || s.End > outer.End) {
			t.Errorf("a %T at %v stands outside of its %T at %v: %s", child, s, n, outer, ast.Print(n))
		}
		checkSpans(t, child, size)
		return false
	})
}

// grouped prints an expression with brackets around every operator.
func grouped(e ast.Expr) string {
	not := func(cond bool) string {
		if cond {
			return "NOT "
		}
		return ""
	}
	switch e := e.(type) {
	case *ast.Unary:
		return "(" + string(e.Op) + " " + grouped(e.X) + ")"
	case *ast.Binary:
		return "(" + grouped(e.Left) + " " + string(e.Op) + " " + grouped(e.Right) + ")"
	case *ast.Between:
		return "(" + grouped(e.X) + " " + not(e.Not) + "BETWEEN " + grouped(e.Low) + " AND " + grouped(e.High) + ")"
	case *ast.Is:
		return "(" + grouped(e.X) + " IS " + not(e.Not) + string(e.Test) + ")"
	case *ast.Like:
		return "(" + grouped(e.X) + " " + not(e.Not) + "LIKE " + grouped(e.Pattern) + ")"
	case *ast.In:
		return "(" + grouped(e.X) + " " + not(e.Not) + "IN " + groupedList(e.List) + ")"
	case *ast.Index:
		return "(" + grouped(e.X) + "[" + grouped(e.At) + "])"
	case *ast.FieldOf:
		return "(" + grouped(e.X) + "." + e.Field.String() + ")"
	default:
		return ast.Print(e)
	}
}

func groupedList(list []ast.Expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = grouped(e)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func TestErrorIsTheUsers(t *testing.T) {
	_, err := ParseStatement("SELECT\n  a FORM b")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	if got, want := failure.ClassOf(err), (failure.Class{Domain: failure.DomainUser, Retry: failure.Never}); got != want {
		t.Errorf("class %v, want %v", got, want)
	}
	var m failure.Message
	if !errors.As(err, &m) || m.Position != (failure.Position{Line: 2, Column: 5}) || m.Hint != "did you mean FROM?" {
		t.Errorf("message %+v", m)
	}
	if e.Offset != 11 || e.Line != "  a FORM b" || e.Caret != 4 {
		t.Errorf("error %+v", e)
	}
}

// Every word that is offered where a statement begins does begin one.
func TestFirstWordsBeginStatements(t *testing.T) {
	for _, word := range firstWords {
		if newParser(word+" x", 0).production() == nil {
			t.Errorf("%s begins no statement", word)
		}
	}
}

func TestFunctionWordsAreReserved(t *testing.T) {
	for _, set := range []map[string]bool{functionWords, niladic, clauseWords} {
		for word := range set {
			if !ast.IsReserved(word) {
				t.Errorf("%s is not reserved", word)
			}
		}
	}
}
