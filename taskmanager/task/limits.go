package task

const (
	// pendingSnapshotsMax is how many frozen snapshots may await their upload; a
	// barrier beyond it is passed on and its checkpoint declined.
	pendingSnapshotsMax = 2
	// pieceRows is how many rows a sink that does not keep up is given at a time, where
	// barriers may overtake.
	pieceRows = 256
	// stepBatches is how many batches one Step lets leave the chain.
	stepBatches = 8
	// traceBytesMax bounds the stack of a panic that is ours.
	traceBytesMax = 1 << 14
	// commandsMax bounds the mailbox. What fills it is bounded by itself
	// (checkpoints under way, splits of a source), so reaching it is a bug.
	commandsMax = 1 << 16
)
