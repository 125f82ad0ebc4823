package exactlyonce

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/netns"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// disaster is something that happens to a platform while the main job runs on it.
type disaster struct {
	name string
	// crashPoint is armed in the first leader.
	crashPoint string
	// ownBroker is for those that happen to the broker.
	ownBroker bool
	// interposed is for those that delay a job manager's network.
	interposed bool
	// lengthy is for those that take their time, which is theirs to take only where everything runs.
	lengthy bool
	// undisturbed is for those in which another leader adopts the tasks as they run.
	undisturbed bool
	strike      func(ctx context.Context, p *platformtest.Platform, r platformtest.Running)
}

// disasters happen to the processes of millrace, serverDisasters to those it relies on.
var disasters = []disaster{
	{name: "task-manager-killed", strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		p.TaskManagers[0].Kill()
		p.Restart(ctx, p.TaskManagers[0])
	}},
	{name: "two-task-managers-killed", strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		p.TaskManagers[0].Kill()
		p.TaskManagers[1].Kill()
		p.Restart(ctx, p.TaskManagers[:2]...)
	}},
	{name: "task-manager-gone", strike: func(_ context.Context, p *platformtest.Platform, _ platformtest.Running) {
		p.TaskManagers[0].Kill() // and stays away: the third has a slot
	}},
	{name: "two-task-managers-gone", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		p.TaskManagers[0].Kill()
		p.TaskManagers[1].Kill()
		r.AwaitDescription(ctx, "the slot that is left", platformtest.Parallel(1))
		p.Restart(ctx, p.TaskManagers[:2]...)
		r.AwaitDescription(ctx, "the slots that came back", platformtest.Parallel(2))
	}},
	{name: "leader-killed", undisturbed: true, strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		l := p.Leads(ctx)
		l.Kill()
		p.AwaitOther(ctx, l)
		p.Restart(ctx, l)
	}},
	{name: "leader-paused", undisturbed: true, strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		l := p.Leads(ctx)
		l.Pause()
		p.AwaitOther(ctx, l)
		l.Resume()
	}},
	{
		name: "leader-paused-with-a-decided-write", crashPoint: "pause:" + crash.BeforeComplete + "@6", lengthy: true, undisturbed: true,
		strike: pauseWithDecidedWrite,
	},
	{
		name: "leader-killed-before-a-manifest", crashPoint: crash.BeforeManifest + "@6", lengthy: true, undisturbed: true,
		strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
			awaitCrash(ctx, p, crash.BeforeManifest)
		},
	},
	{
		name: "leader-killed-behind-a-complete-checkpoint", crashPoint: crash.AfterComplete + "@6", lengthy: true, undisturbed: true,
		strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
			awaitCrash(ctx, p, crash.AfterComplete)
		},
	},
	{name: "all-killed", strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		for _, part := range p.All() {
			part.Kill()
		}
		p.Restart(ctx, p.All()...)
	}},
	{name: "task-manager-paused", strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		p.TaskManagers[0].Pause()
		p.AwaitTaskManagers(ctx, 2)
		p.TaskManagers[0].Resume()
	}},
	{name: "task-manager-drained", strike: func(_ context.Context, p *platformtest.Platform, _ platformtest.Running) {
		p.TaskManagers[0].Stop() // SIGTERM; it hands over to the third
	}},
	{name: "rescaled", strike: func(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
		for _, n := range []int32{1, 3} {
			if _, err := p.Jobs.RescaleJob(ctx, &apiv1.RescaleJobRequest{JobId: r.ID, Parallelism: n}); err != nil {
				p.T.Fatal(err)
			}
			r.AwaitDescription(ctx, "the new parallelism", platformtest.Parallel(int(n)))
		}
	}},
}

var serverDisasters = []disaster{
	{name: "etcd-leader-killed", strike: func(ctx context.Context, p *platformtest.Platform, _ platformtest.Running) {
		m, err := p.Etcd.Leader(ctx)
		if err != nil {
			p.T.Fatal(err)
		}
		m.Kill()
		p.Describe(ctx)
		if err := m.Restart(ctx); err != nil {
			p.T.Fatal(err)
		}
	}},
	{name: "broker-killed", ownBroker: true, strike: killBroker},
	{name: "store-away", lengthy: true, strike: takeStoreAway},
}

// awaitCrash waits until the leader has come to its crash point, and another leads.
func awaitCrash(ctx context.Context, p *platformtest.Platform, point string) {
	l := p.JobManagers[0]
	platformtest.Await(ctx, p.T, "the crash", func() bool { return strings.Contains(string(l.LogTail()), "crash point "+point) })
	p.AwaitOther(ctx, l)
	p.Restart(ctx, l)
}

// pauseLeast is how long a leader is paused with something decided: longer than its lease, and than whatever its successor
// does at first.
const pauseLeast = 20 * time.Second

// pauseWithDecidedWrite pauses the leader when it has written a manifest and is about to make it count. What it decided, it
// still does when it goes on, in a term that is over.
func pauseWithDecidedWrite(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
	l := p.JobManagers[0]
	line := func(what string) string {
		for text := range strings.Lines(string(l.LogTail())) {
			if strings.Contains(text, what) {
				return text
			}
		}
		return ""
	}
	said := func(what string) func() bool { return func() bool { return line(what) != "" } }
	platformtest.Await(ctx, p.T, "the pause", said("pauses at "+crash.BeforeComplete))
	began := time.Now()
	p.AwaitOther(ctx, l)
	r.AwaitRunning(ctx)
	// The time of the pause is what this is about: nothing that happens says that it was long.
	platformtest.Await(ctx, p.T, "the end of the pause", func() bool { return time.Since(began) >= pauseLeast })
	l.Resume()
	platformtest.Await(ctx, p.T, "the refusal of what it had decided", said("a decided checkpoint does not count"))
	p.T.Logf("%s", line("a decided checkpoint does not count"))
	const count = "\nmillrace_jobmanager_numberOfRefusedCheckpoints "
	platformtest.Await(ctx, p.T, "the count of that", func() bool { return strings.Contains(p.Figures(ctx, l), count+"1\n") })
	if successor := p.Leads(ctx); !strings.Contains(p.Figures(ctx, successor), count+"0\n") {
		p.T.Errorf("%s was refused something, too:\n%s", successor.Name, p.Figures(ctx, successor))
	}
}

