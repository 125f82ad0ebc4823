package events

// Listener hears what happens to jobs, and to what runs them. The zero value hears nothing and, before EnsureDefaults, cannot be called.
type Listener struct {
	// JobState: a job moved from one state to another.
	JobState func(JobStateInfo)
	// TaskState: one task moved from one state to another.
	TaskState func(TaskStateInfo)
	// CheckpointTriggered: barriers were sent into the sources.
	CheckpointTriggered func(CheckpointTriggeredInfo)
	// CheckpointCompleted: the commit point has passed; sinks may commit.
	CheckpointCompleted func(CheckpointCompletedInfo)
	// CheckpointFailed: it was given up; the previous one stays the latest.
	CheckpointFailed func(CheckpointFailedInfo)
	// CheckpointDeclined: one task refused its part; usually a CheckpointFailed follows.
	CheckpointDeclined func(CheckpointDeclinedInfo)
	// Restart: tasks go back to a checkpoint.
	Restart func(RestartInfo)
	// DeadLetter: a record could not be used and was put aside.
	DeadLetter func(DeadLetterInfo)
	// TaskManagerTrouble: something is the matter with a task manager itself, or no longer is.
	TaskManagerTrouble func(TaskManagerTroubleInfo)
}

// EnsureDefaults returns l with every nil function replaced by one that does nothing.
func (l Listener) EnsureDefaults() Listener {
	ensure(&l.JobState)
	ensure(&l.TaskState)
	ensure(&l.CheckpointTriggered)
	ensure(&l.CheckpointCompleted)
	ensure(&l.CheckpointFailed)
	ensure(&l.CheckpointDeclined)
	ensure(&l.Restart)
	ensure(&l.DeadLetter)
	ensure(&l.TaskManagerTrouble)
	return l
}

func ensure[I any](f *func(I)) {
	if *f == nil {
		*f = func(I) {}
	}
}

// Tee returns a listener that tells each of the given ones, in their order. Nil functions among them are skipped.
func Tee(listeners ...Listener) Listener {
	var t Listener
	for _, l := range listeners {
		t.JobState = both(t.JobState, l.JobState)
		t.TaskState = both(t.TaskState, l.TaskState)
		t.CheckpointTriggered = both(t.CheckpointTriggered, l.CheckpointTriggered)
		t.CheckpointCompleted = both(t.CheckpointCompleted, l.CheckpointCompleted)
		t.CheckpointFailed = both(t.CheckpointFailed, l.CheckpointFailed)
		t.CheckpointDeclined = both(t.CheckpointDeclined, l.CheckpointDeclined)
		t.Restart = both(t.Restart, l.Restart)
		t.DeadLetter = both(t.DeadLetter, l.DeadLetter)
		t.TaskManagerTrouble = both(t.TaskManagerTrouble, l.TaskManagerTrouble)
	}
	return t.EnsureDefaults()
}

func both[I any](first, second func(I)) func(I) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(info I) {
		first(info)
		second(info)
	}
}
