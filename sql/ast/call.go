package ast

// Quantifier is DISTINCT or ALL before arguments or a select list.
type Quantifier string

// The quantifiers.
const (
	Unquantified Quantifier = ""
	Distinct     Quantifier = "DISTINCT"
	All          Quantifier = "ALL"
)

// Call is a function called by name. Forms with words of their own are calls too, their words being Symbol arguments:
// EXTRACT(YEAR FROM x) has the arguments YEAR and x, TRIM(BOTH a FROM b) BOTH, a and b, FLOOR(x TO DAY) x and DAY, and
// TIMESTAMPADD(DAY, 1, x) begins with DAY. POSITION(a IN b), SUBSTRING(a FROM b FOR c) and OVERLAY(a PLACING b FROM c FOR d)
// have the arguments in the order written, JSON_OBJECT and JSON_OBJECTAGG keys and values in turn.
type Call struct {
	Span
	Name Name
	// Bare tells that the call has no brackets: CURRENT_TIMESTAMP.
	Bare       bool
	Quantifier Quantifier
	Args       []Expr
	OrderBy    []*OrderItem // within the brackets, as of ARRAY_AGG
	JSON       *JSONClauses // nil where none was written
	// What follows the brackets.
	WithinGroup []*OrderItem
	Filter      Expr // nil without FILTER
	Nulls       NullTreatment
	Over        *Over // nil for a call that is no window function's
}

// Word returns the function's name in upper case if it is one word without quotes, and otherwise nothing: what the functions
// with forms of their own are known by.
func (n *Call) Word() string {
	if len(n.Name.Parts) != 1 || n.Name.Parts[0].Quoted {
		return ""
	}
	return Keyword(n.Name.Parts[0].Name)
}

// NullTreatment is what a window function does with NULL.
type NullTreatment string

// The null treatments.
const (
	DefaultNulls NullTreatment = ""
	IgnoreNulls  NullTreatment = "IGNORE NULLS"
	RespectNulls NullTreatment = "RESPECT NULLS"
)

// Symbol is a word that a form of a function takes: a unit, or a side of TRIM. In upper case.
type Symbol struct {
	Span
	Word string
}

// NamedArg is name => value.
type NamedArg struct {
	Span
	Name  Ident
	Value Expr
}

// DefaultArg is DEFAULT in the place of an argument or of a value to insert.
type DefaultArg struct {
	Span
}

// TableArg is a table handed to a function: TABLE t, or TABLE (query). Table or Query is set.
type TableArg struct {
	Span
	Table       *TableName
	Query       *Query
	PartitionBy []Expr
	OrderBy     []*OrderItem
}

// Descriptor is DESCRIPTOR(a, b): names of columns as a value.
type Descriptor struct {
	Span
	Columns []Name
}

// JSONClauses are what only the JSON functions take. What was not written is empty or nil.
type JSONClauses struct {
	Span
	Returning *TypeName
	Wrapper   JSONWrapper
	OnEmpty   *JSONBehavior
	OnError   *JSONBehavior
	OnNull    JSONOnNull
}

// JSONWrapper tells whether JSON_QUERY puts its result into an array.
type JSONWrapper string

// The wrappers.
const (
	DefaultWrapper     JSONWrapper = ""
	WithoutWrapper     JSONWrapper = "WITHOUT ARRAY WRAPPER"
	ConditionalWrapper JSONWrapper = "WITH CONDITIONAL ARRAY WRAPPER"
	AlwaysWrapper      JSONWrapper = "WITH UNCONDITIONAL ARRAY WRAPPER"
)

// JSONOnNull tells what JSON_OBJECT and JSON_ARRAY do with NULL.
type JSONOnNull string

// What becomes of NULL.
const (
	DefaultOnNull JSONOnNull = ""
	NullOnNull    JSONOnNull = "NULL ON NULL"
	AbsentOnNull  JSONOnNull = "ABSENT ON NULL"
)

// JSONBehavior is what ON EMPTY and ON ERROR give.
type JSONBehavior struct {
	Span
	// Word is NULL, ERROR, EMPTY ARRAY, EMPTY OBJECT, TRUE, FALSE, UNKNOWN, or DEFAULT, which has a value.
	Word  string
	Value Expr
}

// Over is what follows the word OVER: a name of the WINDOW clause, or a window of its own.
type Over struct {
	Span
	Name *Ident
	Spec *WindowSpec
}

// WindowSpec is a window: rows of a partition, in an order, within a frame. Base names one of the WINDOW clause that it adds to.
type WindowSpec struct {
	Span
	Base        *Ident
	PartitionBy []Expr
	OrderBy     []*OrderItem
	Frame       *Frame // nil if unsaid
}

// Frame bounds a window around the current row.
type Frame struct {
	Span
	ByValue bool // RANGE; otherwise ROWS
	Start   FrameBound
	End     *FrameBound // nil without BETWEEN
}

// BoundKind is where a frame begins or ends.
type BoundKind string

// The kinds of bounds.
const (
	UnboundedPreceding BoundKind = "UNBOUNDED PRECEDING"
	Preceding          BoundKind = "PRECEDING"
	CurrentRow         BoundKind = "CURRENT ROW"
	Following          BoundKind = "FOLLOWING"
	UnboundedFollowing BoundKind = "UNBOUNDED FOLLOWING"
)

// FrameBound is an end of a frame. Offset is set for Preceding and Following.
type FrameBound struct {
	Kind   BoundKind
	Offset Expr
}

// NullOrder is where NULL stands in an order.
type NullOrder string

// The orders of NULL.
const (
	DefaultNullOrder NullOrder = ""
	NullsFirst       NullOrder = "NULLS FIRST"
	NullsLast        NullOrder = "NULLS LAST"
)

// OrderItem is one expression of an ORDER BY.
type OrderItem struct {
	Span
	X     Expr
	Desc  bool
	Nulls NullOrder
}

func (*Call) isExpr()       {}
func (*Symbol) isExpr()     {}
func (*NamedArg) isExpr()   {}
func (*DefaultArg) isExpr() {}
func (*TableArg) isExpr()   {}
func (*Descriptor) isExpr() {}
