package sim

import (
	"fmt"
	"strings"
	"testing"

	"millrace/checkpoint"
	"millrace/types"
)

// TestTakeoverGivesUpWhatOvertook has the leader die while a checkpoint is under way in which a barrier has overtaken rows, and
// some task has stored them. The next leader adopts all tasks and gives the checkpoint up: it never counts, what was recorded
// for it is used by nobody and collected, and no task notices.
func TestTakeoverGivesUpWhatOvertook(t *testing.T) {
	const schedules = 6
	for seed := range uint64(schedules) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(seed)
			w.faults = faults{
				takeover: true, unaligned: true, slowSink: 900, regions: 1, parallelism: 2,
				crashAt: make(map[string]int), pauseAt: make(map[string]int),
			}
			var under types.CheckpointID
			w.saw = func(jm *jobManager, j *watched, what fmt.Stringer) {
				e, ok := what.(checkpoint.Acknowledged)
				if ok && under == 0 && j.latest != nil && w.now > faultsFrom && e.State.GetInFlight() != nil {
					under = e.ID
					w.after(0, func() { w.kill(jm.process) })
				}
			}
			r := w.play()
			if len(r.Violations) > 0 {
				r.Print(t.Output())
				t.FailNow()
			}
			first := w.oracle.jobs[0]
			if under == 0 || w.adoptions != 1 {
				t.Fatalf("checkpoint %d was under way, %d adoptions", under, w.adoptions)
			}
			if _, complete := first.at[under]; complete || types.CheckpointID(first.latest.CheckpointId) <= under {
				t.Errorf("checkpoint %d is complete: %t, the last one is %d", under, complete, first.latest.CheckpointId)
			}
			if !strings.Contains(r.Trace, fmt.Sprintf("checkpoint %d is given up", under)) {
				t.Errorf("no task was told that checkpoint %d is given up", under)
			}
		})
	}
}
