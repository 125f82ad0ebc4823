package cluster_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/cmd/cluster"
	"millrace/internal/testutil/matrix"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/types"
)

// describeUntil describes a job, whoever leads, until that is so.
func describeUntil(t *testing.T, c *cluster.Cluster, id, what string, until func(*apiv1.DescribeJobResponse) bool) *apiv1.DescribeJobResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		d, err := c.Jobs().DescribeJob(ctx, &apiv1.DescribeJobRequest{JobId: id})
		switch {
		case err == nil && until(d):
			return d
		case err != nil && status.Code(err) != codes.Unavailable || ctx.Err() != nil:
			t.Fatalf("waiting for %s: %v\n%v", what, err, d)
		}
	}
}

func hasEnded(d *apiv1.DescribeJobResponse) bool {
	return slices.Contains([]apiv1.JobState{
		apiv1.JobState_JOB_STATE_FINISHED, apiv1.JobState_JOB_STATE_FAILED, apiv1.JobState_JOB_STATE_CANCELED, apiv1.JobState_JOB_STATE_STOPPED,
	}, d.Summary.State)
}

// completes tells whether a leader has seen so many checkpoints complete.
func completes(n int64) func(*apiv1.DescribeJobResponse) bool {
	return func(d *apiv1.DescribeJobResponse) bool { return hasEnded(d) || d.CheckpointsCompleted >= n }
}

// depose ends the term of the leader, as soon as there is one.
func depose(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	for {
		err := c.Depose(t.Context())
		if err == nil {
			return
		}
		if status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
	}
}

// read counts what the readers of a job have read since they were deployed.
func read(d *apiv1.DescribeJobResponse) (n int64) {
	for _, task := range d.Tasks {
		if task.VertexId == "bids" {
			n += task.Progress.GetRecordsIn()
		}
	}
	return n
}

// TestTakeoverDisturbsNoTask deposes leaders again and again at random moments: the tasks of the one deployment that there is
// read everything once, count it without a gap, and commit every window once.
func TestTakeoverDisturbsNoTask(t *testing.T) {
	for name, o := range map[string]cluster.Options{"rings": {}, "gRPC": {Remote: true, Slots: 1}} {
		t.Run(name, func(t *testing.T) {
			o.JobManagers = 2
			takeOverAgainAndAgain(t, o)
		})
	}
}

const takeovers = 10

func takeOverAgainAndAgain(t *testing.T, o cluster.Options) {
	r, sink := matrix.Rand(t), newCollect()
	c := start(t, sink, o)
	b := slow()
	b.events, b.interval = 400_000, 20*time.Millisecond
	id := submit(t, c, b.graph())
	describeUntil(t, c, id, "the first checkpoint", completes(1))
	count := int64(0)
	for i := range takeovers {
		if i%2 == 0 { // also while the leader before is still collecting
			describeUntil(t, c, id, "checkpoints", completes(1+r.Int64N(3)))
		}
		<-time.After(time.Duration(r.Int64N(int64(60 * time.Millisecond)))) // the moment that was drawn
		depose(t, c)
		d := describeUntil(t, c, id, "the figures of all readers", func(d *apiv1.DescribeJobResponse) bool { return hasEnded(d) || read(d) >= count })
		count = read(d)
		if hasEnded(d) {
			t.Fatalf("the job has ended as %s at takeover %d", d.Summary.State, i+1)
		}
	}
	d := describeUntil(t, c, id, "checkpoints of the last leader", completes(2))
	if d.Attempt != 1 || d.Summary.Restarts != 0 || len(d.RecentFailures) > 0 || !strings.Contains(d.Takeover, "4 tasks were adopted") {
		t.Errorf("attempt %d, %d restarts, failures %q, takeover %q", d.Attempt, d.Summary.Restarts, d.RecentFailures, d.Takeover)
	}
	d = describeUntil(t, c, id, "the end", hasEnded)
	if d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED || d.Attempt != 1 {
		t.Fatalf("the job ended as %s in attempt %d: %q", d.Summary.State, d.Attempt, d.RecentFailures)
	}
	check(t, sink, b)
	if n := read(d); n != int64(b.events)*46/50 {
		t.Errorf("readers count %d bids, want %d", n, b.events*46/50)
	}
}

// TestTakeoverWhileAJobStarts deposes leaders while a job is placed, restored, given its splits: what is whole goes on, what is
// not starts again, and every split is read once.
func TestTakeoverWhileAJobStarts(t *testing.T) {
	r, sink := matrix.Rand(t), newCollect()
	c := start(t, sink, cluster.Options{JobManagers: 2, Remote: true})
	b := slow()
	b.interval = 20 * time.Millisecond
	id := submit(t, c, b.graph())
	for range 5 {
		<-time.After(time.Duration(r.Int64N(int64(80 * time.Millisecond)))) // the moment that was drawn
		depose(t, c)
	}
	d := describeUntil(t, c, id, "the end", hasEnded)
	if d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED || d.Summary.Restarts != 0 {
		t.Fatalf("the job ended as %s behind %d restarts: %q", d.Summary.State, d.Summary.Restarts, d.RecentFailures)
	}
	check(t, sink, b)
}

