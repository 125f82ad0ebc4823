package lifecycle

import (
	"fmt"

	"millrace/checkpoint"
	"millrace/types"
)

// Effect is something that the shell is to do, or to tell. The set is sealed: the types below are all there are. Effects
// are carried out in the order in which Step returns them.
type Effect interface {
	fmt.Stringer
	isEffect()
}

// AllotAttempt asks for the next numbers, one for each of the regions, by a fenced transaction.
type AllotAttempt struct{ Regions []int }

// CollectTasks asks what runs of the job that another leader deployed. It is answered by Collected as soon as nothing more
// can come, and at JudgeTasks at the latest.
type CollectTasks struct{ Attempt types.Attempt }

// JudgeTasks says that the time for CollectTasks is over: what is there counts.
type JudgeTasks struct{ Attempt types.Attempt }

// AdoptRegions says that regions go on as they are: their tasks and coordinator tasks are this leader's from now on, and
// what was under way of checkpoints is settled. What runs of other regions is cancelled.
type AdoptRegions struct {
	Attempt types.Attempt
	Regions []int
}

// RequestResources asks for slots for every task of the regions; with Lower at a lower parallelism, if there are too few.
// Regions that are not among them stay where they are. A later one replaces it.
type RequestResources struct {
	Attempt types.Attempt
	Regions []int
	Lower   bool
}

// DeployCoordinators starts enumerators and committers, restored from the newest retained checkpoint whose id is less
// than Before, or from the latest if Before is 0. The same checkpoint is meant by the DeployTasks that follows. Where
// there is no such checkpoint although the job has had one, the shell answers RestoreFailed.
type DeployCoordinators struct {
	Attempt   types.Attempt
	Placement uint64
	Before    types.CheckpointID
}

// DeployTasks starts the tasks of the attempt. Drained says that the job was to be drained before: behind a checkpoint, whose
// event time may have been at its end already, sources read nothing more.
type DeployTasks struct {
	Attempt   types.Attempt
	Placement uint64
	Drained   bool
}

// StartCheckpointing says that all tasks run: the checkpoint coordinator is told so.
type StartCheckpointing struct{ Attempt types.Attempt }

// RequestCheckpoint asks the checkpoint coordinator for a checkpoint at once, so that little is done again after it.
type RequestCheckpoint struct{ Attempt types.Attempt }

// RequestFinal asks the checkpoint coordinator for the checkpoint behind which the job ends.
type RequestFinal struct {
	Attempt types.Attempt
	Kind    checkpoint.Kind // Final or Suspend
	// Savepoint asks for a savepoint of it.
	Savepoint bool
}

// DrainSources ends the input of every source task, as if it were bounded here.
type DrainSources struct{ Attempt types.Attempt }

// FinishTasks tells every task to close: all its work is committed.
type FinishTasks struct{ Attempt types.Attempt }

// CancelRegions ends everything that runs of the regions, and checkpoints with it until the next StartCheckpointing.
// RegionsGone answers it.
type CancelRegions struct {
	Attempt types.Attempt
	Regions []int
	Reason  string
}

// CancelAttempt ends everything that runs of the job, regions that recover included. AttemptGone answers it; RegionsGone
// need not come any more.
type CancelAttempt struct {
	Attempt types.Attempt
	Reason  string
}

// StoreTerminal makes the job's end durable by a fenced transaction, before anybody is told. TerminalStored answers it.
type StoreTerminal struct {
	State  State
	Reason string
}

// ScheduleRestart says when the next attempt begins: at the first Tick at or after At. There is nothing to do for it but
// to see that such a Tick comes.
type ScheduleRestart struct {
	At          int64 // milliseconds
	DelayMillis int64
	Restarts    int                // the ordinal of this restart, from 1
	Before      types.CheckpointID // as in the DeployCoordinators to come
	Regions     []int              // that are restarted
	Reason      string
}

// Rescale says that the attempt is being cancelled so that the next is placed anew.
type Rescale struct{ Reason string }

// FallBack says that the checkpoint cannot be restored and that the one before is tried instead. A sink that has committed
// output of it refuses that: CoordinatorFailed with Ahead.
type FallBack struct {
	From   types.CheckpointID
	Reason string
}

// Report tells whoever watches the job where it stands. A terminal state is reported after it is stored. It is repeated
// with another reason while the state stays.
type Report struct {
	State  State
	Reason string
}

