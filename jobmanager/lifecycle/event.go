package lifecycle

import (
	"fmt"
	"strings"

	"millrace/failure"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/types"
)

// Event is something that happened. The set is sealed: the types below are all there are.
type Event interface {
	fmt.Stringer
	isEvent()
}

// Failure is why something failed.
type Failure struct {
	Class   failure.Class
	Message string
	// Position is where in a source it happened, in the connector's words; empty if nobody knows.
	Position string
	// Consequence says that something else failed, and this shows it: a channel whose other end is gone.
	Consequence bool
}

// String prints class, position and message.
func (f Failure) String() string {
	if f.Position == "" {
		return fmt.Sprintf("%s %q", f.Class, f.Message)
	}
	return fmt.Sprintf("%s at %q %q", f.Class, f.Position, f.Message)
}

// Start begins a job that was submitted to this leader: its first event.
type Start struct{}

// Recovered begins a job that another leader left: its first event. Phase is the durable one, Attempt that of the first
// region, as the whole job was deployed last, 0 if it never was. Where Known says that the attempt of every region is known,
// what still runs of the job goes on; otherwise it is cancelled, and the job goes on from its last checkpoint.
type Recovered struct {
	Phase   checkpointv1.JobPhase
	Attempt types.Attempt
	Known   bool
	Failure string // of a failed job
}

// Collected answers CollectTasks, once. Regions has all of them, in order. The machine keeps the slices.
type Collected struct {
	Attempt types.Attempt
	Regions []CollectedRegion
}

// CollectedRegion is what was found of a region. It is whole if every task of it is there, under the attempt that was
// allotted to it last, and runs or has ended, and every coordinator task is ready.
type CollectedRegion struct {
	Number  types.Attempt
	Tasks   map[types.TaskID]TaskState // of a whole one
	Missing string                     // what keeps it from being whole; "" if it is
}

// Tick says what time it is. Time never runs backwards here.
type Tick struct{ Now int64 } // milliseconds

// AttemptAllotted answers AllotAttempt, with its Regions: the first of them has the number, the next one the next.
type AttemptAllotted struct {
	Attempt types.Attempt
	Regions []int
}

// ResourcesAvailable answers RequestResources: each task has its slot. Placement is the shell's word for who runs where.
type ResourcesAvailable struct {
	Attempt   types.Attempt
	Placement uint64
	Tasks     []types.TaskID // all that were asked for; the machine keeps the slice
}

// ResourcesMissing says why the job still waits. All says that regions which recover can't have slots while the others
// stay where they are.
type ResourcesMissing struct {
	Attempt types.Attempt
	Reason  string
	All     bool
}

// CoordinatorsReady says that every coordinator task runs, and that every committer has recovered. It is also said of an
// attempt without any.
type CoordinatorsReady struct{ Attempt types.Attempt }

// TaskChanged is a task's new state. Failure counts where State is TaskFailed.
type TaskChanged struct {
	Attempt types.Attempt
	Task    types.TaskID
	State   TaskState
	Failure Failure
}

// CoordinatorFailed says that an enumerator or committer failed.
type CoordinatorFailed struct {
	Attempt types.Attempt
	Vertex  types.VertexID
	Failure Failure
	// Ahead: a sink shows output of a later checkpoint than the one that the attempt is restored from.
	Ahead bool
}

// TaskManagerLost says that a task manager is gone on which tasks or coordinator tasks of the attempt ran or were about
// to, and of which regions. The shell does not feed it for task managers that have nothing of the attempt.
type TaskManagerLost struct {
	Attempt     types.Attempt
	TaskManager types.TaskManagerID
	Regions     []int // in order
	Reason      string
}

// RestoreFailed says that the attempt cannot be restored from the checkpoint: its manifest or a file of it is corrupt or
// missing. Older is how many retained checkpoints before it are left to try.
type RestoreFailed struct {
	Attempt    types.Attempt
	Checkpoint types.CheckpointID
	Reason     string
	Older      int
}

// CheckpointCompleted says that a checkpoint of the attempt is complete: the next restore begins there.
type CheckpointCompleted struct {
	Attempt types.Attempt
	ID      types.CheckpointID
}

// RescaleRequested asks that the next attempt be placed anew: the user wants another parallelism, or a task manager is
// about to leave. A running job goes there behind a checkpoint.
type RescaleRequested struct{ Reason string }

// PlacementChanged says what placing the running attempt anew would bring, whenever slots came or went: Better is why
// it is worth while, empty if it is not.
type PlacementChanged struct {
	Attempt types.Attempt
	Better  string
}

// CheckpointFailedTooOften is the checkpoint coordinator's FailJob.
type CheckpointFailedTooOften struct {
	Attempt types.Attempt
	Reason  string
}

// FinalComplete is the checkpoint coordinator's: the final or suspending checkpoint is complete and committed.
type FinalComplete struct {
	Attempt types.Attempt
	ID      types.CheckpointID
}

// CancelRequested is the user's wish to end the job at once.
type CancelRequested struct{}

// StopRequested is the user's wish to end the job behind a last checkpoint; with Drain after the maximum watermark. A job
// that is not running yet stops once it is.
type StopRequested struct {
	Drain bool
	// Savepoint makes a savepoint of the last checkpoint.
	Savepoint bool
}

// AttemptGone answers CancelAttempt: every task and coordinator task of the attempt has reported its end or is on a task
// manager that is lost, and its checkpoint coordinator is closed.
type AttemptGone struct{ Attempt types.Attempt }

