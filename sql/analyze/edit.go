package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"millrace/sql/ast"
)

// edit remembers what a part of a view's text is replaced by.
func (a *analyzer) edit(at ast.Span, columns []string) {
	if a.edits != nil && at.End > at.Start {
		a.edits[at] = strings.Join(columns, ", ")
	}
}

// edited returns the text of a tree with all edits made: the rest stays as it was written.
func (a *analyzer) edited(q ast.Node) string {
	span := q.Range()
	if span.Start < 0 || span.Start >= span.End || span.End > len(a.text) {
		return ast.Print(q)
	}
	spans := slices.SortedFunc(maps.Keys(a.edits), func(x, y ast.Span) int { return cmp.Compare(x.Start, y.Start) })
	var b strings.Builder
	at := span.Start
	for _, s := range spans {
		if s.Start < at || s.End > span.End {
			continue // of no text: nobody wrote it
		}
		b.WriteString(a.text[at:s.Start])
		b.WriteString(a.edits[s])
		at = s.End
	}
	b.WriteString(a.text[at:span.End])
	return b.String()
}
