package ast

// Expr is an expression.
type Expr interface {
	Node
	isExpr()
}

// ColumnRef names a column, a field of one, or whatever else the analyzer finds under the name.
type ColumnRef struct {
	Span
	Name Name
}

// Star is * or, with a qualifier, t.*. It stands in a select list and as the argument of COUNT.
type Star struct {
	Span
	Qualifier Name // without parts for a bare *
}

// LiteralKind tells what a literal's text is.
type LiteralKind uint8

// The kinds of literals.
const (
	// NullLiteral and the truth values have no text.
	NullLiteral LiteralKind = iota
	TrueLiteral
	FalseLiteral
	UnknownLiteral
	// IntegerLiteral is digits alone; DecimalLiteral has a point and is exact; DoubleLiteral has an exponent.
	IntegerLiteral
	DecimalLiteral
	DoubleLiteral
	// StringLiteral is the text itself, without quotes and with escapes resolved.
	StringLiteral
	// BinaryLiteral is an even number of hexadecimal digits in upper case.
	BinaryLiteral
	// These have the text between the quotes. Whether it is a date and such is not known here.
	DateLiteral
	TimeLiteral
	TimestampLiteral
	TimestampLTZLiteral
)

// Literal is a constant.
type Literal struct {
	Span
	Kind LiteralKind
	Text string
}

// Unit is a field of a time, as in EXTRACT, and a bound of an interval. Always in upper case and singular: DAY.
type Unit string

// The units that an interval may have.
const (
	Year    Unit = "YEAR"
	Quarter Unit = "QUARTER"
	Month   Unit = "MONTH"
	Week    Unit = "WEEK"
	Day     Unit = "DAY"
	Hour    Unit = "HOUR"
	Minute  Unit = "MINUTE"
	Second  Unit = "SECOND"
)

// Qualifier is what an interval counts: DAY, SECOND(3), YEAR(4) TO MONTH.
type Qualifier struct {
	From Unit
	// Precision is the number of digits of the first unit, Fraction that of fractions of a second; -1 is unsaid.
	Precision int
	To        Unit // empty without TO
	Fraction  int
}

// Interval is an interval literal: INTERVAL '1' DAY.
type Interval struct {
	Span
	Negative  bool   // a minus before the quotes
	Value     string // between the quotes, unexamined
	Qualifier Qualifier
}

// Unary is an operator before its operand.
type Unary struct {
	Span
	Op UnaryOp
	X  Expr
}

// Binary is an operator between two operands.
type Binary struct {
	Span
	Op          BinaryOp
	Left, Right Expr
}

// Between is X [NOT] BETWEEN Low AND High.
type Between struct {
	Span
	X         Expr
	Not       bool
	Symmetric bool // the bounds may stand in either order
	Low, High Expr
}

// In is X [NOT] IN (list) or (query): List or Query is set. A list of one Subquery is a Query.
type In struct {
	Span
	X     Expr
	Not   bool
	List  []Expr
	Query *Query
}

// Like is X [NOT] LIKE Pattern [ESCAPE Escape], or SIMILAR TO.
type Like struct {
	Span
	X       Expr
	Not     bool
	Similar bool
	Pattern Expr
	Escape  Expr // nil if unsaid
}

// Test is what IS asks of one operand.
type Test string

// The tests.
const (
	IsNull       Test = "NULL"
	IsTrue       Test = "TRUE"
	IsFalse      Test = "FALSE"
	IsUnknown    Test = "UNKNOWN"
	IsJSON       Test = "JSON VALUE"
	IsJSONObject Test = "JSON OBJECT"
	IsJSONArray  Test = "JSON ARRAY"
	IsJSONScalar Test = "JSON SCALAR"
)

// Is is X IS [NOT] Test. IS DISTINCT FROM is a Binary.
type Is struct {
	Span
	X    Expr
	Not  bool
	Test Test
}

// Quantified compares X with some or all of a list or of a query's rows: List or Query is set.
type Quantified struct {
	Span
	X     Expr
	Op    BinaryOp
	All   bool // ALL; otherwise ANY, of which SOME is another name
	List  []Expr
	Query *Query
}

// Exists is EXISTS (query).
type Exists struct {
	Span
	Query *Query
}

// Subquery is a query in brackets where a value stands.
type Subquery struct {
	Span
	Query *Query
}

// When is a branch of a Case.
type When struct {
	Span
	If, Then Expr
}

// Case is CASE WHEN ... END, or with an operand CASE x WHEN ... END.
type Case struct {
	Span
	Operand Expr // nil for a searched case
	Whens   []*When
	Else    Expr // nil if unsaid
}

// Cast is CAST(X AS Type), or TRY_CAST.
type Cast struct {
	Span
	Try  bool
	X    Expr
	Type *TypeName
}

// Row is (a, b) or ROW(a, b).
type Row struct {
	Span
	Explicit bool // with the word ROW
	Items    []Expr
}

// CollectionKind tells what a Collection makes.
type CollectionKind string

// The kinds of collections.
const (
	ArrayCollection    CollectionKind = "ARRAY"
	MapCollection      CollectionKind = "MAP" // of keys and values in turn
	MultisetCollection CollectionKind = "MULTISET"
)

// Collection is ARRAY[...], MAP[...] or MULTISET[...].
type Collection struct {
	Span
	Kind  CollectionKind
	Items []Expr
}

// Index is X[At]: an element of an array, the value of a key.
type Index struct {
	Span
	X, At Expr
}

// FieldOf is X.Field where X is no mere name: (f(x)).a, b[1].c.
type FieldOf struct {
	Span
	X     Expr
	Field Ident
}

func (*ColumnRef) isExpr()  {}
func (*Star) isExpr()       {}
func (*Literal) isExpr()    {}
func (*Interval) isExpr()   {}
func (*Unary) isExpr()      {}
func (*Binary) isExpr()     {}
func (*Between) isExpr()    {}
func (*In) isExpr()         {}
func (*Like) isExpr()       {}
func (*Is) isExpr()         {}
func (*Quantified) isExpr() {}
func (*Exists) isExpr()     {}
func (*Subquery) isExpr()   {}
func (*Case) isExpr()       {}
func (*Cast) isExpr()       {}
func (*Row) isExpr()        {}
func (*Collection) isExpr() {}
func (*Index) isExpr()      {}
func (*FieldOf) isExpr()    {}
