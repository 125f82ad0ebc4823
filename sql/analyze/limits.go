package analyze

import "millrace/catalog"

// Bounds of a statement. What goes beyond is refused with its place.
const (
	// ColumnsMax is the largest number of columns of any relation in a query, * spelled out.
	ColumnsMax = catalog.ColumnsMax
	// NodesMax is the largest number of nodes that one statement makes, views expanded: views may name each other twice a level.
	NodesMax = 20_000
	// CellsMax is the largest number of columns of all nodes of a statement together: what a plan takes of memory.
	CellsMax = 500_000
	// ExprsMax is the largest number of expressions that one statement makes. What SQL says once may be meant several times: the
	// operand of a CASE is in each of its conditions, and within another CASE in each of those.
	ExprsMax = 200_000
	// ViewDepthMax is how deep views may stand within views.
	ViewDepthMax = 32
	// QueryDepthMax is how deep queries may stand within queries, those of views among them.
	QueryDepthMax = 100
	// GroupingSetsMax is the largest number of grouping sets of a GROUP BY: CUBE has 2 to the power of its items.
	GroupingSetsMax = 256
	// namesShown is how many names an error lists.
	namesShown = 8
)