// TestTakeoverAdoptsRegions: a region that fails while nobody leads restarts alone; the other is adopted as it runs.
func TestTakeoverAdoptsRegions(t *testing.T) {
	b := slow()
	b.events = 200_000
	p := startPipelines(t, b, map[string]int{"left": 2, "right": 2}, cluster.Options{JobManagers: 2})
	describeUntil(t, p.c, p.id, "the first checkpoint", completes(1))
	before, _ := p.attempts(t)
	p.breaking["right"].next.Store(true)
	depose(t, p.c)
	describeUntil(t, p.c, p.id, "a checkpoint of the next leader", completes(1))
	now, _ := p.attempts(t)
	if now["left"] != before["left"] || now["right"] == before["right"] {
		t.Errorf("attempts went from %v to %v", before, now)
	}
	if d := describeUntil(t, p.c, p.id, "the end", hasEnded); d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("the job ended as %s: %q", d.Summary.State, d.RecentFailures)
	}
	for _, sink := range p.sinks {
		check(t, sink, b)
	}
}

// TestTakeoversAmidFailures: regions fail and task managers die at random moments, with leaders coming and going.
func TestTakeoversAmidFailures(t *testing.T) {
	b := slow()
	b.events, b.interval = 300_000, 20*time.Millisecond
	p := startPipelines(t, b, map[string]int{"left": 1, "right": 2}, cluster.Options{JobManagers: 2, Remote: true, TaskManagers: 3, Slots: 1})
	r := matrix.Rand(t)
	describeUntil(t, p.c, p.id, "the first checkpoint", completes(1))
	for range 8 {
		switch r.IntN(3) {
		case 0:
			p.breaking[[]string{"left", "right"}[r.IntN(2)]].next.Store(true)
		case 1:
			victim := types.TaskManagerID([]string{"tm-1", "tm-2", "tm-3"}[r.IntN(3)])
			if err := p.c.KillTaskManager(victim); err != nil {
				t.Error(err)
			}
			if err := p.c.StartTaskManager(victim); err != nil {
				t.Error(err)
			}
		default: // nothing but the takeover
		}
		<-time.After(time.Duration(r.Int64N(int64(40 * time.Millisecond)))) // the moment that was drawn
		depose(t, p.c)
		describeUntil(t, p.c, p.id, "a checkpoint", completes(r.Int64N(2)))
	}
	if d := describeUntil(t, p.c, p.id, "the end", hasEnded); d.Summary.State != apiv1.JobState_JOB_STATE_FINISHED {
		t.Fatalf("the job ended as %s: %q", d.Summary.State, d.RecentFailures)
	}
	for _, sink := range p.sinks {
		check(t, sink, b)
	}
}

// TestWishesOutliveTheLeader: what a user was told is under way is carried out, whoever leads.
func TestWishesOutliveTheLeader(t *testing.T) {
	stop := func(drain bool) func(context.Context, *cluster.Cluster, string) error {
		return func(ctx context.Context, c *cluster.Cluster, id string) error {
			_, err := c.Jobs().StopJob(ctx, &apiv1.StopJobRequest{JobId: id, Drain: drain})
			return err
		}
	}
	for name, w := range map[string]struct {
		ask  func(context.Context, *cluster.Cluster, string) error
		done func(*apiv1.DescribeJobResponse) bool
	}{
		"stop":  {stop(false), inState(apiv1.JobState_JOB_STATE_STOPPED)},
		"drain": {stop(true), inState(apiv1.JobState_JOB_STATE_STOPPED)},
		"cancel": {func(ctx context.Context, c *cluster.Cluster, id string) error {
			_, err := c.Jobs().CancelJob(ctx, &apiv1.CancelJobRequest{JobId: id})
			return err
		}, inState(apiv1.JobState_JOB_STATE_CANCELED)},
		"rescale": {func(ctx context.Context, c *cluster.Cluster, id string) error {
			_, err := c.Jobs().RescaleJob(ctx, &apiv1.RescaleJobRequest{JobId: id, Parallelism: 1})
			return err
		}, func(d *apiv1.DescribeJobResponse) bool { return d.CheckpointsCompleted > 0 && len(d.Tasks) == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, newCollect(), cluster.Options{JobManagers: 2})
			id := submit(t, c, endless().graph())
			describeUntil(t, c, id, "the first checkpoint", completes(1))
			if err := w.ask(t.Context(), c, id); err != nil {
				t.Fatal(err)
			}
			depose(t, c)
			describeUntil(t, c, id, "what was asked for", w.done)
			if name == "rescale" {
				return
			}
			awaitIdle(t, c)
		})
	}
}

func inState(s apiv1.JobState) func(*apiv1.DescribeJobResponse) bool {
	return func(d *apiv1.DescribeJobResponse) bool { return d.Summary.State == s }
}

// awaitIdle waits until no task has a buffer any more: nothing runs on of a job that has ended.
func awaitIdle(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	for c.Pool().Live() > 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("tasks run on")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
