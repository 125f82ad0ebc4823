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
	controlv1 "millrace/proto/millrace/control/v1"
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
	strike      func(ctx context.Context, p *platform, r running)
}

// disasters happen to the processes of millrace, serverDisasters to those it relies on.
var disasters = []disaster{
	{name: "task-manager-killed", strike: func(ctx context.Context, p *platform, _ running) {
		p.taskManagers[0].Kill()
		p.restart(ctx, p.taskManagers[0])
	}},
	{name: "two-task-managers-killed", strike: func(ctx context.Context, p *platform, _ running) {
		p.taskManagers[0].Kill()
		p.taskManagers[1].Kill()
		p.restart(ctx, p.taskManagers[:2]...)
	}},
	{name: "task-manager-gone", strike: func(_ context.Context, p *platform, _ running) {
		p.taskManagers[0].Kill() // and stays away: the third has a slot
	}},
	{name: "two-task-managers-gone", strike: func(ctx context.Context, p *platform, r running) {
		p.taskManagers[0].Kill()
		p.taskManagers[1].Kill()
		r.awaitDescription(ctx, "the slot that is left", parallel(1))
		p.restart(ctx, p.taskManagers[:2]...)
		r.awaitDescription(ctx, "the slots that came back", parallel(2))
	}},
	{name: "leader-killed", undisturbed: true, strike: func(ctx context.Context, p *platform, _ running) {
		l := p.leads(ctx)
		l.Kill()
		p.awaitOther(ctx, l)
		p.restart(ctx, l)
	}},
	{name: "leader-paused", undisturbed: true, strike: func(ctx context.Context, p *platform, _ running) {
		l := p.leads(ctx)
		l.Pause()
		p.awaitOther(ctx, l)
		l.Resume()
	}},
	{
		name: "leader-paused-with-a-decided-write", crashPoint: "pause:" + crash.BeforeComplete + "@6", lengthy: true, undisturbed: true,
		strike: pauseWithDecidedWrite,
	},
	{
		name: "leader-killed-before-a-manifest", crashPoint: crash.BeforeManifest + "@6", lengthy: true, undisturbed: true,
		strike: func(ctx context.Context, p *platform, _ running) { awaitCrash(ctx, p, crash.BeforeManifest) },
	},
	{
		name: "leader-killed-behind-a-complete-checkpoint", crashPoint: crash.AfterComplete + "@6", lengthy: true, undisturbed: true,
		strike: func(ctx context.Context, p *platform, _ running) { awaitCrash(ctx, p, crash.AfterComplete) },
	},
	{name: "all-killed", strike: func(ctx context.Context, p *platform, _ running) {
		for _, part := range p.all() {
			part.Kill()
		}
		p.restart(ctx, p.all()...)
	}},
	{name: "task-manager-paused", strike: func(ctx context.Context, p *platform, _ running) {
		p.taskManagers[0].Pause()
		p.awaitTaskManagers(ctx, 2)
		p.taskManagers[0].Resume()
	}},
	{name: "task-manager-drained", strike: func(_ context.Context, p *platform, _ running) {
		p.taskManagers[0].Stop() // SIGTERM; it hands over to the third
	}},
	{name: "rescaled", strike: func(ctx context.Context, p *platform, r running) {
		for _, n := range []int32{1, 3} {
			if _, err := p.jobs.RescaleJob(ctx, &apiv1.RescaleJobRequest{JobId: r.id, Parallelism: n}); err != nil {
				p.t.Fatal(err)
			}
			r.awaitDescription(ctx, "the new parallelism", parallel(int(n)))
		}
	}},
}

