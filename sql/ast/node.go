package ast

import (
	"strings"
	"unicode/utf8"

	"millrace/failure"
)

// Span is a range of bytes of the text that was parsed, without its end. The zero value is no place: a node that nobody
// wrote.
type Span struct {
	Start, End int
}

// Range returns the span itself; nodes have it by embedding a Span.
func (s Span) Range() Span { return s }

// PositionOf returns line and column of a byte offset, both from 1, columns in characters. An offset beyond the text is
// its end. A byte that is part of no character counts as one.
func PositionOf(text string, offset int) failure.Position {
	before := text[:min(max(offset, 0), len(text))]
	line := strings.Count(before, "\n") + 1
	start := strings.LastIndexByte(before, '\n') + 1
	return failure.Position{Line: line, Column: utf8.RuneCountInString(before[start:]) + 1}
}

// Node is anything of a tree that Walk visits.
type Node interface {
	// Range returns where the node stands in the text.
	Range() Span
	// each calls f for the children that there are, in the order of their printing.
	each(f func(Node))
	print(p *printer)
}

// Walk calls visit for the node and everything in it, parents first, until visit returns false for a branch. A nil node is
// no node.
func Walk(n Node, visit func(Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	n.each(func(child Node) { Walk(child, visit) })
}

// eachOf calls f for every node of a list.
func eachOf[N Node](f func(Node), list []N) {
	for _, n := range list {
		f(n)
	}
}

// eachIf calls f for n unless it is nil: a nil pointer in an interface is no nil interface.
func eachIf[N any, P interface {
	*N
	Node
}](f func(Node), n P) {
	if n != nil {
		f(n)
	}
}

// Ident is one identifier. Its case counts.
type Ident struct {
	Span
	Name string
	// Quoted tells that it stood in backquotes.
	Quoted bool
}

// Name is an identifier of one part or several: a column, catalog.database.table, a function.
type Name struct {
	Span
	Parts []Ident
}

// String prints the name, quoted where it was or has to be.
func (n Name) String() string {
	parts := make([]string, len(n.Parts))
	for i, id := range n.Parts {
		parts[i] = id.String()
	}
	return strings.Join(parts, ".")
}

// Strings returns the parts without quotes.
func (n Name) Strings() []string {
	parts := make([]string, len(n.Parts))
	for i, id := range n.Parts {
		parts[i] = id.Name
	}
	return parts
}

// Text is a string of the syntax, not of an expression: a comment, an option.
type Text struct {
	Span
	Value string
}

// Option is a pair of a WITH clause or of SET.
type Option struct {
	Span
	Key, Value Text
}
