package ast

// TableRef is what stands in a FROM: a TableName, DerivedTable, TableFunction, Unnest or Join.
type TableRef interface {
	Node
	isTableRef()
}

// TableAlias is AS t or AS t(a, b).
type TableAlias struct {
	Span
	Name    Ident
	Columns []Ident
}

// TableName is a table or view by name.
type TableName struct {
	Span
	Name   Name
	Hints  []*Hint
	AsOf   Expr    // FOR SYSTEM_TIME AS OF; nil if unsaid
	Sample *Sample // nil without TABLESAMPLE
	Alias  *TableAlias
}

// Sample is TABLESAMPLE.
type Sample struct {
	Span
	System     bool // SYSTEM; otherwise BERNOULLI
	Percent    Expr
	Repeatable Expr // the seed; nil if unsaid
}

// DerivedTable is a query in a FROM.
type DerivedTable struct {
	Span
	Lateral bool // it may name columns of the tables before it
	Query   *Query
	Alias   *TableAlias
}

// TableFunction is a function whose rows are read: TABLE(f(x)), LATERAL TABLE(f(x)) or a window table function, which
// Flink also takes without TABLE.
type TableFunction struct {
	Span
	Lateral bool
	Call    *Call
	Alias   *TableAlias
}

// Unnest is UNNEST(x): the elements of a collection as rows.
type Unnest struct {
	Span
	Lateral    bool
	Items      []Expr
	Ordinality bool // WITH ORDINALITY
	Alias      *TableAlias
}

// JoinKind tells which rows a join keeps that have no partner.
type JoinKind string

// The kinds of joins.
const (
	InnerJoin JoinKind = "JOIN"
	LeftJoin  JoinKind = "LEFT JOIN"
	RightJoin JoinKind = "RIGHT JOIN"
	FullJoin  JoinKind = "FULL JOIN"
	CrossJoin JoinKind = "CROSS JOIN"
)

// Join is a join of two tables. Natural, On and Using exclude each other, and a CrossJoin has none of them. A comma before a
// join is a CrossJoin.
type Join struct {
	Span
	Kind        JoinKind
	Natural     bool
	Left, Right TableRef
	On          Expr
	Using       []Ident
}

func (*TableName) isTableRef()     {}
func (*DerivedTable) isTableRef()  {}
func (*TableFunction) isTableRef() {}
func (*Unnest) isTableRef()        {}
func (*Join) isTableRef()          {}
