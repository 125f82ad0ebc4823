package jobgraph

import (
	"time"

	"millrace/types"
)

// Graph is a job. It is immutable once validated.
type Graph struct {
	Name     string
	Vertices []Vertex
	Edges    []Edge
	// MaxParallelism is the number of key groups of every vertex; 0 means
	// types.DefaultMaxParallelism.
	MaxParallelism int
	// Parallelism is that of vertices that name none; 0 leaves it to the cluster.
	Parallelism int
	Checkpoint  CheckpointSpec
	Restart     RestartSpec
	// BufferTimeout is how long rows may wait in a partitioner for company
	// (Flink: execution.buffer-timeout); 0 means DefaultBufferTimeout.
	BufferTimeout time.Duration
	// WatermarkInterval is how often sources emit watermarks (Flink:
	// pipeline.auto-watermark-interval); 0 means DefaultWatermarkInterval.
	WatermarkInterval time.Duration
	// Zone is the time zone in which expressions of the job convert between TIMESTAMP_LTZ and other types (Flink:
	// table.local-time-zone), by a name that types.LoadZone knows; "" is UTC.
	Zone string
	// TaskManagerLabels must all be on a task manager, with these values, for it to
	// run tasks of the job.
	TaskManagerLabels map[string]string
	// Program has the functions of native operators; nil: the job needs none.
	Program *ProgramSpec
}

// Defaults, where a graph says nothing.
const (
	DefaultBufferTimeout      = 5 * time.Millisecond
	DefaultWatermarkInterval  = 200 * time.Millisecond
	DefaultCheckpointInterval = 10 * time.Second
)

// CheckpointSpec says when checkpoints are taken.
type CheckpointSpec struct {
	// Interval between the triggers of checkpoints; 0 disables periodic ones.
	Interval time.Duration
	// MinPause between the end of a checkpoint and the next trigger.
	MinPause time.Duration
	// Timeout after which a pending checkpoint is aborted; 0 means what
	// TimeoutOrDefault returns.
	Timeout time.Duration
	// TolerableFailures is how many checkpoints may fail in a row before the
	// job restarts.
	TolerableFailures int
	// Retained is how many completed checkpoints are kept; 0 means 3.
	Retained int
	// Unaligned lets the barriers of periodic checkpoints overtake rows once they have
	// waited for AlignedTimeout (Flink: execution.checkpointing.unaligned.enabled and
	// execution.checkpointing.aligned-checkpoint-timeout); 0 is at once.
	Unaligned      bool
	AlignedTimeout time.Duration
}

// The bounds of the timeout of checkpoints, where a graph names none.
const (
	defaultTimeoutMin       = time.Minute
	defaultTimeoutMax       = 10 * time.Minute
	defaultTimeoutIntervals = 10
)

// TimeoutOrDefault returns the timeout: without one, ten intervals, at least a
// minute and at most ten. (Flink's ten minutes whatever the interval do not fit
// into half of Kafka's default transaction timeout.)
func (c CheckpointSpec) TimeoutOrDefault() time.Duration {
	if c.Timeout != 0 {
		return c.Timeout
	}
	return min(max(defaultTimeoutIntervals*c.Interval, defaultTimeoutMin), defaultTimeoutMax)
}

// RestartStrategy is the kind of a RestartSpec, by Flink's names.
type RestartStrategy uint8

// The restart strategies.
const (
	RestartExponentialDelay RestartStrategy = iota
	RestartFixedDelay
	RestartNone
)

// RestartSpec says what follows a failure. Zero fields mean Flink's defaults.
type RestartSpec struct {
	Strategy RestartStrategy
	// Attempts bounds the restarts of FixedDelay; 0 means no bound for
	// ExponentialDelay and 1 for FixedDelay.
	Attempts       int
	Delay          time.Duration // FixedDelay's; the initial one of ExponentialDelay
	MaxDelay       time.Duration
	ResetThreshold time.Duration // running this long resets the back-off
	// Poison is how many failures on one position of a source make it a poison
	// record and fail the job; 0 means 3.
	Poison int
}

// Vertex is a chain that runs in one task an instance: a source or the inputs
// at its head, operators, and maybe a sink at its tail.
type Vertex struct {
	ID          types.VertexID
	Name        string
	Parallelism int // 0: the graph's
	Source      *SourceSpec
	Operators   []OperatorSpec
	Sink        *SinkSpec
	// SlotSharingGroup keeps the vertex out of the slots of other groups (Flink:
	// slotSharingGroup); "" means DefaultSlotSharingGroup. It is not inherited from
	// inputs: whoever makes a graph names it where it counts.
	SlotSharingGroup string
}

// DefaultSlotSharingGroup is that of vertices that name none.
const DefaultSlotSharingGroup = "default"

// SlotSharingGroupOrDefault returns the group whose slots the vertex shares.
func (v *Vertex) SlotSharingGroupOrDefault() string {
	if v.SlotSharingGroup == "" {
		return DefaultSlotSharingGroup
	}
	return v.SlotSharingGroup
}

