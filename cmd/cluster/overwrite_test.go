package cluster_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// TestOverwritingWithoutTaskManagers: a table stays as it was while the job that overwrites it loses its task managers, and has each row once at its end.
func TestOverwritingWithoutTaskManagers(t *testing.T) {
	const events, rows = 100_000, 92_000 // 46 of 50 events are bids
	table := t.TempDir()
	if err := os.WriteFile(filepath.Join(table, "old"), []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := bids{events: events, parallelism: 2, rate: 40_000, limited: true, interval: 100 * time.Millisecond}.graph()
	g.Vertices, g.Edges = g.Vertices[:1], nil
	g.Vertices[0].Sink = &jobgraph.SinkSpec{UID: "sink", Connector: "filesystem", Overwrite: true, Options: map[string]string{"path": table, "format": "json"}}
	c := startWith(t, cluster.Options{Slots: 2}, func(*cluster.Wiring) {})
	id := submit(t, c, g)
	killed, restarts, finishing := 0, 0, false
	s := watch(t, c, id, func(e *apiv1.WatchJobResponse) {
		if e.GetRestarted() != nil {
			restarts++
		}
		if s := e.GetState(); s != nil {
			finishing = s.State == apiv1.JobState_JOB_STATE_FINISHING
		}
		if e.GetCheckpointCompleted() == nil || killed >= 2 || restarts < killed {
			return
		}
		if files, lines := shown(t, table); !finishing && (files != 1 || lines != 1) { // then the last commit may be under way
			t.Errorf("in the middle there are %d files with %d lines", files, lines)
		}
		killed++
		victim := types.TaskManagerID(describe(t, c, id).Tasks[0].TaskManagerId)
		if err := c.KillTaskManager(victim); err != nil {
			t.Error(err)
		}
		if err := c.StartTaskManager(victim); err != nil {
			t.Error(err)
		}
	})
	if s != apiv1.JobState_JOB_STATE_FINISHED || restarts == 0 {
		t.Fatalf("job ended as %s behind %d restarts", s, restarts)
	}
	if _, lines := shown(t, table); lines != rows {
		t.Errorf("%d rows, want %d", lines, rows)
	}
	entries, err := os.ReadDir(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "part-"+id) {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// shown counts what a reader of a table of files without partitions sees.
func shown(t *testing.T, dir string) (files, lines int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files, lines = files+1, lines+bytes.Count(content, []byte{'\n'})
	}
	return files, lines
}