// killBroker kills the broker between the outputs of two windows. Within milliseconds of an answer to EndTxn, a broker of one
// node that is killed may forget to write the commit markers (docs/design/0002-kafka-transactions.md, hole 2).
func killBroker(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
	var known int64
	var quiet int
	var last uint64
	r.AwaitDescription(ctx, "checkpoints without output behind some with", func(d *apiv1.DescribeJobResponse) bool {
		switch n := platformtest.Count(d, platformtest.RecordsOut); {
		case n != known || !d.LastCheckpoint.GetCommitted():
			known, quiet = n, 0
		case d.LastCheckpoint.GetCheckpointId() != last:
			quiet++
		}
		last = d.LastCheckpoint.GetCheckpointId()
		return known > 0 && quiet >= 2
	})
	p.Broker.Kill()
	r.AwaitDescription(ctx, "trouble with the broker", func(d *apiv1.DescribeJobResponse) bool {
		return strings.Contains(platformtest.TasksTrouble(d), p.Broker.Addr()) || len(d.RecentFailures) > 0
	})
	if err := p.Broker.Restart(ctx); err != nil {
		p.T.Fatal(err)
	}
}

// storeAwayLeast is longer than every patience of a single call and than the checkpoints that the job tolerates.
const storeAwayLeast = time.Minute

// takeStoreAway is an outage of a whole minute.
func takeStoreAway(ctx context.Context, p *platformtest.Platform, r platformtest.Running) {
	began := time.Now()
	p.S3.Kill()
	r.AwaitDescription(ctx, "trouble with the store", func(d *apiv1.DescribeJobResponse) bool {
		return platformtest.Troubled(d) || d.CheckpointsFailed > 0
	})
	// The length of the outage is what this is about. The description must go on to answer, and the job must not end.
	d := r.AwaitDescription(ctx, "the end of the outage", func(*apiv1.DescribeJobResponse) bool { return time.Since(began) >= storeAwayLeast })
	if d.Summary.State != apiv1.JobState_JOB_STATE_RUNNING || d.Summary.Restarts > 0 {
		p.T.Errorf("without a store for a minute the job is %s after %d restarts: %v", d.Summary.State, d.Summary.Restarts, d.RecentFailures)
	}
	if err := p.S3.Restart(ctx); err != nil {
		p.T.Fatal(err)
	}
}

// lasting is input for a minute or two: a job whose input ends in the middle of a disaster proves nothing.
var lasting = poisoned{Load: platformtest.Load{Partitions: 2, PerPart: 40_000}}

// lastingPerSecond makes a window end every other second.
const lastingPerSecond = 1_200

// TestDisasters runs the main job on a platform of processes, strikes in the middle, and compares the output with the model,
// record by record.
func TestDisasters(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a platform")
	}
	for _, d := range append(matrix.Sample(t, 1, timely(disasters)), matrix.Sample(t, 1, timely(serverDisasters))...) {
		t.Run(d.name, func(t *testing.T) { strike(t, d, nil) })
	}
}

// timely leaves lengthy disasters out where only some of all are wanted.
func timely(all []disaster) []disaster {
	if matrix.All() {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(d disaster) bool { return d.lengthy })
}

// strike runs the job through a disaster, on hosts of a network or on loopback.
func strike(t *testing.T, d disaster, network *netns.Network) {
	ctx := platformtest.Limited(t, testLimit)
	p := platformtest.Start(ctx, t, platformtest.Spec{
		TaskManagers: 3, CrashPoint: d.crashPoint, OwnBroker: d.ownBroker, Network: network, Interposed: d.interposed,
	})
	load := lasting
	j, tap, written := load.prepare(ctx, t, p.Broker, "disaster-"+d.name)
	p.AwaitTaskManagers(ctx, 3)
	r := platformtest.Run(ctx, t, p.Jobs, j.Graph(t))
	dripping, stop := context.WithCancel(ctx)
	defer stop()
	go tap.Drip(dripping, lastingPerSecond, load.PerPart*3/4)
	r.AwaitDescription(ctx, "checkpoints before the disaster", platformtest.Checkpointed(3))
	began := time.Now()
	d.strike(ctx, p, r)
	r.AwaitRunning(ctx)
	t.Logf("%s: runs again, with a checkpoint, %s after the strike began", d.name, time.Since(began).Round(10*time.Millisecond))
	if d.undisturbed {
		r.CheckAdopted(ctx)
		p.LogTakeover(began)
	}
	stop()
	tap.Raise(load.PerPart)
	description := r.Finish(ctx)
	if err := written.Wait(); err != nil {
		t.Fatal(err)
	}
	c := platformtest.Verify(ctx, t, p.Broker, j.Out, load.model())
	t.Logf("%d records of output; %d restarts; failures %q; rescales %q", c.Records, description.Summary.Restarts,
		description.RecentFailures, description.RecentRescales)
	for _, f := range description.RecentFailures {
		if strings.Contains(f, "was aborted before it was committed") {
			t.Errorf("a transaction was lost: %s", f)
		}
	}
}
