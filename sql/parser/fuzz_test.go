package parser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millrace/sql/ast"
)

// FuzzParse: whatever the text, nothing panics, every statement has a tree or an error with a place in the text, and what
// parses prints as what parses to an equal tree.
func FuzzParse(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, s := range ParseScript(text) {
			if s.Start < 0 || s.End > len(text) || s.Start > s.End {
				t.Fatalf("a statement at %v of %d bytes", s.Span, len(text))
			}
			if s.Err == nil && s.Start < end {
				t.Fatalf("a statement at %v, within the one before", s.Span)
			}
			end = s.End
			if s.Err != nil {
				checkError(t, s.Err, text)
				continue
			}
			checkSpans(t, s.Statement, len(text))
			again, err := ParseStatement(ast.Print(s.Statement))
			if !isLimit(err) {
				roundTrip(t, s.Statement, again, err)
			}
		}
	})
}

func checkError(t *testing.T, e *Error, text string) {
	t.Helper()
	if e.Offset < 0 || e.Offset > len(text) || e.Message.Primary == "" || e.Error() == "" {
		t.Errorf("an error at %d of %d bytes: %v", e.Offset, len(text), e)
	}
	if n := len([]rune(e.Line)); e.Caret > n {
		t.Errorf("the caret stands at %d of %d characters", e.Caret, n)
	}
}

// FuzzExpr is FuzzParse for expressions, which a fuzzer reaches sooner this way.
func FuzzExpr(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpr(text)
		if err != nil {
			return
		}
		checkSpans(t, e, len(text))
		again, err := ParseExpr(ast.Print(e))
		if !isLimit(err) {
			roundTrip(t, e, again, err)
		}
	})
}

// isLimit tells whether a text was refused for its size. A printed text may be larger than the one that was written, by an AS
// or by brackets.
func isLimit(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "too deeply") || strings.Contains(err.Error(), "too long"))
}

// corpus has the scripts and queries of testdata, whole and line by line.
func corpus(tb testing.TB) []string {
	tb.Helper()
	var list []string
	files, err := filepath.Glob("testdata/*/*.*")
	if err != nil || len(files) == 0 {
		tb.Fatal("no scripts", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, string(text))
		list = append(list, strings.Split(string(text), "\n")...)
	}
	return list
}
