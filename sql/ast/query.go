package ast

// Query is a whole query: a body, and what goes around it. It is a Statement too, and a QueryBody where it stands in
// brackets with a clause of its own; brackets around a bare body leave no trace.
type Query struct {
	Span
	With    []*CTE
	Body    QueryBody
	OrderBy []*OrderItem
	// Limit and Offset are nil if unsaid. FETCH FIRST is a Limit; LIMIT ALL is none.
	Limit, Offset Expr
}

// CTE is a query that WITH gives a name.
type CTE struct {
	Span
	Name    Ident
	Columns []Ident
	Query   *Query
}

// QueryBody is what gives a query's rows: a Select, SetOp, Values, TableQuery or Query.
type QueryBody interface {
	Node
	isQueryBody()
}

// Select is a SELECT.
type Select struct {
	Span
	Hints      []*Hint
	Quantifier Quantifier
	Items      []*SelectItem
	From       []TableRef // several are joined by commas; none for a single row
	Where      Expr
	GroupBy    []GroupItem
	Having     Expr
	Windows    []*NamedWindow
	Qualify    Expr
}

// SelectItem is an expression of a select list. A Star has no alias.
type SelectItem struct {
	Span
	X     Expr
	Alias *Ident
}

// NamedWindow is a window of the WINDOW clause.
type NamedWindow struct {
	Span
	Name Ident
	Spec *WindowSpec
}

// SetOperator combines two queries.
type SetOperator string

// The set operators. Intersect binds more strongly than the others.
const (
	Union     SetOperator = "UNION"
	Intersect SetOperator = "INTERSECT"
	Except    SetOperator = "EXCEPT" // MINUS is another name
)

// SetOp is a set operation. All tells that duplicates count; DISTINCT is the default and leaves no trace.
type SetOp struct {
	Span
	Op          SetOperator
	All         bool
	Left, Right QueryBody
}

// Values is VALUES: each row a Row, or a bare expression for one column.
type Values struct {
	Span
	Rows []Expr
}

// TableQuery is TABLE t in the place of SELECT * FROM t.
type TableQuery struct {
	Span
	Name Name
}

// GroupItem is one item of a GROUP BY: a GroupExpr, GroupTuple or GroupSets.
type GroupItem interface {
	Node
	isGroupItem()
}

// GroupExpr groups by an expression.
type GroupExpr struct {
	Span
	X Expr
}

// GroupTuple is several expressions taken as one, or none: (a, b) and ().
type GroupTuple struct {
	Span
	Items []Expr
}

// GroupSetsKind tells how a GroupSets makes grouping sets of its items.
type GroupSetsKind string

// The kinds of grouping sets.
const (
	GroupingSets GroupSetsKind = "GROUPING SETS"
	Rollup       GroupSetsKind = "ROLLUP"
	Cube         GroupSetsKind = "CUBE"
)

// GroupSets is several groupings at once.
type GroupSets struct {
	Span
	Kind  GroupSetsKind
	Items []GroupItem
}

// Hint is one of /*+ OPTIONS('k'='v'), BROADCAST(t) */.
type Hint struct {
	Span
	Name Ident
	Args []HintArg
}

// HintArg is 'k'='v', or a name or a literal alone, which has no value.
type HintArg struct {
	Span
	Key   string
	Plain bool // the key is an identifier or a number, not a string
	Value *Text
}

func (*Query) isQueryBody()      {}
func (*Select) isQueryBody()     {}
func (*SetOp) isQueryBody()      {}
func (*Values) isQueryBody()     {}
func (*TableQuery) isQueryBody() {}

func (*GroupExpr) isGroupItem()  {}
func (*GroupTuple) isGroupItem() {}
func (*GroupSets) isGroupItem()  {}