var serverDisasters = []disaster{
	{name: "etcd-leader-killed", strike: func(ctx context.Context, p *platform, _ running) {
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
	{name: "broker-killed", ownBroker: true, strike: killBroker},
	{name: "store-away", lengthy: true, strike: takeStoreAway},
}

// awaitCrash waits until the leader has come to its crash point, and another leads.
func awaitCrash(ctx context.Context, p *platform, point string) {
	l := p.jobManagers[0]
	await(ctx, p.t, "the crash", func() bool { return strings.Contains(string(l.LogTail()), "crash point "+point) })
	p.awaitOther(ctx, l)
	p.restart(ctx, l)
}

// pauseLeast is how long a leader is paused with something decided: longer than its lease, and than whatever its successor
// does at first.
const pauseLeast = 20 * time.Second

// pauseWithDecidedWrite pauses the leader when it has written a manifest and is about to make it count. What it decided, it
// still does when it goes on, in a term that is over.
func pauseWithDecidedWrite(ctx context.Context, p *platform, r running) {
	l := p.jobManagers[0]
	line := func(what string) string {
		for text := range strings.Lines(string(l.LogTail())) {
			if strings.Contains(text, what) {
				return text
			}
		}
		return ""
	}
	said := func(what string) func() bool { return func() bool { return line(what) != "" } }
	await(ctx, p.t, "the pause", said("pauses at "+crash.BeforeComplete))
	began := time.Now()
	p.awaitOther(ctx, l)
	r.awaitRunning(ctx)
	// The time of the pause is what this is about: nothing that happens says that it was long.
	await(ctx, p.t, "the end of the pause", func() bool { return time.Since(began) >= pauseLeast })
	l.Resume()
	await(ctx, p.t, "the refusal of what it had decided", said("a decided checkpoint does not count"))
	p.t.Logf("%s", line("a decided checkpoint does not count"))
	const count = "\nmillrace_jobmanager_numberOfRefusedCheckpoints "
	await(ctx, p.t, "the count of that", func() bool { return strings.Contains(p.figures(ctx, l), count+"1\n") })
	if successor := p.leads(ctx); !strings.Contains(p.figures(ctx, successor), count+"0\n") {
		p.t.Errorf("%s was refused something, too:\n%s", successor.name, p.figures(ctx, successor))
	}
}

// killBroker kills the broker between the outputs of two windows. Within milliseconds of an answer to EndTxn, a broker of one
// node that is killed may forget to write the commit markers (docs/design/0002-kafka-transactions.md, hole 2).
func killBroker(ctx context.Context, p *platform, r running) {
	var known int64
	var quiet int
	var last uint64
	r.awaitDescription(ctx, "checkpoints without output behind some with", func(d *apiv1.DescribeJobResponse) bool {
		switch n := count(d, recordsOut); {
		case n != known || !d.LastCheckpoint.GetCommitted():
			known, quiet = n, 0
		case d.LastCheckpoint.GetCheckpointId() != last:
			quiet++
		}
		last = d.LastCheckpoint.GetCheckpointId()
		return known > 0 && quiet >= 2
	})
	p.broker.Kill()
	r.awaitDescription(ctx, "trouble with the broker", func(d *apiv1.DescribeJobResponse) bool {
		return strings.Contains(tasksTrouble(d), p.broker.Addr()) || len(d.RecentFailures) > 0
	})
	if err := p.broker.Restart(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// storeAwayLeast is longer than every patience of a single call and than the checkpoints that the job tolerates.
const storeAwayLeast = time.Minute

// takeStoreAway is an outage of a whole minute.
func takeStoreAway(ctx context.Context, p *platform, r running) {
	began := time.Now()
	p.s3.Kill()
	r.awaitDescription(ctx, "trouble with the store", func(d *apiv1.DescribeJobResponse) bool {
		return troubled(d) || d.CheckpointsFailed > 0
	})
	// The length of the outage is what this is about. The description must go on to answer, and the job must not end.
	d := r.awaitDescription(ctx, "the end of the outage", func(*apiv1.DescribeJobResponse) bool { return time.Since(began) >= storeAwayLeast })
	if d.Summary.State != apiv1.JobState_JOB_STATE_RUNNING || d.Summary.Restarts > 0 {
		p.t.Errorf("without a store for a minute the job is %s after %d restarts: %v", d.Summary.State, d.Summary.Restarts, d.RecentFailures)
	}
	if err := p.s3.Restart(ctx); err != nil {
		p.t.Fatal(err)
	}
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

// lasting is input for a minute or two: a job whose input ends in the middle of a disaster proves nothing.
var lasting = poisoned{load: load{partitions: 2, perPart: 40_000}}

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
	ctx := limited(t, testLimit)
	p := startPlatform(ctx, t, platformSpec{
		taskManagers: 3, crashPoint: d.crashPoint, ownBroker: d.ownBroker, network: network, interposed: d.interposed,
	})
	load := lasting
	j, tap, written := load.prepare(ctx, t, p.broker, "disaster-"+d.name)
	p.awaitTaskManagers(ctx, 3)
	r := run(ctx, t, p.jobs, j.graph(t))
	dripping, stop := context.WithCancel(ctx)
	defer stop()
	go tap.drip(dripping, lastingPerSecond, load.perPart*3/4)
	r.awaitDescription(ctx, "checkpoints before the disaster", checkpointed(3))
	began := time.Now()
	d.strike(ctx, p, r)
	r.awaitRunning(ctx)
	t.Logf("%s: runs again, with a checkpoint, %s after the strike began", d.name, time.Since(began).Round(10*time.Millisecond))
	if d.undisturbed {
		r.checkAdopted(ctx)
		p.logTakeover(began)
	}
	stop()
	tap.raise(load.perPart)
	description := r.finish(ctx)
	if err := written.wait(); err != nil {
		t.Fatal(err)
	}
	c := verify(ctx, t, p.broker, j.out, load.model())
	t.Logf("%d records of output; %d restarts; failures %q; rescales %q", c.records, description.Summary.Restarts,
		description.RecentFailures, description.RecentRescales)
	for _, f := range description.RecentFailures {
		if strings.Contains(f, "was aborted before it was committed") {
			t.Errorf("a transaction was lost: %s", f)
		}
	}
}

// checkAdopted checks that the job still runs in the attempt that was deployed first, under a leader that took it over.
func (r running) checkAdopted(ctx context.Context) {
	r.t.Helper()
	d := r.describe(ctx)
	if d.Attempt != 1 || d.Summary.Restarts != 0 || len(d.RecentFailures) > 0 || !strings.Contains(d.Takeover, "4 tasks were adopted") {
		r.t.Errorf("attempt %d, %d restarts, failures %q, takeover %q", d.Attempt, d.Summary.Restarts, d.RecentFailures, d.Takeover)
	}
	for _, t := range d.Tasks {
		if t.Attempt != 1 || t.State != controlv1.TaskState_TASK_STATE_RUNNING {
			r.t.Errorf("task %s/%d is %s in attempt %d", t.VertexId, t.Subtask, t.State, t.Attempt)
		}
	}
	r.t.Logf("the job was taken over %s", d.Takeover)
}

// logTakeover logs when the job was taken over, by the clock of whoever did: who asked for it may have been at a job manager
// that is paused.
func (p *platform) logTakeover(began time.Time) {
	p.t.Helper()
	for _, j := range p.jobManagers {
		for line := range strings.Lines(string(j.LogTail())) {
			if strings.Contains(line, "job taken over") || strings.Contains(line, "msg=leads") {
				p.t.Logf("%s, the strike began at %s: %s", j.name, began.UTC().Format(time.StampMilli), strings.TrimSpace(line))
			}
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
