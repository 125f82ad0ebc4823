package exactlyonce

import (
	"context"
	"strings"
	"testing"
	"time"

	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
)

// disaster is something that happens to a platform while the main job runs on it.
type disaster struct {
	name string
	// crashPoint is armed in the first leader.
	crashPoint string
	strike     func(ctx context.Context, p *platform, r running, b *realkafka.Broker)
}

var disasters = []disaster{
	{"task-manager-killed", "", func(ctx context.Context, p *platform, _ running, _ *realkafka.Broker) {
		p.taskManagers[0].Kill()
		p.restart(ctx, p.taskManagers[0])
	}},
	{"two-task-managers-killed", "", func(ctx context.Context, p *platform, _ running, _ *realkafka.Broker) {
		p.taskManagers[0].Kill()
		p.taskManagers[1].Kill()
		p.restart(ctx, p.taskManagers[:2]...)
	}},
	{"task-manager-gone", "", func(_ context.Context, p *platform, _ running, _ *realkafka.Broker) {
		p.taskManagers[0].Kill() // and stays away: the third has a slot
	}},
	{"two-task-managers-gone", "", func(ctx context.Context, p *platform, r running, _ *realkafka.Broker) {
		p.taskManagers[0].Kill()
		p.taskManagers[1].Kill()
		r.awaitDescription(ctx, "the slot that is left", parallel(1))
		p.restart(ctx, p.taskManagers[:2]...)
		r.awaitDescription(ctx, "the slots that came back", parallel(2))
	}},
	{"leader-killed", "", func(ctx context.Context, p *platform, _ running, _ *realkafka.Broker) {
		l := p.leads(ctx)
		l.Kill()
		p.awaitOther(ctx, l)
		p.restart(ctx, l)
	}},
	{"leader-paused", "", func(ctx context.Context, p *platform, _ running, _ *realkafka.Broker) {
		l := p.leads(ctx)
		l.Pause()
		p.awaitOther(ctx, l)
		l.Resume()
	}},
	{"leader-paused-with-a-decided-write", "pause:" + crash.BeforeComplete + "@6", func(ctx context.Context, p *platform, _ running, _ *realkafka.Broker) {
		l := p.jobManagers[0]
		said := func(what string) func() bool {
			return func() bool { return strings.Contains(string(l.LogTail()), what) }
		}
		await(ctx, p.t, "the pause", said("pauses at "+crash.BeforeComplete))
		p.awaitOther(ctx, l)
		l.Resume()
		// It completes a checkpoint that it had written, and must not.
		await(ctx, p.t, "the refusal of what it had decided", said("a decided checkpoint does not count"))
	}},
	{"all-killed", "", func(ctx context.Context, p *platform, _ running, _ *realkafka.Broker) {
		for _, part := range p.all() {
			part.Kill()
		}
		p.restart(ctx, p.all()...)
	}},
	{"task-manager-paused", "", func(ctx context.Context, p *platform, r running, _ *realkafka.Broker) {
		p.taskManagers[0].Pause()
		await(ctx, p.t, "its loss", func() bool { return len(p.describe(ctx).TaskManagers) == 2 })
		p.taskManagers[0].Resume()
	}},
	{"etcd-leader-killed", "", func(ctx context.Context, p *platform, _ running, _ *realkafka.Broker) {
		m, err := p.etcd.Leader(ctx)
		if err != nil {
			p.t.Fatal(err)
		}
		m.Kill()
		p.describe(ctx)
		if err := m.Restart(ctx); err != nil {
			p.t.Fatal(err)
		}
	}},
	{"store-away", "", func(ctx context.Context, p *platform, r running, _ *realkafka.Broker) {
		p.s3.Kill()
		r.awaitDescription(ctx, "trouble with the store", func(d *apiv1.DescribeJobResponse) bool {
			return troubled(d) || d.CheckpointsFailed > 0
		})
		if err := p.s3.Restart(ctx); err != nil {
			p.t.Fatal(err)
		}
	}},
	{"task-manager-drained", "", func(_ context.Context, p *platform, _ running, _ *realkafka.Broker) {
		p.taskManagers[0].Stop() // SIGTERM; it hands over to the third
	}},
	{"rescaled", "", func(ctx context.Context, p *platform, r running, _ *realkafka.Broker) {
		for _, n := range []int32{1, 3} {
			if _, err := p.jobs.RescaleJob(ctx, &apiv1.RescaleJobRequest{JobId: r.id, Parallelism: n}); err != nil {
				p.t.Fatal(err)
			}
			r.awaitDescription(ctx, "the new parallelism", parallel(int(n)))
		}
	}},
}

// parallel tells whether the job runs with so many subtasks of each of its two vertices.
func parallel(n int) func(*apiv1.DescribeJobResponse) bool {
	return func(d *apiv1.DescribeJobResponse) bool {
		return d.Summary.State == apiv1.JobState_JOB_STATE_RUNNING && len(d.Tasks) == 2*n
	}
}

func (p *platform) all() []*part {
	return append(append([]*part(nil), p.jobManagers...), p.taskManagers...)
}

// awaitOther waits until another job manager leads.
func (p *platform) awaitOther(ctx context.Context, l *part) {
	p.t.Helper()
	await(ctx, p.t, "another leader", func() bool { return p.leads(ctx) != l })
}

// TestDisasters runs the main job on a platform of processes, strikes in the middle, and compares the output with the model,
// record by record.
func TestDisasters(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a platform")
	}
	for _, d := range matrix.Sample(t, 2, disasters) {
		t.Run(d.name, func(t *testing.T) { strike(t, d) })
	}
}

func strike(t *testing.T, d disaster) {
	b := sharedBroker(t)
	ctx := limited(t, testLimit)
	p := startPlatform(ctx, t, 3, d.crashPoint)
	load := small
	j, tap, written := load.prepare(ctx, t, b, "disaster-"+d.name)
	p.awaitTaskManagers(ctx, 3)
	r := run(ctx, t, p.jobs, j.graph(t))
	dripping, stop := context.WithCancel(ctx)
	defer stop()
	go tap.drip(dripping, load.perPart/10, load.perPart*3/4)
	r.awaitDescription(ctx, "checkpoints before the disaster", checkpointed(3))
	began := time.Now()
	d.strike(ctx, p, r, b)
	r.awaitRunning(ctx)
	t.Logf("%s: runs again, with a checkpoint, %s after the strike began", d.name, time.Since(began).Round(10*time.Millisecond))
	stop()
	tap.raise(load.perPart)
	description := r.finish(ctx)
	if err := written.wait(); err != nil {
		t.Fatal(err)
	}
	verify(ctx, t, b, j.out, load.model())
	t.Logf("%d restarts; failures %q; rescales %q", description.Summary.Restarts, description.RecentFailures, description.RecentRescales)
	for _, f := range description.RecentFailures {
		if strings.Contains(f, "lost:") {
			t.Errorf("a transaction was lost: %s", f)
		}
	}
}

// awaitRunning waits until the job runs and has completed another checkpoint under its present leader.
func (r running) awaitRunning(ctx context.Context) {
	r.t.Helper()
	done := r.describe(ctx).CheckpointsCompleted
	r.awaitDescription(ctx, "a checkpoint after the disaster", func(d *apiv1.DescribeJobResponse) bool {
		if d.CheckpointsCompleted < done {
			done = 0 // another leader, who counts anew
		}
		return ended(d) || d.Summary.State == apiv1.JobState_JOB_STATE_RUNNING && d.CheckpointsCompleted > done
	})
}
