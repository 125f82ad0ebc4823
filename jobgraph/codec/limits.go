package codec

// Bounds of what is read, so that a message can exhaust neither stack nor memory.
const (
	// BytesMax is the largest graph file.
	BytesMax = 16 << 20
	// ExprDepthMax is the deepest nesting of an expression.
	ExprDepthMax = 1_000
	// ExprNodesMax is the largest number of nodes of all expressions of a graph.
	ExprNodesMax = 50_000
)
