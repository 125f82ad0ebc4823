package optimize

// Bounds of the work on one plan.
const (
	// PassesMax is how often a stage goes over a plan. Each pass carries every condition at least one node further.
	PassesMax = 100
	// NodesMax is the largest plan, counted with shared nodes once. A plan beyond is refused.
	NodesMax = 10_000
	// splitColumnsMax bounds the columns with DISTINCT of an aggregate in two levels: so often each of its rows is there.
	splitColumnsMax = 64
	// foldedBytesMax is the longest text that a constant may become: REPEAT('x', 1000000) stays a call.
	foldedBytesMax = 1 << 10
)
