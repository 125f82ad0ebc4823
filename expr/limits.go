package expr

// Bounds of a tree, so that one that came over the wire can't exhaust the
// stack or the memory of who checks it.
const (
	// DepthMax is the deepest nesting of a tree.
	DepthMax = 1_000
	// NodesMax is the largest number of nodes of a tree; a shared node counts
	// each time that it is met.
	NodesMax = 100_000
	// ArgsMax is the largest number of arguments of one call.
	ArgsMax = 1_000
	// ProblemsMax is the largest number of problems that Check reports.
	ProblemsMax = 100
)
