package plan

// What stands in this file is made by the optimizer: no text says it of itself.

// Rank keeps the rows of each partition whose ROW_NUMBER lies between From and To, counted from 1: the input's columns, and
// behind them the rank where Number says so.
type Rank struct {
	Input     Node
	Partition []int
	Order     []Order
	From, To  int64
	// ToColumn is the integer column of the input that holds a partition's last rank in place of To; NoColumn: To holds.
	ToColumn int
	Number   bool
	// WindowEnd is the end of the window in which rows are ranked; Partition has none of the window's columns then.
	// NoColumn: no windows.
	WindowEnd int
	Result    Schema
}

// Deduplicate keeps the first or the last row of each key by a time attribute.
type Deduplicate struct {
	Input     Node
	Keys      []int
	Time      int // an EventTime or ProcessingTime column
	KeepLast  bool
	WindowEnd int // as of Rank
}

// JoinKey is a pair of columns that must be equal; those of the right side are counted from 0.
type JoinKey struct {
	Left, Right int
	// NullEquals lets NULL meet NULL (IS NOT DISTINCT FROM).
	NullEquals bool
}

// JoinWindow says that rows meet within equal windows only, by the columns of both sides; the right ones count from 0.
type JoinWindow struct {
	LeftStart, LeftEnd   int
	RightStart, RightEnd int
}

// JoinInterval says that rows meet where the left time less the right one lies between Lower and Upper, both in
// milliseconds and inclusive.
type JoinInterval struct {
	LeftTime, RightTime int // the right one counts from 0
	Lower, Upper        int64
}

// Schema implements Node.
func (n *Rank) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Deduplicate) Schema() Schema { return n.Input.Schema() }

// Inputs implements Node.
func (n *Rank) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Deduplicate) Inputs() []Node { return []Node{n.Input} }

// With implements Node.
func (n *Rank) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Deduplicate) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}
