package cluster_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/cluster"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// tryFrom submits a graph that starts from a savepoint, waiting for a leader.
func tryFrom(t *testing.T, c *cluster.Cluster, g *jobgraph.Graph, r *apiv1.SubmitJobRequest) (*apiv1.SubmitJobResponse, error) {
	t.Helper()
	var err error
	if r.Graph, err = codec.ToProto(g); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		resp, err := c.Jobs().SubmitJob(ctx, r)
		if err == nil || !strings.Contains(err.Error(), "lead") {
			return resp, err
		}
	}
}

func submitFrom(t *testing.T, c *cluster.Cluster, g *jobgraph.Graph, path string) *apiv1.SubmitJobResponse {
	t.Helper()
	resp, err := tryFrom(t, c, g, &apiv1.SubmitJobRequest{FromSavepoint: path})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// stopInto stops a running job behind its first checkpoint into a savepoint, and returns where that is.
func stopInto(t *testing.T, c *cluster.Cluster, id string, drain bool) string {
	t.Helper()
	s := watch(t, c, id, afterCheckpoint(func() {
		if _, err := c.Jobs().StopJob(t.Context(), &apiv1.StopJobRequest{JobId: id, Drain: drain, Savepoint: true}); err != nil {
			t.Error(err)
		}
	}))
	if s != apiv1.JobState_JOB_STATE_STOPPED {
		t.Fatalf("job ended as %s", s)
	}
	saved := describe(t, c, id).Savepoints
	if len(saved) != 1 || !saved[0].Stopped || saved[0].Drained != drain {
		t.Fatalf("the stopped job shows the savepoints %v", saved)
	}
	return saved[0].Path
}

// A job that is stopped into a savepoint goes on from it as another job, at another parallelism, whose own checkpoints need
// the savepoint no longer: each row is in the output once, over both and over a third.
func TestStopAndStartElsewhere(t *testing.T) {
	sink := newCollect()
	c := start(t, sink, cluster.Options{Retention: eager})
	b := slow()
	b.cold, b.events = true, 1_000_000 // they do not end before the last job, which takes them as fast as it can
	first := submit(t, c, b.graph())
	path := stopInto(t, c, first, false)
	readSavepoint(t, path)

	b.parallelism = 3
	second := submitFrom(t, c, b.graph(), path)
	if second.RestoredJobId != first || second.RestoredCheckpointId == 0 {
		t.Errorf("restored checkpoint %d of job %s, want of %s", second.RestoredCheckpointId, second.RestoredJobId, first)
	}
	for _, f := range second.State {
		if f.Fate != apiv1.Fate_FATE_KEPT {
			t.Errorf("with the same graph: %v", f)
		}
	}
	// Four checkpoints later three retained ones are its own: the savepoint may go.
	checkpoints := 0
	var next string
	s := watch(t, c, second.JobId, func(e *apiv1.WatchJobResponse) {
		if e.GetCheckpointCompleted() == nil {
			return
		}
		if checkpoints++; checkpoints == 5 {
			if err := os.RemoveAll(path); err != nil {
				t.Error(err)
			}
			d := describe(t, c, second.JobId)
			if d.RestoredFrom != path {
				t.Errorf("job was restored from %s, says %q", path, d.RestoredFrom)
			}
			killTaskManagerOf(t, c, d)
		}
		if checkpoints == 7 {
			next = savepoint(t, c, second.JobId).Path
			if _, err := c.Jobs().StopJob(t.Context(), &apiv1.StopJobRequest{JobId: second.JobId}); err != nil {
				t.Error(err)
			}
		}
	})
	if s != apiv1.JobState_JOB_STATE_STOPPED {
		t.Fatalf("job ended as %s", s)
	}
	// From the checkpoint behind which it was stopped, not from the savepoint before: that would repeat what came between.
	last := lastManifest(t, c, second.JobId)
	if strings.HasPrefix(last, next) {
		t.Fatal("the savepoint is the last checkpoint")
	}
	b.parallelism, b.limited = 1, false
	if s := watch(t, c, submitFrom(t, c, b.graph(), last).JobId, nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	check(t, sink, b)
}

// lastManifest returns the manifest of a job's last checkpoint.
func lastManifest(t *testing.T, c *cluster.Cluster, id string) string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(c.Blobs, id, "manifest", "*"))
	if err != nil || len(all) == 0 {
		t.Fatalf("%v: %v", all, err)
	}
	return all[len(all)-1]
}

func killTaskManagerOf(t *testing.T, c *cluster.Cluster, d *apiv1.DescribeJobResponse) {
	t.Helper()
	victim := types.TaskManagerID(d.Tasks[0].TaskManagerId)
	if err := c.KillTaskManager(victim); err != nil {
		t.Error(err)
	}
	if err := c.StartTaskManager(victim); err != nil {
		t.Error(err)
	}
}

