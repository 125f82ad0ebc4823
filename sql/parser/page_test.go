package parser

import (
	"os"
	"strings"
	"testing"
)

// TestGrammarPage parses every block of SQL in the page about the grammar.
func TestGrammarPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/sql/grammar.md")
	if err != nil {
		t.Fatal(err)
	}
	statements := 0
	for i, part := range strings.Split(string(page), "```") {
		text, ok := strings.CutPrefix(part, "sql\n")
		if !ok || i%2 == 0 {
			continue
		}
		for _, s := range ParseScript(text) {
			if s.Err != nil {
				t.Error(s.Err)
			}
			statements++
		}
	}
	if statements < 50 {
		t.Errorf("%d statements in the page: are they still found?", statements)
	}
}
