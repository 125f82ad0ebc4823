package platformtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	controlv1 "millrace/proto/millrace/control/v1"
)

// Parallel tells whether the job runs with so many subtasks of each of its two vertices.
func Parallel(n int) func(*apiv1.DescribeJobResponse) bool {
	return func(d *apiv1.DescribeJobResponse) bool {
		return d.Summary.State == apiv1.JobState_JOB_STATE_RUNNING && len(d.Tasks) == 2*n
	}
}

// All returns job managers, then task managers.
func (p *Platform) All() []*Part {
	return append(append([]*Part(nil), p.JobManagers...), p.TaskManagers...)
}

// AwaitOther waits until another job manager leads.
func (p *Platform) AwaitOther(ctx context.Context, l *Part) {
	p.T.Helper()
	Await(ctx, p.T, "another leader", func() bool { return p.Leads(ctx) != l })
}

// LogTakeover logs when the job was taken over, by the clock of whoever did: who asked for it may have been at a job manager
// that is paused.
func (p *Platform) LogTakeover(began time.Time) {
	p.T.Helper()
	for _, j := range p.JobManagers {
		for line := range strings.Lines(string(j.LogTail())) {
			if strings.Contains(line, "job taken over") || strings.Contains(line, "msg=leads") {
				p.T.Logf("%s, the strike began at %s: %s", j.Name, began.UTC().Format(time.StampMilli), strings.TrimSpace(line))
			}
		}
	}
}

// AwaitRunning waits until the job runs and has completed another checkpoint under its present leader.
func (r Running) AwaitRunning(ctx context.Context) {
	r.T.Helper()
	done := r.Describe(ctx).CheckpointsCompleted
	r.AwaitDescription(ctx, "a checkpoint after the disaster", func(d *apiv1.DescribeJobResponse) bool {
		if d.CheckpointsCompleted < done {
			done = 0 // another leader, who counts anew
		}
		return Ended(d) || d.Summary.State == apiv1.JobState_JOB_STATE_RUNNING && d.CheckpointsCompleted > done
	})
}

// CheckAdopted checks that the job still runs in the attempt that was deployed first, under a leader that took it over.
func (r Running) CheckAdopted(ctx context.Context) {
	r.T.Helper()
	d := r.Describe(ctx)
	if d.Attempt != 1 || d.Summary.Restarts != 0 || len(d.RecentFailures) > 0 || !strings.Contains(d.Takeover, "4 tasks were adopted") {
		r.T.Errorf("attempt %d, %d restarts, failures %q, takeover %q", d.Attempt, d.Summary.Restarts, d.RecentFailures, d.Takeover)
	}
	for _, t := range d.Tasks {
		if t.Attempt != 1 || t.State != controlv1.TaskState_TASK_STATE_RUNNING {
			r.T.Errorf("task %s/%d is %s in attempt %d", t.VertexId, t.Subtask, t.State, t.Attempt)
		}
	}
	r.T.Logf("the job was taken over %s", d.Takeover)
}

// Worker returns a task manager that runs tasks of the job.
func (p *Platform) Worker(ctx context.Context, r Running) *Part {
	p.T.Helper()
	d := r.AwaitDescription(ctx, "tasks", Parallel(2))
	for _, m := range p.TaskManagers {
		if m.Name == d.Tasks[0].TaskManagerId {
			return m
		}
	}
	p.T.Fatalf("nobody is %s", d.Tasks[0].TaskManagerId)
	return nil
}

// Severed cuts a task manager with tasks off and waits until the job goes on elsewhere, with a checkpoint. Its tasks go on as
// well. Then it is healed, comes back, and its zombies end.
func (p *Platform) Severed(ctx context.Context, r Running, cut func(*Part)) {
	p.T.Helper()
	w := p.Worker(ctx, r)
	before := r.Describe(ctx).Attempt
	cut(w)
	p.AwaitTaskManagers(ctx, 2)
	r.AwaitDescription(ctx, "tasks elsewhere", func(d *apiv1.DescribeJobResponse) bool {
		return d.Attempt > before && Parallel(2)(d) && Count(d, tasksOn(w)) == 0
	})
	r.AwaitRunning(ctx)
	const zombie = "\nmillrace_taskmanager_job_task_numRecordsIn{"
	if !strings.Contains(p.Figures(ctx, w), zombie) {
		p.T.Errorf("%s has no tasks while it is cut off: nothing is proved", w.Name)
	}
	w.Host.Heal()
	p.AwaitTaskManagers(ctx, 3)
	Await(ctx, p.T, "the end of the zombies", func() bool { return !strings.Contains(p.Figures(ctx, w), zombie) })
}

func tasksOn(w *Part) func(*apiv1.TaskDescription) int64 {
	return func(t *apiv1.TaskDescription) int64 {
		if t.TaskManagerId == w.Name {
			return 1
		}
		return 0
	}
}

// AwaitMore waits until so many more checkpoints are complete.
func (r Running) AwaitMore(ctx context.Context, n int64) {
	r.T.Helper()
	done := r.Describe(ctx).CheckpointsCompleted
	r.AwaitDescription(ctx, "checkpoints in spite of the trouble", Checkpointed(done+n))
}

// Troubled tells whether a job says that something outside refuses it.
func Troubled(d *apiv1.DescribeJobResponse) bool {
	if d.WaitingFor != "" || len(d.RecentFailures) > 0 {
		return true
	}
	return TasksTrouble(d) != ""
}

// TasksTrouble is what tasks say of systems outside.
func TasksTrouble(d *apiv1.DescribeJobResponse) string {
	var all []string
	for _, task := range d.Tasks {
		if text := task.Progress.GetTrouble(); text != "" {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// RecordsIn is what a task of the main job's source has read.
func RecordsIn(d *apiv1.TaskDescription) int64 {
	if d.VertexId != "bids" {
		return 0
	}
	return d.Progress.GetRecordsIn()
}

// RecordsOut is what a task of the main job's windows has given away.
func RecordsOut(d *apiv1.TaskDescription) int64 {
	if d.VertexId != "bids-per-auction" {
		return 0
	}
	return d.Progress.GetRecordsOut()
}

// CreateTopics creates topics of so many partitions.
func CreateTopics(ctx context.Context, t *testing.T, b *realkafka.Broker, partitions int, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := b.CreateTopic(ctx, name, partitions); err != nil {
			t.Fatal(err)
		}
	}
}
