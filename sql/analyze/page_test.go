package analyze_test

import (
	"os"
	"strings"
	"testing"

	"millrace/sql/analyze"
	"millrace/sql/parser"
)

// TestMeaningPage analyzes every block of the page about meaning, one after the other in one catalog.
func TestMeaningPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/sql/meaning.md")
	if err != nil {
		t.Fatal(err)
	}
	env := newEnvironment(t)
	blocks := strings.Split(string(page), "```sql\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("the page has %d blocks", len(blocks))
	}
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		for _, p := range parser.ParseScript(text) {
			if p.Err != nil {
				t.Errorf("%v", p.Err)
				continue
			}
			r, err := analyze.Statement(env.input(t, text), p.Statement)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			if changes, ok := r.(*analyze.Changes); ok {
				if err := env.store.Apply(t.Context(), changes.List...); err != nil {
					t.Errorf("%v", err)
				}
			}
		}
	}
}
