package exactlyonce

import (
	"context"
	"testing"
	"time"

	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/netns"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
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
	{name: "task-manager-isolated", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		p.Severed(ctx, r, func(w *platformtest.Part) { w.Host.Isolate() })
	}},
	{name: "task-manager-cut-off-from-job-managers", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		p.Severed(ctx, r, func(w *platformtest.Part) { w.Host.Isolate(p.JobManagers[0].Host, p.JobManagers[1].Host) })
	}},
	{name: "task-manager-cut-off-from-its-peers", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		w := p.Worker(ctx, r)
		for _, other := range p.TaskManagers {
			if other != w {
				w.Host.Isolate(other.Host)
			}
		}
		before := r.Describe(ctx).Summary.Restarts
		r.AwaitDescription(ctx, "a restart for want of rows", func(d *apiv1.DescribeJobResponse) bool { return d.Summary.Restarts > before })
		w.Host.Heal()
	}},
	{name: "task-manager-deaf", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		p.Severed(ctx, r, func(w *platformtest.Part) { w.Host.Deafen() })
	}},
	{name: "task-manager-mute", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		p.Severed(ctx, r, func(w *platformtest.Part) { w.Host.Mute() })
	}},
	{name: "leader-cut-off-from-etcd", strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		l := p.Leads(ctx)
		l.Host.Isolate(p.EtcdHost)
		p.AwaitOther(ctx, l)
		l.Host.Heal()
	}},
	{name: "task-manager-loses-packets", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		w := p.Worker(ctx, r)
		w.Host.Lose(lossPercent)
		r.AwaitMore(ctx, troubledCheckpoints)
		w.Host.Heal()
	}},
	{name: "task-manager-narrow", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		w := p.Worker(ctx, r)
		w.Host.Limit(narrowBytesPerSecond)
		r.AwaitMore(ctx, troubledCheckpoints)
		w.Host.Heal()
	}},
	{name: "leader-far-away", interposed: true, strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		l := p.Leads(ctx)
		l.Host.Delay(linkDelay)
		r.AwaitMore(ctx, troubledCheckpoints)
		l.Host.Heal()
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
