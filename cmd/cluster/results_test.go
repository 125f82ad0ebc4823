package cluster_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

// query is the graph of bids whose windows go to whoever asked.
func query(b bids) *jobgraph.Graph {
	g := b.graph()
	g.Vertices[1].Sink.Connector = "collect"
	return g
}

// results fetches everything that a job gives, and calls seen behind every batch.
func results(t *testing.T, c *cluster.Cluster, id string, seen func(rows int)) (map[string]int, *apiv1.DescribeJobResponse) {
	t.Helper()
	var pool stream.Pool
	got, last, n := make(map[string]int), types.CheckpointID(0), 0
	d, err := client.Over(c.Jobs()).Results(t.Context(), id, &pool, func(id types.CheckpointID, b *stream.Batch) error {
		if id < last {
			t.Errorf("rows of checkpoint %d behind those of %d", id, last)
		}
		last = id
		for _, row := range streamtest.Rows(b) {
			got[row]++
		}
		n += b.Rows()
		seen(n)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := pool.Live(); n != 0 {
		t.Errorf("%d buffers are not given back", n)
	}
	return got, d
}

// expectWindows checks that every bid is counted in one window, and every window there once.
func expectWindows(t *testing.T, got map[string]int, b bids) {
	t.Helper()
	total := 0
	for row, times := range got {
		if times != 1 {
			t.Errorf("%d times: %s", times, row)
		}
		f := strings.Fields(row)
		n, err := strconv.Atoi(f[len(f)-3])
		if err != nil {
			t.Fatalf("row %q: %v", row, err)
		}
		total += n
	}
	if total != b.events*46/50 {
		t.Errorf("windows count %d bids, want %d", total, b.events*46/50)
	}
}

// TestResultsOfAQuery fetches the rows of queries while they run, and when they have ended.
func TestResultsOfAQuery(t *testing.T) {
	for name, o := range map[string]cluster.Options{"rings": {}, "gRPC": {Remote: true}} {
		t.Run(name, func(t *testing.T) {
			c := startWith(t, o, func(*cluster.Wiring) {})
			b := bids{events: 100_000, parallelism: 2, rate: 1000, interval: 50 * time.Millisecond}
			id := submit(t, c, query(b))
			got, d := results(t, c, id, func(int) {})
			if d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
				t.Fatalf("job ended as %s: %s", d.Summary.State, d.Summary.Failure)
			}
			expectWindows(t, got, b)
			if again, _ := results(t, c, id, func(int) {}); len(again) > 0 {
				t.Errorf("%d rows are given again", len(again))
			}
		})
	}
}