func (AllotAttempt) isEffect()       {}
func (RequestResources) isEffect()   {}
func (CollectTasks) isEffect()       {}
func (JudgeTasks) isEffect()         {}
func (AdoptRegions) isEffect()       {}
func (DeployCoordinators) isEffect() {}
func (DeployTasks) isEffect()        {}
func (StartCheckpointing) isEffect() {}
func (RequestFinal) isEffect()       {}
func (DrainSources) isEffect()       {}
func (FinishTasks) isEffect()        {}
func (CancelAttempt) isEffect()      {}
func (CancelRegions) isEffect()      {}
func (StoreTerminal) isEffect()      {}
func (ScheduleRestart) isEffect()    {}
func (FallBack) isEffect()           {}
func (RequestCheckpoint) isEffect()  {}
func (Rescale) isEffect()            {}
func (Report) isEffect()             {}

// String prints the effect on one line.
func (e AllotAttempt) String() string { return fmt.Sprintf("allot-attempt regions=%v", e.Regions) }

// String prints the effect on one line.
func (e CollectTasks) String() string { return fmt.Sprintf("collect-tasks attempt=%d", e.Attempt) }

// String prints the effect on one line.
func (e JudgeTasks) String() string { return fmt.Sprintf("judge-tasks attempt=%d", e.Attempt) }

// String prints the effect on one line.
func (e AdoptRegions) String() string {
	return fmt.Sprintf("adopt-regions attempt=%d regions=%v", e.Attempt, e.Regions)
}

// String prints the effect on one line.
func (e RequestResources) String() string {
	lower := ""
	if e.Lower {
		lower = " lower"
	}
	return fmt.Sprintf("request-resources attempt=%d regions=%v%s", e.Attempt, e.Regions, lower)
}

// String prints the effect on one line.
func (e RequestCheckpoint) String() string {
	return fmt.Sprintf("request-checkpoint attempt=%d", e.Attempt)
}

// String prints the effect on one line.
func (e Rescale) String() string { return fmt.Sprintf("rescale reason=%q", e.Reason) }

// String prints the effect on one line.
func (e DeployCoordinators) String() string {
	return fmt.Sprintf("deploy-coordinators attempt=%d placement=%d before=%d", e.Attempt, e.Placement, e.Before)
}

// String prints the effect on one line.
func (e DeployTasks) String() string {
	out := fmt.Sprintf("deploy-tasks attempt=%d placement=%d", e.Attempt, e.Placement)
	if e.Drained {
		out += " drained"
	}
	return out
}

// String prints the effect on one line.
func (e StartCheckpointing) String() string {
	return fmt.Sprintf("start-checkpointing attempt=%d", e.Attempt)
}

// String prints the effect on one line.
func (e RequestFinal) String() string {
	return fmt.Sprintf("request-final attempt=%d kind=%s", e.Attempt, e.Kind) + savepointWord(e.Savepoint)
}

// String prints the effect on one line.
func (e DrainSources) String() string { return fmt.Sprintf("drain-sources attempt=%d", e.Attempt) }

// String prints the effect on one line.
func (e FinishTasks) String() string { return fmt.Sprintf("finish-tasks attempt=%d", e.Attempt) }

// String prints the effect on one line.
func (e CancelAttempt) String() string {
	return fmt.Sprintf("cancel-attempt %d reason=%q", e.Attempt, e.Reason)
}

// String prints the effect on one line.
func (e CancelRegions) String() string {
	return fmt.Sprintf("cancel-regions attempt=%d regions=%v reason=%q", e.Attempt, e.Regions, e.Reason)
}

// String prints the effect on one line.
func (e StoreTerminal) String() string {
	return fmt.Sprintf("store-terminal %s reason=%q", e.State, e.Reason)
}

// String prints the effect on one line.
func (e ScheduleRestart) String() string {
	return fmt.Sprintf("schedule-restart at=%d delay=%d restarts=%d before=%d regions=%v reason=%q", e.At, e.DelayMillis, e.Restarts, e.Before, e.Regions, e.Reason)
}

// String prints the effect on one line.
func (e FallBack) String() string {
	return fmt.Sprintf("fall-back from=%d reason=%q", e.From, e.Reason)
}

// String prints the effect on one line.
func (e Report) String() string { return fmt.Sprintf("report %s reason=%q", e.State, e.Reason) }
