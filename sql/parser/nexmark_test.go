package parser

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"millrace/sql/ast"
)

// nexmark are the parts of the Nexmark suite, in words of our own: tables and views, then the queries.
func nexmark() []string {
	names := []string{"kafka", "generator", "views"}
	for i := range 24 {
		names = append(names, fmt.Sprintf("q%d", i))
	}
	return names
}

// TestNexmark parses the suite's statements. Each query ends with what runs it.
func TestNexmark(t *testing.T) {
	for _, name := range nexmark() {
		t.Run(name, func(t *testing.T) {
			list := ParseScript(readNexmark(t, name))
			for _, s := range list {
				if s.Err != nil {
					t.Fatal(s.Err)
				}
				again, err := ParseStatement(ast.Print(s.Statement))
				roundTrip(t, s.Statement, again, err)
			}
			switch last := list[len(list)-1].Statement.(type) {
			case *ast.Query, *ast.Insert:
			default:
				if strings.HasPrefix(name, "q") {
					t.Errorf("the last statement is a %T", last)
				}
			}
		})
	}
}

func readNexmark(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile("../../tests/nexmark/testdata/queries/" + name + ".sql")
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// BenchmarkParse parses a script of the Nexmark suite.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for _, name := range nexmark() {
		text.WriteString(readNexmark(b, name))
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if list := ParseScript(text.String()); list[len(list)-1].Err != nil {
			b.Fatal(list[len(list)-1].Err)
		}
	}
}
