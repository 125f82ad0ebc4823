// Package plan is a query between its text and its job: relations with typed expressions, names resolved, nothing said of
// how they are computed. The analyzer makes plans, the optimizer turns them into equal ones, and the physical planner makes
// job graphs of them.
//
// Plans are immutable and may share nodes: a node that is met twice is computed once. Expressions count the columns of
// their node's input; those of a Join count the left columns, then the right ones.
package plan

import (
	"time"

	"millrace/catalog"
	"millrace/expr"
	"millrace/types"
)

// TimeKind tells which columns are times that the engine goes by.
type TimeKind uint8

// The kinds.
const (
	NoTime TimeKind = iota
	// EventTime columns have a watermark: a TIMESTAMP(0..3) or TIMESTAMP_LTZ(0..3) of which no row is expected
	// that is older than the watermark.
	EventTime
	// ProcessingTime columns have no value until they are asked for; as a value they are TIMESTAMP_LTZ(3) NOT NULL.
	ProcessingTime
)

// Column is a column of a node's result.
type Column struct {
	Name string
	Type types.Type
	Time TimeKind
}

// Schema is the columns of a node's result. Names need not be unique in the middle of a plan.
type Schema []Column

// Types returns the schema as a batch has it. Names that occur twice get a number, as Flink gives them (a, a0, a1).
func (s Schema) Types() *types.Schema {
	fields := make([]types.Field, len(s))
	taken := make(map[string]bool, len(s))
	for i, c := range s {
		fields[i] = types.Field{Name: unique(c.Name, taken), Type: c.Type}
	}
	return types.NewSchema(fields...)
}

// Index returns the first column of that name, -1 where there is none.
func (s Schema) Index(name string) int {
	for i := range s {
		if s[i].Name == name {
			return i
		}
	}
	return -1
}

// Node is a relation.
type Node interface {
	// Schema returns the columns of the result. It is not to be changed.
	Schema() Schema
	// Inputs returns the nodes that the node reads, in order.
	Inputs() []Node
	// With returns the node over other inputs, of the same schemas.
	With(inputs ...Node) Node
}

// Scan reads a table: physical and metadata columns, as many as are asked for.
type Scan struct {
	Path    catalog.Path
	Table   *catalog.Table
	Columns []int // of the table's, in the order of the result
	// Hints are options that the query gives the table.
	Hints  map[string]string
	Result Schema
}

// Values gives constant rows.
type Values struct {
	Rows   [][]expr.Expr
	Result Schema
}

// Project computes columns. A column that is merely passed on keeps its Time.
type Project struct {
	Input   Node
	Columns []expr.Expr
	Result  Schema
}

// Filter keeps rows for which Condition is TRUE.
type Filter struct {
	Input     Node
	Condition expr.Expr
}

// Watermark makes a column event time: the watermark is the largest value so far less Delay.
type Watermark struct {
	Input  Node
	Column int
	Delay  time.Duration
	Result Schema
}

// Call is an aggregate function. Over a grouping set GROUPING gives, for the keys that its Args are, the bits of those that the set
// lacks, the first key's highest; it is a BIGINT NOT NULL.
type Call struct {
	Func     string // upper case
	Args     []int  // columns of the input; none for COUNT(*)
	Distinct bool
	Filter   int // a BOOLEAN column of the input, NoColumn: all rows count
	// Set has only the rows of one grouping set count, by its number from 1; 0: those of all. In other sets the call gives what it gives of
	// no row.
	Set  int
	Text string // LISTAGG's separator
	// Offset is how many rows LAG and LEAD go, and the number of groups of NTILE. Args[1] of LAG and LEAD, where it is there, is
	// what stands for a row that is not.
	Offset int64
	Name   string
	Type   types.Type
}

// NoColumn stands where no column is meant.
const NoColumn = -1

// Aggregate groups rows by Keys: its columns are the keys, what Window adds, and the calls. Without keys there is one
// group. Several Sets (of positions in Keys) are grouping sets: keys outside a row's set are NULL.
type Aggregate struct {
	Input  Node
	Keys   []int
	Sets   [][]int // nil: all keys
	Calls  []Call
	Window *Window // of a group window (TUMBLE and so on in GROUP BY); nil without
	// Properties are the columns that Window adds, in order.
	Properties []WindowProperty
	Hints      []Hint // STATE_TTL
	Result     Schema
}

// WindowKind is a kind of window, by Flink's name.
type WindowKind string

// The kinds of windows.
const (
	Tumble   WindowKind = "TUMBLE"
	Hop      WindowKind = "HOP"
	Cumulate WindowKind = "CUMULATE"
	Session  WindowKind = "SESSION"
	// Attached rows have their window already, in the columns Start and End. The optimizer makes it of windows over windows.
	Attached WindowKind = "ATTACHED"
)