// RegionsGone answers CancelRegions: every task and coordinator task of the regions, and of those of each CancelRegions
// before that was not answered, has reported its end or is on a task manager that is lost, and no checkpoint is under way.
type RegionsGone struct{ Attempt types.Attempt }

// TerminalStored answers StoreTerminal.
type TerminalStored struct{}

func (Start) isEvent()                    {}
func (Recovered) isEvent()                {}
func (Collected) isEvent()                {}
func (Tick) isEvent()                     {}
func (AttemptAllotted) isEvent()          {}
func (ResourcesAvailable) isEvent()       {}
func (ResourcesMissing) isEvent()         {}
func (CoordinatorsReady) isEvent()        {}
func (TaskChanged) isEvent()              {}
func (CoordinatorFailed) isEvent()        {}
func (TaskManagerLost) isEvent()          {}
func (RestoreFailed) isEvent()            {}
func (CheckpointCompleted) isEvent()      {}
func (CheckpointFailedTooOften) isEvent() {}
func (FinalComplete) isEvent()            {}
func (CancelRequested) isEvent()          {}
func (RescaleRequested) isEvent()         {}
func (PlacementChanged) isEvent()         {}
func (StopRequested) isEvent()            {}
func (AttemptGone) isEvent()              {}
func (RegionsGone) isEvent()              {}
func (TerminalStored) isEvent()           {}

// String prints the event on one line.
func (e Start) String() string { return "start" }

// String prints the event on one line.
func (e Recovered) String() string {
	return fmt.Sprintf("recovered phase=%s attempt=%d known=%v", e.Phase, e.Attempt, e.Known)
}

// String prints the event on one line.
func (e Collected) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "collected attempt=%d", e.Attempt)
	for i, r := range e.Regions {
		if r.Missing != "" {
			fmt.Fprintf(&text, " %d:%q", i, r.Missing)
			continue
		}
		fmt.Fprintf(&text, " %d:%d tasks of attempt %d", i, len(r.Tasks), r.Number)
	}
	return text.String()
}

// String prints the event on one line.
func (e Tick) String() string { return fmt.Sprintf("tick now=%d", e.Now) }

// String prints the event on one line.
func (e AttemptAllotted) String() string {
	return fmt.Sprintf("attempt-allotted %d regions=%v", e.Attempt, e.Regions)
}

// String prints the event on one line.
func (e ResourcesAvailable) String() string {
	return fmt.Sprintf("resources-available attempt=%d placement=%d tasks=%v", e.Attempt, e.Placement, e.Tasks)
}

// String prints the event on one line.
func (e ResourcesMissing) String() string {
	return fmt.Sprintf("resources-missing attempt=%d all=%v reason=%q", e.Attempt, e.All, e.Reason)
}

// String prints the event on one line.
func (e CoordinatorsReady) String() string {
	return fmt.Sprintf("coordinators-ready attempt=%d", e.Attempt)
}

// String prints the event on one line.
func (e TaskChanged) String() string {
	if e.State != TaskFailed {
		return fmt.Sprintf("task-changed attempt=%d %s %s", e.Attempt, e.Task, e.State)
	}
	return fmt.Sprintf("task-changed attempt=%d %s %s %s", e.Attempt, e.Task, e.State, e.Failure)
}

// String prints the event on one line.
func (e CoordinatorFailed) String() string {
	ahead := ""
	if e.Ahead {
		ahead = " ahead"
	}
	return fmt.Sprintf("coordinator-failed attempt=%d %s%s %s", e.Attempt, e.Vertex, ahead, e.Failure)
}

// String prints the event on one line.
func (e TaskManagerLost) String() string {
	return fmt.Sprintf("task-manager-lost attempt=%d %s regions=%v reason=%q", e.Attempt, e.TaskManager, e.Regions, e.Reason)
}

// String prints the event on one line.
func (e RestoreFailed) String() string {
	return fmt.Sprintf("restore-failed attempt=%d checkpoint=%d older=%d reason=%q", e.Attempt, e.Checkpoint, e.Older, e.Reason)
}

// String prints the event on one line.
func (e CheckpointCompleted) String() string {
	return fmt.Sprintf("checkpoint-completed attempt=%d id=%d", e.Attempt, e.ID)
}

// String prints the event on one line.
func (e RescaleRequested) String() string {
	return fmt.Sprintf("rescale-requested reason=%q", e.Reason)
}

// String prints the event on one line.
func (e PlacementChanged) String() string {
	return fmt.Sprintf("placement-changed attempt=%d better=%q", e.Attempt, e.Better)
}

// String prints the event on one line.
func (e CheckpointFailedTooOften) String() string {
	return fmt.Sprintf("checkpoint-failed-too-often attempt=%d reason=%q", e.Attempt, e.Reason)
}

// String prints the event on one line.
func (e FinalComplete) String() string {
	return fmt.Sprintf("final-complete attempt=%d id=%d", e.Attempt, e.ID)
}

// String prints the event on one line.
func (e CancelRequested) String() string { return "cancel-requested" }

// String prints the event on one line.
func (e StopRequested) String() string {
	return fmt.Sprintf("stop-requested drain=%v", e.Drain) + savepointWord(e.Savepoint)
}

func savepointWord(savepoint bool) string {
	if savepoint {
		return " savepoint"
	}
	return ""
}

// String prints the event on one line.
func (e AttemptGone) String() string { return fmt.Sprintf("attempt-gone %d", e.Attempt) }

// String prints the event on one line.
func (e RegionsGone) String() string { return fmt.Sprintf("regions-gone %d", e.Attempt) }

// String prints the event on one line.
func (e TerminalStored) String() string { return "terminal-stored" }
