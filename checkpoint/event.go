package checkpoint

import (
	"fmt"
	"strings"

	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Event is something that happened. The set is sealed: the types below are all there are.
type Event interface {
	fmt.Stringer
	isEvent()
}

// Tick says what time it is. Time never runs backwards here: an earlier Now counts as the latest one.
type Tick struct{ Now int64 } // milliseconds

// TasksRunning says that every task of the job is deployed and running: checkpoints may begin, or go on.
type TasksRunning struct{}

// TaskEnded says that a task has taken its last row. It still takes part in checkpoints. When all have ended, the final
// checkpoint follows at once.
type TaskEnded struct{ Task types.TaskID }

// TriggerRequested asks for a checkpoint beyond the periodic ones: Suspend is retried until it completes; Final waits
// until all tasks have ended, and then is what happens anyway; Periodic asks for one as soon as possible. Savepoint asks for
// a savepoint, in the order of requests: SavepointCompleted or SavepointFailed answers its Request, which is not 0. With
// Savepoint, Suspend and Final make one of the job's last checkpoint, before FinalComplete.
type TriggerRequested struct {
	Kind      Kind
	Request   uint64
	Savepoint bool
}

// Acknowledged says that a task's part of a checkpoint is safe. The coordinator takes State over. Repeated ones, and those
// of checkpoints that are not pending, are ignored.
type Acknowledged struct {
	ID      types.CheckpointID
	Task    types.TaskID
	State   *checkpointv1.TaskState
	Figures Figures
}

// Declined says that a task cannot take part in a checkpoint: it fails.
type Declined struct {
	ID     types.CheckpointID
	Task   types.TaskID
	Reason string
}

// EnumeratorState gives the latest state of a source's enumerator. Its assignments, with the first one every restored split,
// have been sent to the readers: whatever is triggered from here on reaches them later. It goes into the next manifest. The
// coordinator takes State over.
type EnumeratorState struct {
	Vertex types.VertexID
	State  []byte
}

// Persisted says that the fenced transaction of a Persist succeeded: the checkpoint is complete.
type Persisted struct {
	ID          types.CheckpointID
	ManifestKey string
	Sum         Sum
}

// PersistFailed says that the checkpoint is not complete and never will be: neither is its transaction under way, nor can
// it be found to have happened. Fenced says that the leadership is over.
type PersistFailed struct {
	ID     types.CheckpointID
	Reason string
	Fenced bool
}

// Committed says that a committer has confirmed everything in the Commit of the checkpoint, and so of all before it.
type Committed struct {
	Vertex types.VertexID
	ID     types.CheckpointID
}

// StateCopied answers CopyState for a task: File has its state at the checkpoint, and nothing else is needed to read it. A
// Reason says why there is none. The coordinator takes File over.
type StateCopied struct {
	ID     types.CheckpointID
	Task   types.TaskID
	File   *checkpointv1.StateFile
	Reason string
}

// SavepointPersisted says that the transaction of a PersistSavepoint succeeded: the savepoint is whole.
type SavepointPersisted struct {
	ID          types.CheckpointID
	ManifestKey string
}

// SavepointPersistFailed says that no transaction of a PersistSavepoint is under way, and that none was found to have
// happened. Fenced says that the leadership is over.
type SavepointPersistFailed struct {
	ID     types.CheckpointID
	Reason string
	Fenced bool
}

// IDsAllotted says that the ids up to Through, inclusive, are durably this coordinator's: the answer to AllotIDs.
type IDsAllotted struct{ Through types.CheckpointID }

// RegionsStopped says that the tasks of some vertices are gone or going, while others run on. There are no checkpoints until
// TasksRunning: a pending one is given up, which counts as no failure, unless its Persist is under way. Quiet follows, in
// the same step or later.
type RegionsStopped struct {
	Vertices []types.VertexID
	Reason   string
}

// RegionsRestored says that the vertices are being deployed again, restored from a checkpoint, behind their committers,
// which have recovered. They stand as in Config. The coordinator keeps the slice.
type RegionsRestored struct {
	From     types.CheckpointID // 0: from the beginning
	Vertices []Vertex
}

// Adopted says, before any other event, that the tasks were deployed by another leader and run on. Manifest is that of
// Config.Latest, which is complete: its sinks may have been told to commit, or not. Vertices are those whose tasks took part
// in it, as they run now. Their committers commit it, again or at last, and their tasks are told.
type Adopted struct {
	Manifest *checkpointv1.Manifest
	Vertices []types.VertexID
}

// Close ends the coordinator because its attempt ends. A pending checkpoint is given up, unless its Persist is under way:
// that is awaited. Closed follows, in the same step or later; nothing is triggered or committed any more.
type Close struct{ Reason string }

func (Tick) isEvent()             {}
func (TasksRunning) isEvent()     {}
func (TaskEnded) isEvent()        {}
func (TriggerRequested) isEvent() {}
func (Acknowledged) isEvent()     {}
func (Declined) isEvent()         {}
func (EnumeratorState) isEvent()  {}
func (Persisted) isEvent()        {}
func (PersistFailed) isEvent()    {}
func (Committed) isEvent()        {}
func (IDsAllotted) isEvent()      {}
func (Close) isEvent()            {}
func (RegionsStopped) isEvent()   {}
func (RegionsRestored) isEvent()  {}
func (Adopted) isEvent()          {}

func (StateCopied) isEvent()            {}
func (SavepointPersisted) isEvent()     {}
func (SavepointPersistFailed) isEvent() {}

// String prints the event on one line.
func (e Tick) String() string { return fmt.Sprintf("tick now=%d", e.Now) }

// String prints the event on one line.
func (e TasksRunning) String() string { return "tasks-running" }

// String prints the event on one line.
func (e TaskEnded) String() string { return fmt.Sprintf("task-ended %s", e.Task) }

// String prints the event on one line.
func (e TriggerRequested) String() string {
	text := "trigger-requested kind=" + e.Kind.String()
	if e.Savepoint {
		text += " savepoint"
	}
	if e.Request != 0 {
		text += fmt.Sprintf(" request=%d", e.Request)
	}
	return text
}

// String prints the event on one line.
func (e Acknowledged) String() string { return fmt.Sprintf("acknowledged id=%d %s", e.ID, e.Task) }

// String prints the event on one line.
func (e Declined) String() string {
	return fmt.Sprintf("declined id=%d %s reason=%q", e.ID, e.Task, e.Reason)
}

// String prints the event on one line.
func (e EnumeratorState) String() string {
	return fmt.Sprintf("enumerator-state %s state=%q", e.Vertex, e.State)
}

// String prints the event on one line.
func (e Persisted) String() string { return fmt.Sprintf("persisted id=%d key=%s", e.ID, e.ManifestKey) }

// String prints the event on one line.
func (e PersistFailed) String() string {
	return fmt.Sprintf("persist-failed id=%d fenced=%v reason=%q", e.ID, e.Fenced, e.Reason)
}

// String prints the event on one line.
func (e Committed) String() string { return fmt.Sprintf("committed %s id=%d", e.Vertex, e.ID) }

// String prints the event on one line.
func (e IDsAllotted) String() string { return fmt.Sprintf("ids-allotted through=%d", e.Through) }

// String prints the event on one line.
func (e RegionsStopped) String() string {
	return fmt.Sprintf("regions-stopped vertices=%v reason=%q", e.Vertices, e.Reason)
}

// String prints the event on one line.
func (e RegionsRestored) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "regions-restored from=%d", e.From)
	for _, v := range e.Vertices {
		fmt.Fprintf(&text, " %s:%d", v.ID, v.Parallelism)
	}
	return text.String()
}

// String prints the event on one line.
func (e Adopted) String() string {
	return fmt.Sprintf("adopted manifest=%d vertices=%v", e.Manifest.GetCheckpointId(), e.Vertices)
}

// String prints the event on one line.
func (e Close) String() string { return fmt.Sprintf("close reason=%q", e.Reason) }

// String prints the event on one line.
func (e StateCopied) String() string {
	return fmt.Sprintf("state-copied id=%d %s reason=%q", e.ID, e.Task, e.Reason)
}

// String prints the event on one line.
func (e SavepointPersisted) String() string {
	return fmt.Sprintf("savepoint-persisted id=%d key=%s", e.ID, e.ManifestKey)
}

// String prints the event on one line.
func (e SavepointPersistFailed) String() string {
	return fmt.Sprintf("savepoint-persist-failed id=%d fenced=%v reason=%q", e.ID, e.Fenced, e.Reason)
}
