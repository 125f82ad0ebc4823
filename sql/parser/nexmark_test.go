package parser

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"millrace/sql/ast"
)

// TestNexmark parses the Nexmark suite's tables and queries, in words of our own. Each query ends with the INSERT that runs it.
func TestNexmark(t *testing.T) {
	names := []string{"tables"}
	for i := range 24 {
		names = append(names, fmt.Sprintf("q%d", i))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			list := ParseScript(readNexmark(t, name))
			for _, s := range list {
				if s.Err != nil {
					t.Fatal(s.Err)
				}
				again, err := ParseStatement(ast.Print(s.Statement))
				roundTrip(t, s.Statement, again, err)
			}
			if _, ok := list[len(list)-1].Statement.(*ast.Insert); !ok && name != "tables" {
				t.Errorf("the last statement is a %T", list[len(list)-1].Statement)
			}
		})
	}
}

func readNexmark(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile("testdata/nexmark/" + name + ".sql")
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// BenchmarkParse parses a script of the Nexmark suite.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString(readNexmark(b, "tables"))
	for i := range 24 {
		text.WriteString(readNexmark(b, fmt.Sprintf("q%d", i)))
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if list := ParseScript(text.String()); list[len(list)-1].Err != nil {
			b.Fatal(list[len(list)-1].Err)
		}
	}
}
