package exactlyonce

import (
	"context"
	"strings"
	"testing"
	"time"

	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/netns"
	apiv1 "millrace/proto/millrace/api/v1"
)

const (
	// lossPercent makes every transfer lose packets, and none hopeless.
	lossPercent = 3
	// narrowBytesPerSecond is less than the job would like to send and more than it needs.
	narrowBytesPerSecond = 128 << 10
	// linkDelay is that of a link around the globe, each way.
	linkDelay = 150 * time.Millisecond
	// troubledCheckpoints are so many that all of the job's links are used again and again while the trouble lasts.
	troubledCheckpoints = 20
)

// networkDisasters happen between hosts. Where a task manager is cut off from those who decide, but not from Kafka, its tasks
// go on as zombies beside those that replace them, and only fences keep what they do out of the output.
var networkDisasters = []disaster{
	{name: "task-manager-isolated", strike: func(ctx context.Context, p *platform, r running) {
		p.severed(ctx, r, func(w *part) { w.host.Isolate() })
	}},
	{name: "task-manager-cut-off-from-job-managers", strike: func(ctx context.Context, p *platform, r running) {
		p.severed(ctx, r, func(w *part) { w.host.Isolate(p.jobManagers[0].host, p.jobManagers[1].host) })
	}},
	{name: "task-manager-cut-off-from-its-peers", strike: func(ctx context.Context, p *platform, r running) {
		w := p.worker(ctx, r)
		for _, other := range p.taskManagers {
			if other != w {
				w.host.Isolate(other.host)
			}
		}
		before := r.describe(ctx).Summary.Restarts
		r.awaitDescription(ctx, "a restart for want of rows", func(d *apiv1.DescribeJobResponse) bool { return d.Summary.Restarts > before })
		w.host.Heal()
	}},
	{name: "task-manager-deaf", strike: func(ctx context.Context, p *platform, r running) {
		p.severed(ctx, r, func(w *part) { w.host.Deafen() })
	}},
	{name: "task-manager-mute", strike: func(ctx context.Context, p *platform, r running) {
		p.severed(ctx, r, func(w *part) { w.host.Mute() })
	}},
	{name: "leader-cut-off-from-etcd", strike: func(ctx context.Context, p *platform, _ running) {
		l := p.leads(ctx)
		l.host.Isolate(p.etcdHost)
		p.awaitOther(ctx, l)
		l.host.Heal()
	}},
	{name: "task-manager-loses-packets", strike: func(ctx context.Context, p *platform, r running) {
		w := p.worker(ctx, r)
		w.host.Lose(lossPercent)
		r.awaitMore(ctx, troubledCheckpoints)
		w.host.Heal()
	}},
	{name: "task-manager-narrow", strike: func(ctx context.Context, p *platform, r running) {
		w := p.worker(ctx, r)
		w.host.Limit(narrowBytesPerSecond)
		r.awaitMore(ctx, troubledCheckpoints)
		w.host.Heal()
	}},
	{name: "leader-far-away", interposed: true, strike: func(ctx context.Context, p *platform, r running) {
		l := p.leads(ctx)
		l.host.Delay(linkDelay)
		r.awaitMore(ctx, troubledCheckpoints)
		l.host.Heal()
	}},
}

// TestNetworkDisasters is TestDisasters with every process on a host of its own, and trouble between them.
func TestNetworkDisasters(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a platform")
	}
	for _, d := range matrix.Sample(t, 1, networkDisasters) {
		t.Run(d.name, func(t *testing.T) { strike(t, d, netns.Start(t, "the main job through a "+d.name)) })
	}
}

// worker returns a task manager that runs tasks of the job.
func (p *platform) worker(ctx context.Context, r running) *part {
	p.t.Helper()
	d := r.awaitDescription(ctx, "tasks", parallel(2))
	for _, m := range p.taskManagers {
		if m.name == d.Tasks[0].TaskManagerId {
			return m
		}
	}
	p.t.Fatalf("nobody is %s", d.Tasks[0].TaskManagerId)
	return nil
}

// severed cuts a task manager with tasks off and waits until the job goes on elsewhere, with a checkpoint. Its tasks go on as
// well. Then it is healed, comes back, and its zombies end.
func (p *platform) severed(ctx context.Context, r running, cut func(*part)) {
	p.t.Helper()
	w := p.worker(ctx, r)
	before := r.describe(ctx).Attempt
	cut(w)
	p.awaitTaskManagers(ctx, 2)
	r.awaitDescription(ctx, "tasks elsewhere", func(d *apiv1.DescribeJobResponse) bool {
		return d.Attempt > before && parallel(2)(d) && count(d, tasksOn(w)) == 0
	})
	r.awaitRunning(ctx)
	const zombie = "\nmillrace_taskmanager_job_task_numRecordsIn{"
	if !strings.Contains(p.figures(ctx, w), zombie) {
		p.t.Errorf("%s has no tasks while it is cut off: nothing is proved", w.name)
	}
	w.host.Heal()
	p.awaitTaskManagers(ctx, 3)
	await(ctx, p.t, "the end of the zombies", func() bool { return !strings.Contains(p.figures(ctx, w), zombie) })
}

func tasksOn(w *part) func(*apiv1.TaskDescription) int64 {
	return func(t *apiv1.TaskDescription) int64 {
		if t.TaskManagerId == w.name {
			return 1
		}
		return 0
	}
}

// awaitMore waits until so many more checkpoints are complete.
func (r running) awaitMore(ctx context.Context, n int64) {
	r.t.Helper()
	done := r.describe(ctx).CheckpointsCompleted
	r.awaitDescription(ctx, "checkpoints in spite of the trouble", checkpointed(done+n))
}
