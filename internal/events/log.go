package events

import (
	"context"
	"log/slog"

	"millrace/failure"
)

// Log returns a listener that writes to logger, a record an event: the line as the message, the fields beside it.
// Levels follow the house rule: info for a state that changed, warn for what to read first when something is wrong,
// error for what somebody must look at, debug for what happens at every barrier.
func Log(logger *slog.Logger) Listener {
	return Listener{
		JobState:            func(i JobStateInfo) { log(logger, levelOf(i.Err, slog.LevelInfo), i) },
		TaskState:           func(i TaskStateInfo) { log(logger, taskLevel(i.Err), i) },
		CheckpointTriggered: func(i CheckpointTriggeredInfo) { log(logger, slog.LevelDebug, i) },
		CheckpointCompleted: func(i CheckpointCompletedInfo) { log(logger, slog.LevelDebug, i) },
		CheckpointFailed:    func(i CheckpointFailedInfo) { log(logger, slog.LevelWarn, i) },
		CheckpointDeclined:  func(i CheckpointDeclinedInfo) { log(logger, slog.LevelWarn, i) },
		Restart:             func(i RestartInfo) { log(logger, slog.LevelWarn, i) },
		DeadLetter:          func(i DeadLetterInfo) { log(logger, slog.LevelWarn, i) },
		TaskManagerTrouble:  func(i TaskManagerTroubleInfo) { log(logger, troubleLevel(i.Trouble), i) },
	}
}

func log(logger *slog.Logger, level slog.Level, info Info) {
	ctx := context.Background() // events belong to no request
	if !logger.Enabled(ctx, level) {
		return
	}
	logger.LogAttrs(ctx, level, info.String(), info.Attrs()...)
}

// levelOf returns usual without an error; with one, error if only a person can help and warn otherwise.
func levelOf(err error, usual slog.Level) slog.Level {
	switch {
	case err == nil:
		return usual
	case failure.ClassOf(err).Retry == failure.Never:
		return slog.LevelError
	}
	return slog.LevelWarn
}

func troubleLevel(trouble string) slog.Level {
	if trouble == "" {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// taskLevel keeps tasks below error: what the failure of a task means is told by the state of its job.
func taskLevel(err error) slog.Level {
	if err != nil {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}
