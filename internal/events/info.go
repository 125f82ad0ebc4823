package events

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"millrace/failure"
)

// Info is what all event payloads have.
type Info interface {
	// String prints the event on one line.
	String() string
	// Attrs returns the fields for a structured log, the job first.
	Attrs() []slog.Attr
}

// TaskRef names one task of a job: subtask Index of a vertex, in one attempt.
type TaskRef struct {
	Vertex  string
	Index   int
	Attempt int64
}

// String prints "vertex/index#attempt".
func (t TaskRef) String() string { return fmt.Sprintf("%s/%d#%d", t.Vertex, t.Index, t.Attempt) }

// JobStateInfo says that a job changed its state.
type JobStateInfo struct {
	Job      string
	From, To string
	// Err is why, for a state that somebody has to look at; nil otherwise.
	Err error
}

// String prints the event on one line.
func (i JobStateInfo) String() string {
	return fmt.Sprintf("job %s: %s -> %s", i.Job, i.From, i.To) + because(i.Err)
}

// Attrs returns the fields.
func (i JobStateInfo) Attrs() []slog.Attr {
	return withError(i.Err, slog.String("job", i.Job), slog.String("from", i.From), slog.String("to", i.To))
}

// TaskStateInfo says that a task changed its state.
type TaskStateInfo struct {
	Job      string
	Task     TaskRef
	From, To string
	// On is the task manager it runs on, empty if on none.
	On  string
	Err error
}

// String prints the event on one line.
func (i TaskStateInfo) String() string {
	on := ""
	if i.On != "" {
		on = " on " + i.On
	}
	return fmt.Sprintf("job %s: task %s: %s -> %s%s", i.Job, i.Task, i.From, i.To, on) + because(i.Err)
}

// Attrs returns the fields.
func (i TaskStateInfo) Attrs() []slog.Attr {
	return withError(i.Err, slog.String("job", i.Job), slog.String("task", i.Task.String()),
		slog.String("from", i.From), slog.String("to", i.To), slog.String("on", i.On))
}

// CheckpointTriggeredInfo says that barriers of a checkpoint were sent into the sources.
type CheckpointTriggeredInfo struct {
	Job        string
	Checkpoint uint64
	// Kind is "checkpoint", "savepoint" or "final".
	Kind  string
	Tasks int
}

// String prints the event on one line.
func (i CheckpointTriggeredInfo) String() string {
	return fmt.Sprintf("job %s: %s %d triggered, %d tasks", i.Job, i.Kind, i.Checkpoint, i.Tasks)
}

// Attrs returns the fields.
func (i CheckpointTriggeredInfo) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("job", i.Job), slog.Uint64("checkpoint", i.Checkpoint), slog.String("kind", i.Kind),
		slog.Int("tasks", i.Tasks),
	}
}

// CheckpointCompletedInfo says that a checkpoint is complete: its commit point has passed.
type CheckpointCompletedInfo struct {
	Job        string
	Checkpoint uint64
	// Duration is from the trigger to the commit point.
	Duration time.Duration
	// Bytes were written for this checkpoint; FullBytes are what a restore from it reads.
	Bytes, FullBytes int64
	// UnalignedTasks is in how many tasks the barrier overtook rows; InFlightBytes of Bytes
	// are those rows.
	UnalignedTasks int
	InFlightBytes  int64
}

// String prints the event on one line.
func (i CheckpointCompletedInfo) String() string {
	text := fmt.Sprintf("job %s: checkpoint %d completed in %s, %d bytes written of %d",
		i.Job, i.Checkpoint, i.Duration.Round(time.Millisecond), i.Bytes, i.FullBytes)
	if i.UnalignedTasks > 0 {
		text += fmt.Sprintf("; unaligned in %d tasks, %d bytes were in flight", i.UnalignedTasks, i.InFlightBytes)
	}
	return text
}

// Attrs returns the fields.
func (i CheckpointCompletedInfo) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("job", i.Job), slog.Uint64("checkpoint", i.Checkpoint), slog.Duration("duration", i.Duration),
		slog.Int64("bytes", i.Bytes), slog.Int64("fullBytes", i.FullBytes),
	}
}

// CheckpointFailedInfo says that a checkpoint was given up.
type CheckpointFailedInfo struct {
	Job        string
	Checkpoint uint64
	Err        error
	// InARow counts failures since the last completed checkpoint, this one included.
	InARow int
}

