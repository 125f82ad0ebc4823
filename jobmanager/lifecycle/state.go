package lifecycle

import "fmt"

// State is where a job stands. The numbers are those of the JobState of the public job service.
type State uint8

// The states.
const (
	Created State = iota + 1
	// WaitingForResources: an attempt is being allotted, or waits for slots.
	WaitingForResources
	// Restoring: coordinator tasks are being deployed; committers recover before any task starts.
	Restoring
	// Deploying: tasks are being deployed.
	Deploying
	Running
	// Failing: the attempt is being cancelled because something failed.
	Failing
	// Restarting: the back-off before the next attempt.
	Restarting
	// Finishing: every task has taken its last row; the final checkpoint and its commits are awaited.
	Finishing
	// Cancelling: the attempt is being cancelled because the user asked for it.
	Cancelling
	Finished
	Canceled
	Failed
	// Stopping: a checkpoint behind which the job ends is under way, because the user asked for it.
	Stopping
	Stopped
	// Rescaling: the attempt is being cancelled behind a checkpoint, because the next one is to have another parallelism or
	// other slots.
	Rescaling
	// Recovering: some regions are being restarted, from their end to when all of their tasks run; the others run on, without
	// checkpoints.
	Recovering
	// Adopting: another leader deployed the job. What still runs of it is being collected.
	Adopting
)

var stateNames = [...]string{
	Created: "Created", WaitingForResources: "WaitingForResources", Restoring: "Restoring", Deploying: "Deploying",
	Running: "Running", Failing: "Failing", Restarting: "Restarting", Finishing: "Finishing", Cancelling: "Cancelling",
	Finished: "Finished", Canceled: "Canceled", Failed: "Failed", Stopping: "Stopping", Stopped: "Stopped",
	Rescaling: "Rescaling", Recovering: "Recovering", Adopting: "Adopting",
}

// String returns the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Terminal tells whether the job is over.
func (s State) Terminal() bool {
	return s == Finished || s == Canceled || s == Failed || s == Stopped
}

// TaskState is what a task manager says of a task. The numbers are those of the TaskState of the control plane.
type TaskState uint8

// The task states.
const (
	TaskDeploying TaskState = iota + 1
	TaskRunning
	// TaskEnded: every row was taken and passed on; the task still takes part in checkpoints.
	TaskEnded
	TaskFinished
	TaskFailed
	TaskCanceled
)

var taskStateNames = [...]string{
	TaskDeploying: "deploying", TaskRunning: "running", TaskEnded: "ended", TaskFinished: "finished",
	TaskFailed: "failed", TaskCanceled: "canceled",
}

// String returns the state's lower-case word.
func (s TaskState) String() string {
	if int(s) < len(taskStateNames) && taskStateNames[s] != "" {
		return taskStateNames[s]
	}
	return fmt.Sprintf("task-state(%d)", uint8(s))
}