// Window deals rows out to windows of time.
type Window struct {
	Kind WindowKind
	Time int // an EventTime or ProcessingTime column of the input
	// Size is the length of a window, or the gap of a SESSION; Step is the slide of HOP and the step of CUMULATE.
	Size, Step, Offset time.Duration
	// Keys are the columns by which sessions are told apart (PARTITION BY of the function).
	Keys []int
	// Start and End are columns of the input, of Attached windows alone, which have neither Time nor Size.
	Start, End int
}

// WindowProperty is a column about a row's window.
type WindowProperty uint8

// The properties. WindowTime is the last moment of the window, and a time attribute.
const (
	WindowStart WindowProperty = iota
	WindowEnd
	WindowTime
)

// WindowTable is a window table function: the input's columns, then window_start, window_end and window_time. A row is
// there once for each window that it falls into.
type WindowTable struct {
	Input  Node
	Window Window
	Result Schema
}

// JoinKind is a kind of join.
type JoinKind string

// The kinds of joins. Semi and Anti give the left columns alone.
const (
	Inner JoinKind = "INNER"
	Left  JoinKind = "LEFT"
	Right JoinKind = "RIGHT"
	Full  JoinKind = "FULL"
	Semi  JoinKind = "SEMI"
	Anti  JoinKind = "ANTI"
)

// Join pairs rows for which Condition, over the left columns and then the right ones, is TRUE.
type Join struct {
	Kind        JoinKind
	Left, Right Node
	Condition   expr.Expr // nil: every pair
	// NullAware makes an Anti join that of NOT IN: a NULL on either side keeps rows out.
	NullAware bool
	// Single says that the right side has at most one row for each left one; a second is an error of the user (a scalar
	// subquery).
	Single bool
	Hints  []Hint
	Result Schema
	// What follows is found by the optimizer in Condition, which then no longer has it.
	Keys     []JoinKey
	Window   *JoinWindow
	Interval *JoinInterval
}

// Hint is a hint of the query for a node, such as STATE_TTL or LOOKUP. STATE_TTL of a join has its times by the words left and right, that of an
// aggregate by the word input.
type Hint struct {
	Name    string
	Options map[string]string
}

// TemporalJoin joins each left row with the version of the right rows that was valid at a moment (FOR SYSTEM_TIME AS OF).
type TemporalJoin struct {
	Kind        JoinKind // Inner or Left
	Left, Right Node
	Time        int // of the left columns: an EventTime or ProcessingTime
	Condition   expr.Expr
	Hints       []Hint
	Result      Schema
	// Keys are found by the optimizer in Condition, which then no longer has them.
	Keys []JoinKey
}

// ReplicateRows is the Func of a Correlate that gives each row as often as its argument, a BIGINT, says.
const ReplicateRows = "$REPLICATE_ROWS"

// Correlate gives for each left row what a table function makes of it.
type Correlate struct {
	Kind  JoinKind // Inner or Left
	Input Node
	Func  string      // UNNEST, ReplicateRows, or a table function's name
	Args  []expr.Expr // over the input
	// Ordinality adds a column that counts the rows from 1.
	Ordinality bool
	Result     Schema
}

// Order is a column to order by.
type Order struct {
	Column     int
	Descending bool
	NullsFirst bool
}

// Frame is the rows around a row over which a call of Over goes.
type Frame struct {
	Range bool // by value of the first order column; otherwise by rows
	// Preceding is the number of rows, or the milliseconds (with Range), before the current row; Unbounded has no beginning. A frame
	// ends at the current row.
	Preceding int64
	Unbounded bool
}

// Over adds a column for each call, over rows of the partition around each row: the input's columns, then the calls. All calls
// of a node have one partition, order and frame. Func may also be ROW_NUMBER, RANK, DENSE_RANK, LAG, LEAD, FIRST_VALUE, LAST_VALUE.
type Over struct {
	Input     Node
	Partition []int
	Order     []Order
	Frame     Frame
	Calls     []Call
	Result    Schema
}

// SetKind is a set operation.
type SetKind string

// The set operations.
const (
	Union     SetKind = "UNION"
	Intersect SetKind = "INTERSECT"
	Except    SetKind = "EXCEPT"
)

// Set combines inputs of equal types. Only Union takes more than two.
type Set struct {
	Kind   SetKind
	All    bool
	Of     []Node
	Result Schema
}

// Sort orders rows, and gives Limit of them behind the first Offset; Limit below 0 is no limit.
type Sort struct {
	Input         Node
	Order         []Order
	Limit, Offset int64
}

// Sink writes rows to a table. Columns are those of the table, physical and written metadata ones in order.
type Sink struct {
	Input     Node
	Path      catalog.Path
	Table     *catalog.Table
	Columns   []int // of the table's, in the order of the input
	Overwrite bool
	// Partition are the values of all columns of Table.PartitionedBy, in their order, where the statement that overwrites gives them all.
	Partition []expr.Expr
	Hints     map[string]string
}

// Collect gives rows to whoever asked the query.
type Collect struct {
	Input Node
}