// SourceSpec describes a source by its connector.
type SourceSpec struct {
	UID       types.OperatorUID
	Connector string
	Options   map[string]string
	// Schema is what is read: the columns, in order.
	Schema *types.Schema
	// Computed are the columns that the source gives, computed of those that are read, before event time is
	// made of them; without any it gives what it reads.
	Computed  []Projection
	Watermark *WatermarkSpec
	// PrimaryKey are the columns of Schema by which rows are told apart, in the order of the key; none: there is no key. A
	// connector whose records have keys reads it.
	PrimaryKey []int
	// Metadata are the columns of Schema that come from around the record.
	Metadata []MetadataColumn
}

// MetadataColumn is a column that is no part of a record.
type MetadataColumn struct {
	Column int
	Key    string // as the connector calls it
}

// Output returns the schema of what the source gives. The description is trusted: Validate has checked it.
func (s *SourceSpec) Output() *types.Schema {
	if len(s.Computed) == 0 {
		return s.Schema
	}
	return projected(s.Computed)
}

// WatermarkSpec says how a source makes event time: for each split, the largest
// value of the column so far, less the delay, less 1 ms.
type WatermarkSpec struct {
	Column int // a TIMESTAMP(0..3) or TIMESTAMP_LTZ(0..3) of what the source gives
	Delay  time.Duration
	// IdleTimeout marks a split idle that gave no row for so long; 0 never does.
	IdleTimeout time.Duration
}

// SinkSpec describes a sink by its connector. Its schema is its input's.
type SinkSpec struct {
	UID       types.OperatorUID
	Connector string
	Options   map[string]string
	// PrimaryKey are the columns of the input by which rows replace each other, in the order of the key; none: there is no key.
	PrimaryKey []int
	// Metadata are the columns of the input that go around the record.
	Metadata []MetadataColumn
	// Overwrite has what is written take the place of what is there (INSERT OVERWRITE).
	Overwrite bool
}

// DeadLetterPort is the port by which records that a source can't decode leave
// it, as rows of DeadLetterSchema, where its on-error option is dead-letter.
const DeadLetterPort = -1

// DeadLetterSchema is what leaves by DeadLetterPort.
var DeadLetterSchema = types.NewSchema(
	types.Field{Name: "split", Type: types.StringType().NotNull()},
	types.Field{Name: "position", Type: types.StringType().NotNull()},
	types.Field{Name: "reason", Type: types.StringType().NotNull()},
	types.Field{Name: "raw", Type: types.BytesType()},
)

// Edge leads an output port of a vertex's last operator to an input of another.
type Edge struct {
	From  types.VertexID
	Port  int // 0, a side output of From's last operator from 1, or DeadLetterPort
	To    types.VertexID
	Input int // ordinal among To's inputs, from 0, without gaps
	Partitioning
}

// PartitioningKind tells to which subtask a row goes.
type PartitioningKind uint8

// The partitionings.
const (
	// Forward connects equal subtasks; it needs equal parallelism.
	Forward PartitioningKind = iota
	// Hash sends a row to the owner of its key's group.
	Hash
	// Rebalance deals batches out round robin.
	Rebalance
	// Broadcast sends every row to every subtask.
	Broadcast
)

// String returns Flink's name of the partitioning.
func (k PartitioningKind) String() string {
	switch k {
	case Forward:
		return "FORWARD"
	case Hash:
		return "HASH"
	case Rebalance:
		return "REBALANCE"
	case Broadcast:
		return "BROADCAST"
	default:
		return "UNKNOWN"
	}
}

// Partitioning is a kind with the key columns of Hash.
type Partitioning struct {
	Kind PartitioningKind
	Keys []int
}

// Vertex returns the vertex of that id, nil where there is none.
func (g *Graph) Vertex(id types.VertexID) *Vertex {
	for i := range g.Vertices {
		if g.Vertices[i].ID == id {
			return &g.Vertices[i]
		}
	}
	return nil
}

// Inputs returns the edges into a vertex in the order of their Input.
func (g *Graph) Inputs(id types.VertexID) []Edge {
	var in []Edge
	for _, e := range g.Edges {
		if e.To == id {
			in = append(in, e)
		}
	}
	for i := 1; i < len(in); i++ {
		for k := i; k > 0 && in[k].Input < in[k-1].Input; k-- {
			in[k], in[k-1] = in[k-1], in[k]
		}
	}
	return in
}

// Outputs returns the edges out of a vertex, in the graph's order.
func (g *Graph) Outputs(id types.VertexID) []Edge {
	var out []Edge
	for _, e := range g.Edges {
		if e.From == id {
			out = append(out, e)
		}
	}
	return out
}

// KeyGroups returns the number of key groups of the job.
func (g *Graph) KeyGroups() int {
	if g.MaxParallelism == 0 {
		return types.DefaultMaxParallelism
	}
	return g.MaxParallelism
}
