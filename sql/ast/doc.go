// Package ast has the syntax of Millrace's SQL as trees: what package parser makes of a text, before anybody asks whether
// its names exist and its types agree. The dialect is that of Flink 2.3.
//
// A tree says what was written, not what is meant: names are lists of identifiers, functions are called by name, literals
// are texts. What two spellings share has one form (INTERVAL '1' DAYS is INTERVAL '1' DAY, != is <>, SUBSTRING(a FROM b)
// is SUBSTRING(a, b), NUMERIC is DECIMAL), and brackets are kept by the shape of the tree alone.
//
// There are five families, each a sealed interface: Statement, QueryBody, TableRef, Expr and AlterAction; small parts of
// them (an ordering, a column of a CREATE TABLE) are structs. Every node has the range of bytes that it was made of, so
// that whoever finds fault with it can show the place: PositionOf turns an offset into line and column, at the time of the
// complaint and not before.
//
// Print gives the SQL of a tree on one line, in a form of its own: that is what logs, explanations and tests want, it needs
// no state of layout, and equal trees have equal texts. Parsing that text gives an equal tree (Equal ignores ranges). Walk
// visits a tree.
//
// Trees are data. Nobody changes one that was handed out.
package ast
