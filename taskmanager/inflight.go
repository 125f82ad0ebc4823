package taskmanager

import (
	"context"
	"fmt"

	"millrace/exchange/inflight"
	controlv1 "millrace/proto/millrace/control/v1"
	"millrace/taskmanager/task"
	"millrace/taskmanager/upload"
)

// replayed gives the gate what was in flight to former tasks, as far as it is this
// task's now.
func (b *builder) replayed(ctx context.Context) error {
	if len(b.d.InFlight) == 0 {
		return nil
	}
	r := &task.Replays{
		Graph: b.plan.graph, Task: b.id, Parallelism: b.parallelism(), Pool: b.m.Pool,
		Read: func(f *controlv1.InFlight) ([]inflight.Channel, error) {
			return upload.InFlight(ctx, b.m.Store, b.m.Cache, f.File)
		},
	}
	replay, err := r.Of(b.d.InFlight)
	if err != nil {
		return fmt.Errorf("restore what was in flight: %w", err)
	}
	b.closes = append(b.closes, replay.Release)
	b.parts.Replay = replay
	return nil
}
