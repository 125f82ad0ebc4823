package taskmanager

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"millrace/internal/clock"
	"millrace/types"
)

// TestTasksThatDoNotEnd: whoever ends the process is told of tasks that take longer to end than they may, once, and of others never.
func TestTasksThatDoNotEnd(t *testing.T) {
	for _, test := range []struct {
		name  string
		ends  []bool // each task, in time
		stuck string
	}{
		{"all end", []bool{true, true}, ""},
		{"one does not", []bool{true, false, true}, "tasks [v/1] of job j have not ended within 3m0s of being cancelled"},
		{"none does", []bool{false, false}, "tasks [v/0 v/1] of job j have not ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := clock.NewManual(time.UnixMilli(0))
			var told []string
			m := New(Options{
				Clock: c, Log: slog.New(slog.DiscardHandler), CancellationTimeout: 3 * time.Minute, Stuck: func(err error) { told = append(told, err.Error()) },
			})
			a := newAttempt(m, types.RegionID{Job: "j"}, 1)
			for i := range test.ends {
				a.add(&running{id: types.TaskID{Vertex: "v", Subtask: int32(i)}, ended: make(chan struct{})})
			}
			watched := make(chan struct{})
			go func() { defer close(watched); m.watch(a) }()
			if !c.AwaitRunning(1, t.Context().Done()) {
				t.Fatal("nothing limits the wait")
			}
			for i, r := range a.tasks() {
				if test.ends[i] {
					close(r.ended)
				}
			}
			if test.stuck != "" {
				c.Advance(3*time.Minute - 1)
				if c.Running() == 0 {
					t.Error("it is over too early")
				}
				c.Advance(1)
			}
			<-watched
			if got := strings.Join(told, "\n"); (test.stuck == "") != (got == "") || !strings.HasPrefix(got, test.stuck) || len(told) > 1 {
				t.Errorf("it is told %q, want %q", told, test.stuck)
			}
		})
	}
}
