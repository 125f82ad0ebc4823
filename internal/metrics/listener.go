package metrics

import "millrace/internal/events"

// Listener returns a listener that counts the checkpoints and restarts of the job with the given id in j. Events of
// other jobs pass by.
func (j *Job) Listener(id string) events.Listener {
	return events.Listener{
		CheckpointTriggered: func(i events.CheckpointTriggeredInfo) {
			if i.Job == id {
				j.CheckpointsTriggered.Add(1)
			}
		},
		CheckpointCompleted: func(i events.CheckpointCompletedInfo) {
			if i.Job == id {
				j.checkpointCompleted(i)
			}
		},
		CheckpointFailed: func(i events.CheckpointFailedInfo) {
			if i.Job == id {
				j.CheckpointsFailed.Add(1)
			}
		},
		Restart: func(i events.RestartInfo) {
			if i.Job == id {
				j.Restarts.Add(1)
			}
		},
	}
}

func (j *Job) checkpointCompleted(i events.CheckpointCompletedInfo) {
	j.CheckpointsCompleted.Add(1)
	j.CheckpointID.Set(int64(i.Checkpoint))
	j.CheckpointMillis.Set(i.Duration.Milliseconds())
	j.CheckpointBytes.Set(i.Bytes)
	j.CheckpointFullBytes.Set(i.FullBytes)
	j.PersistedBytes.Set(i.InFlightBytes)
}
