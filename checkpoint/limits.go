package checkpoint

const (
	// DefaultRetained is how many completed checkpoints are kept where the job names no number.
	DefaultRetained = 3
	// UnconfirmedMax is how many completed checkpoints may await the confirmation of a sink's committer. At the limit no
	// periodic checkpoint is triggered: output that nobody can see is not worth an ever longer list.
	UnconfirmedMax = 32
	// SavepointsWaitingMax is how many savepoints may wait for the one before them.
	SavepointsWaitingMax = 16
	// ManifestBytesMax is the most bytes of an encoded manifest.
	ManifestBytesMax = 64 << 20
	// InlineBytesMax is the most bytes of a state file that stands in the manifest itself.
	InlineBytesMax = 1 << 20
	// ChainFilesMax is the most files of a task's state: restoring reads a bounded number.
	ChainFilesMax = 256
	// VerticesMax is the most vertices of a manifest.
	VerticesMax = 10_000
	// TasksMax is the most tasks of a vertex.
	TasksMax = 32_768
	// SplitsMax is the most splits of a vertex.
	SplitsMax = 1_000_000
	// CommittablesMax is the most committables of a vertex.
	CommittablesMax = 1_000_000

	// idsLow and idsBlock: when fewer than idsLow allotted ids are left, the coordinator asks for idsBlock more.
	idsLow   = 8
	idsBlock = 64

	// lastFailuresMax is how often the last checkpoint of a job may fail in one attempt. Each time a sink may have prepared output,
	// of which it can hold a bounded number: behind that it takes no row, and lets no barrier through, until one is committed.
	lastFailuresMax = 5

	// The back-off between tries of a final or suspending checkpoint, in milliseconds.
	retryMinMillis = 200
	retryMaxMillis = 10_000
)