// String prints the event on one line.
func (i CheckpointFailedInfo) String() string {
	return fmt.Sprintf("job %s: checkpoint %d failed, %d in a row", i.Job, i.Checkpoint, i.InARow) + because(i.Err)
}

// Attrs returns the fields.
func (i CheckpointFailedInfo) Attrs() []slog.Attr {
	return withError(i.Err, slog.String("job", i.Job), slog.Uint64("checkpoint", i.Checkpoint), slog.Int("inARow", i.InARow))
}

// CheckpointDeclinedInfo says that a task refused its part of a checkpoint.
type CheckpointDeclinedInfo struct {
	Job        string
	Checkpoint uint64
	Task       TaskRef
	Err        error
}

// String prints the event on one line.
func (i CheckpointDeclinedInfo) String() string {
	return fmt.Sprintf("job %s: checkpoint %d declined by %s", i.Job, i.Checkpoint, i.Task) + because(i.Err)
}

// Attrs returns the fields.
func (i CheckpointDeclinedInfo) Attrs() []slog.Attr {
	return withError(i.Err, slog.String("job", i.Job), slog.Uint64("checkpoint", i.Checkpoint), slog.String("task", i.Task.String()))
}

// RestartInfo says that tasks of a job go back to a checkpoint.
type RestartInfo struct {
	Job string
	// Attempt is the one that begins; Tasks is how many restart.
	Attempt int64
	Tasks   int
	// Checkpoint is the one restored from, 0 if from the beginning.
	Checkpoint uint64
	// Delay is waited before the restart.
	Delay time.Duration
	// Reason says why; its class is part of the log.
	Reason error
}

// String prints the event on one line.
func (i RestartInfo) String() string {
	from := "the beginning"
	if i.Checkpoint > 0 {
		from = fmt.Sprintf("checkpoint %d", i.Checkpoint)
	}
	return fmt.Sprintf("job %s: restart of %d tasks from %s as attempt %d after %s", i.Job, i.Tasks, from, i.Attempt, i.Delay) +
		because(i.Reason)
}

// Attrs returns the fields.
func (i RestartInfo) Attrs() []slog.Attr {
	return withError(i.Reason, slog.String("job", i.Job), slog.Int64("attempt", i.Attempt), slog.Int("tasks", i.Tasks),
		slog.Uint64("checkpoint", i.Checkpoint), slog.Duration("delay", i.Delay))
}

// DeadLetterInfo says that a record could not be used. It names the record and never shows it: it may be anything.
type DeadLetterInfo struct {
	Job  string
	Task TaskRef
	// Split and Position say where it came from, in the words of the connector.
	Split, Position string
	Reason          error
}

// String prints the event on one line.
func (i DeadLetterInfo) String() string {
	return fmt.Sprintf("job %s: task %s: dead letter from %s at %s", i.Job, i.Task, i.Split, i.Position) + because(i.Reason)
}

// Attrs returns the fields.
func (i DeadLetterInfo) Attrs() []slog.Attr {
	return withError(i.Reason, slog.String("job", i.Job), slog.String("task", i.Task.String()), slog.String("split", i.Split),
		slog.String("position", i.Position))
}

// TaskManagerTroubleInfo says what is the matter with a task manager.
type TaskManagerTroubleInfo struct {
	TaskManager string
	// Trouble is empty when it is over.
	Trouble string
}

// String prints the event on one line.
func (i TaskManagerTroubleInfo) String() string {
	if i.Trouble == "" {
		return fmt.Sprintf("task manager %s: the trouble is over", i.TaskManager)
	}
	return fmt.Sprintf("task manager %s: %s", i.TaskManager, i.Trouble)
}

// Attrs returns the fields.
func (i TaskManagerTroubleInfo) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("tm", i.TaskManager), slog.String("trouble", i.Trouble)}
}

// because prints an error behind a line, on the same line whatever it holds.
func because(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(": %s [%s]", strings.Join(strings.Fields(err.Error()), " "), failure.ClassOf(err))
}

// withError adds an error and its class to the fields, if there is one.
func withError(err error, attrs ...slog.Attr) []slog.Attr {
	if err == nil {
		return attrs
	}
	return append(attrs, slog.String("error", err.Error()), slog.String("class", failure.ClassOf(err).String()))
}