// A drained savepoint has fired every window and does not make later rows late.
func TestStartFromADrainedSavepoint(t *testing.T) {
	sink := newCollect()
	c := start(t, sink, cluster.Options{})
	b := slow()
	b.events = 1_000_000
	path := stopInto(t, c, submit(t, c, b.graph()), true)
	b.limited = false
	if len(sink.rows()) == 0 {
		t.Error("a drained job has fired no window")
	}
	id := submitFrom(t, c, b.graph(), path).JobId
	if s := watch(t, c, id, nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	for _, task := range describe(t, c, id).Tasks {
		if n := task.Progress.GetLate(); n > 0 {
			t.Errorf("%d rows are late at %s/%d", n, task.VertexId, task.Subtask)
		}
	}
	check(t, sink, b)
}

// Into another graph: what is kept, dropped and new is told before anything starts, and what can't be restored is refused
// with its name.
func TestStartAnotherGraph(t *testing.T) {
	c := start(t, newCollect(), cluster.Options{})
	b := endless()
	path := stopInto(t, c, submit(t, c, b.graph()), false)
	cases := []struct {
		name   string
		change func(g *jobgraph.Graph)
		allow  bool
		want   []string // in the error, or in the fates
	}{
		{"the same", func(*jobgraph.Graph) {}, false, []string{"kept bids positions", "kept windows table windows of window"}},
		{
			"another uid", func(g *jobgraph.Graph) { g.Vertices[1].Operators[0].UID = "renamed" }, false,
			[]string{"vertex windows", "table windows of operator window", "--allow-non-restored-state"},
		},
		{
			"another uid, allowed", func(g *jobgraph.Graph) { g.Vertices[1].Operators[0].UID = "renamed" }, true,
			[]string{"kept bids positions", "dropped windows table windows of window", "new windows table windows of renamed"},
		},
		{"a vertex gone", func(g *jobgraph.Graph) {
			g.Vertices = g.Vertices[:1]
			g.Edges, g.Vertices[0].Sink = nil, &jobgraph.SinkSpec{UID: "sink", Connector: "collected"}
		}, false, []string{"vertex windows", "the graph has no such vertex"}},
		{"another aggregate", func(g *jobgraph.Graph) {
			spec := *g.Vertices[1].Operators[0].Body.(*jobgraph.WindowAggregateSpec)
			spec.Aggregates = spec.Aggregates[:2]
			local := *g.Vertices[0].Operators[0].Body.(*jobgraph.LocalAggregateSpec)
			local.Aggregates = local.Aggregates[:2]
			g.Vertices[1].Operators[0].Body, g.Vertices[0].Operators[0].Body = &spec, &local
		}, true, []string{"vertex windows", "table windows of operator window", "column max$2"}},
		{"other key groups", func(g *jobgraph.Graph) { g.MaxParallelism = 256 }, true, []string{"vertex bids", "128 key groups", "256"}},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			g := b.graph()
			k.change(g)
			resp, err := tryFrom(t, c, g, &apiv1.SubmitJobRequest{FromSavepoint: path, AllowNonRestoredState: k.allow, DryRun: true})
			text := ""
			if err != nil {
				text = err.Error()
			}
			for _, f := range resp.GetState() {
				text += strings.ToLower(strings.TrimPrefix(f.Fate.String(), "FATE_")) + " " + f.VertexId + " " + f.What + " " + f.Table + " of " + f.OperatorUid + "\n"
			}
			for _, want := range k.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in:\n%s", want, text)
				}
			}
		})
	}
}

// What is no savepoint is refused with its name, and nothing is started.
func TestStartFromNothing(t *testing.T) {
	c := start(t, newCollect(), cluster.Options{})
	g := endless().graph()
	b := endless()
	b.cold = true
	id := submit(t, c, b.graph())
	path := stopInto(t, c, id, false)
	key := strings.TrimPrefix(path, c.Blobs+"/")
	for name, k := range map[string]struct{ path, want string }{
		"no location":     {"/tmp", "neither <job>/savepoint/"},
		"not there":       {strings.Replace(path, "-", "-x", 1), "no object"},
		"somewhere else":  {"/elsewhere/" + key, "copy its folder to " + path},
		"another's store": {"s3://bucket/" + key, "copy its folder to " + path},
	} {
		if _, err := tryFrom(t, c, g, &apiv1.SubmitJobRequest{FromSavepoint: k.path}); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: %v, want %q", name, err, k.want)
		}
	}
	chunks, err := filepath.Glob(filepath.Join(path, "chunk", "*"))
	if err != nil || len(chunks) == 0 {
		t.Fatalf("the savepoint has no chunks: %v", err)
	}
	if err := os.Truncate(writable(t, chunks[0]), 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := tryFrom(t, c, g, &apiv1.SubmitJobRequest{FromSavepoint: path}); err == nil || !strings.Contains(err.Error(), filepath.Base(chunks[0])) {
		t.Errorf("a truncated chunk: %v", err)
	}
	if err := os.WriteFile(writable(t, filepath.Join(path, "manifest")), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tryFrom(t, c, g, &apiv1.SubmitJobRequest{FromSavepoint: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a manifest that is none: %v", err)
	}
	jobs, err := c.Jobs().ListJobs(t.Context(), &apiv1.ListJobsRequest{})
	if err != nil || len(jobs.Jobs) != 1 {
		t.Errorf("%d jobs were started: %v", len(jobs.GetJobs())-1, err)
	}
}

func writable(t *testing.T, path string) string {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The committed sample of a savepoint is restored, at another parallelism: all bids are counted, those before it and behind.
func TestSampleSavepointIsRestored(t *testing.T) {
	const samples = "../command/inspect/testdata/savepoint-v2"
	out := t.TempDir()
	text, err := os.ReadFile(filepath.Join(samples, "graph.json"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := codec.ParseJSON([]byte(strings.Replace(string(text), "OUT", out, 1)))
	if err != nil {
		t.Fatal(err)
	}
	g.Parallelism = 3
	c := start(t, newCollect(), cluster.Options{})
	if err := os.CopyFS(c.Blobs, os.DirFS(samples)); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(c.Blobs, "*", "savepoint", "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	if s := watch(t, c, submitFrom(t, c, g, found[0]).JobId, nil); s != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("job ended as %s", s)
	}
	files, err := filepath.Glob(filepath.Join(out, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var row struct{ Bids int }
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			sum += row.Bids
		}
	}
	if want := 30_000 * 46 / 50; sum != want {
		t.Errorf("%d bids are counted, want %d", sum, want)
	}
}
