package parser

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"millrace/sql/ast"
)

func TestLimits(t *testing.T) {
	nested := func(n int, open, inner, end string) string {
		return "SELECT " + strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	cases := []struct {
		name, text, want string
	}{
		{"brackets", nested(10_000, "(", "1", ")"), "nested too deeply: more than 500 levels"},
		{"open brackets", nested(500_000, "(", "", ""), "nested too deeply"},
		{"brackets before queries", strings.Repeat("(", 100_000) + "SELECT 1", "nested too deeply"},
		{"brackets before tables", "SELECT * FROM " + strings.Repeat("(", 100_000), "nested too deeply"},
		{"signs", nested(100_000, "- ", "1", ""), "nested too deeply"},
		{"NOT", nested(100_000, "NOT ", "1", ""), "nested too deeply"},
		{"subqueries", nested(10_000, "(SELECT ", "1", ")"), "nested too deeply"},
		{"queries in FROM", nested(10_000, "* FROM (SELECT ", "1", ")"), "nested too deeply"},
		{"CASE", nested(10_000, "CASE WHEN ", "1", ""), "nested too deeply"},
		{"calls", nested(10_000, "f(", "1", ")"), "nested too deeply"},
		{"arrays", nested(10_000, "ARRAY[", "1", "]"), "nested too deeply"},
		{"elements", nested(10_000, "a[", "1", "]"), "nested too deeply"},
		{"types", "SELECT CAST(a AS " + strings.Repeat("ARRAY<", 10_000), "nested too deeply"},
		{"grouping sets", "SELECT 1 GROUP BY " + strings.Repeat("ROLLUP (", 10_000), "nested too deeply"},
		{"operators on the right", nested(10_000, "a = NOT ", "1", ""), "nested too deeply"},
		{"operators on the left", nested(10_001, "a + ", "1", ""), "a chain of more than 10000 operators"},
		{"set operations", nested(10_001, "1 UNION SELECT ", "1", ""), "a chain of more than 10000 operators"},
		{"joins", "SELECT * FROM a" + strings.Repeat(" CROSS JOIN b", 10_001), "a chain of more than 10000 operators"},
		{"fields", "SELECT f()" + strings.Repeat(".a", 10_001), "a chain of more than 10000 operators"},
		{"collections of collections", "SELECT CAST(a AS INT" + strings.Repeat(" ARRAY", 10_001), "a chain of more than 10000 operators"},
		{"columns", nested(60_000, "a, ", "1", ""), "the statement is too long: more than 100000 words and signs"},
		{"parts of a name", nested(60_000, "a.", "b", ""), "the statement is too long"},
		{"a name", "SELECT " + strings.Repeat("ä", IdentCharsMax+1), "an identifier of 257 characters; at most 256"},
		{"a quoted name", "SELECT `" + strings.Repeat("ä", IdentCharsMax+1) + "`", "an identifier of 257 characters"},
		{"the text", strings.Repeat(" ", TextBytesMax) + "1", "the text is too long: 1048577 bytes of at most 1048576"},
		{"no UTF-8", "SELECT 'a\xc3'", "byte 9 of the text, 0xc3, is no UTF-8"},
		{"a surrogate", "SELECT 'a' -- \xed\xa0\x80", "byte 14 of the text, 0xed, is no UTF-8"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseStatement(c.text)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%T, want an error", err)
			}
			if !strings.Contains(e.Message.Primary, c.want) {
				t.Errorf("%s\nwant %s", e.Message.Primary, c.want)
			}
			if n := len([]rune(e.Line)); n > lineCharsMax+len("......") {
				t.Errorf("the line has %d characters", n)
			}
			if n := len(ParseScript(c.text)); n == 0 || n > ErrorsMax {
				t.Errorf("%d statements as a script", n)
			}
		})
	}
}

// What is just within the limits parses, prints and parses again, though trees are deep.
func TestWithinLimits(t *testing.T) {
	cases := map[string]string{
		"brackets":       "SELECT " + strings.Repeat("(", NestingMax-2) + "1" + strings.Repeat(")", NestingMax-2),
		"signs":          "SELECT " + strings.Repeat("- ", NestingMax-2) + "1",
		"operators":      "SELECT " + strings.Repeat("a + ", OperatorsMax) + "1",
		"set operations": strings.Repeat("SELECT 1 UNION ALL ", OperatorsMax) + "SELECT 1",
		"columns":        "SELECT " + strings.Repeat("a, ", TokensMax/2-10) + "1",
		"a name":         "SELECT " + strings.Repeat("ä", IdentCharsMax),
		"the text":       "SELECT 1" + strings.Repeat(" ", TextBytesMax-len("SELECT 1")),
		"values":         "INSERT INTO t VALUES (1)" + strings.Repeat(", (1)", 10_000),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := ParseStatement(text)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseStatement(ast.Print(s))
			roundTrip(t, s, again, err)
		})
	}
}

// TestHugeTextIsRefusedUnread: 10 MB cost no memory. That they cost no time follows: nothing is looked at but the length.
func TestHugeTextIsRefusedUnread(t *testing.T) {
	text := strings.Repeat("SELECT (", 10<<20/8)
	if allocs := testing.AllocsPerRun(10, func() {
		if _, err := ParseStatement(text); err == nil {
			t.Error("parsed")
		}
	}); allocs > 10 {
		t.Errorf("%v allocations", allocs)
	}
}

// Memory grows with the text by a bounded factor, whatever the text.
func TestMemoryIsInProportion(t *testing.T) {
	for _, part := range []string{";", "a;", "(", "SELECT 1;", "SELECT 1+1+", "/*+", "'", "\n'", "SET a", "SET a=b;", "a "} {
		text := strings.Repeat(part, TextBytesMax/4/len(part))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n := len(ParseScript(text))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 600*uint64(len(text)) {
			t.Errorf("%q: %d statements took %d bytes a byte", part, n, used/uint64(len(text)))
		}
	}
}
