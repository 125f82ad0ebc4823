package checkpoint

import (
	"encoding/hex"
	"fmt"

	"millrace/jobgraph"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Kind tells what a checkpoint is for. The numbers are those of checkpointv1.CheckpointKind.
type Kind uint8

// The kinds.
const (
	Periodic  Kind = 1
	Savepoint Kind = 2
	// Suspend checkpoints end a job that is stopped: sources read no further behind the barrier.
	Suspend Kind = 3
	// Final checkpoints end a job whose tasks have all taken their last row.
	Final Kind = 4
)

// KindOf returns the kind of a manifest or message.
func KindOf(k checkpointv1.CheckpointKind) Kind { return Kind(k) }

// Proto returns the kind as it stands in messages.
func (k Kind) Proto() checkpointv1.CheckpointKind { return checkpointv1.CheckpointKind(k) }

// String returns the kind's lower-case word.
func (k Kind) String() string {
	switch k {
	case Periodic:
		return "periodic"
	case Savepoint:
		return "savepoint"
	case Suspend:
		return "suspend"
	case Final:
		return "final"
	default:
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
}

// Sum is the SHA-256 of an encoded manifest. The zero value is none.
type Sum [32]byte

// Bytes returns the digest as messages have it: empty for the zero value.
func (s Sum) Bytes() []byte {
	if s == (Sum{}) {
		return nil
	}
	return s[:]
}

// String prints the digest in hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Pointer names a completed checkpoint. The zero value is none.
type Pointer struct {
	ID          types.CheckpointID
	ManifestKey string
	Sum         Sum
}

// Vertex is what the coordinator must know of a vertex of the job.
type Vertex struct {
	ID          types.VertexID
	Parallelism int32
	// LargestParallelism is that of the manifests so far; 0 for a new job.
	LargestParallelism int32
	// Source and Committer say that the vertex has a source, or a sink whose committer confirms.
	Source    bool
	Committer bool
	// Enumerator is the state of the source's enumerator in the restored checkpoint, nil if there is none.
	Enumerator []byte
	// Splits are those of the restored checkpoint. Until the enumerator has assigned them (EnumeratorState), no reader has
	// them, and checkpoints keep their positions here.
	Splits []*checkpointv1.SplitState
}

// Config says for what a Coordinator works. Step does not change it; the coordinator keeps its slices.
type Config struct {
	Job            types.JobID
	Attempt        types.Attempt
	Term           types.Term
	Vertices       []Vertex // in any order
	MaxParallelism int
	Spec           jobgraph.CheckpointSpec
	// Latest is what the coordination store names as the last complete checkpoint, whether or not the attempt was restored
	// from it; zero in a new job. Its sinks' output is committed, because committers recover before tasks start.
	Latest Pointer
	// Retained are the completed checkpoints that are kept, oldest first, Latest last.
	Retained []Pointer
	// NextID is an id that was never used in this job, larger than all that were; 0 means 1.
	NextID types.CheckpointID
	// AllottedThrough is the last id that is durably this coordinator's. 0 means that the shell allots ids in some other
	// way: AllotIDs is never asked for.
	AllottedThrough types.CheckpointID
}

// Figures say what a task's part of a checkpoint cost.
type Figures struct {
	AlignmentMicros int64
	FreezeMicros    int64
	UploadMicros    int64
	WrittenBytes    int64
	StateBytes      int64
	// Unaligned says that the barrier overtook rows; InFlightBytes of WrittenBytes are those.
	Unaligned     bool
	InFlightBytes int64
}
