package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"millrace/internal/crash"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// fault is something that happens to a platform. strike waits for its effect and heals it; whether the job then runs as before
// is not its matter.
type fault struct {
	name string
	// early is for what kills every process.
	early bool
	// network needs hosts, root a disk of its own.
	network, root bool
	strike        func(ctx context.Context, s *storm)
}

// storm is a platform with the job on it, as faults see it.
type storm struct {
	*platformtest.Platform
	job    platformtest.Running
	random *rand.Rand
	// hush stops the input, and returns what lets it go on.
	hush func() (resume func())
}

const (
	// taskManagers is one more than the job needs. The last is spared by most faults, so that it lives long.
	taskManagers, parallelism = 3, 2
	// quorumAway, storeAway and brokerAway are how long something stands still: the first is less than a lease, the others
	// are longer than a call waits.
	quorumAway, storeAway, brokerAway = 5 * time.Second, 8 * time.Second, 8 * time.Second
	lossPercent                       = 3
	narrowBytesPerSecond              = 1 << 20
	// diskBytes is the disk of the first task manager where there is root.
	diskBytes = 32 << 20
)

// last is for what has no effect but that it lasts.
func (s *storm) last(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// mortal draws task managers that faults may kill at any time.
func (s *storm) mortal(n int) (out []*platformtest.Part) {
	for _, i := range s.random.Perm(taskManagers - 1)[:n] {
		out = append(out, s.TaskManagers[i])
	}
	return out
}

func (s *storm) any() *platformtest.Part { return s.TaskManagers[s.random.IntN(taskManagers)] }

// kill kills task managers, waits until they are missed, and starts them again.
func (s *storm) kill(ctx context.Context, parts ...*platformtest.Part) {
	for _, p := range parts {
		p.Kill()
	}
	s.AwaitTaskManagers(ctx, taskManagers-len(parts))
	s.Restart(ctx, parts...)
}

// processes are faults of millrace's own processes.
var processes = []fault{
	{name: "task manager killed", strike: func(ctx context.Context, s *storm) { s.kill(ctx, s.mortal(1)...) }},
	{name: "two task managers killed", strike: func(ctx context.Context, s *storm) { s.kill(ctx, s.mortal(2)...) }},
	{name: "task manager killed between two steps", strike: killTaskManagerAtPoint},
	{name: "task manager paused", strike: func(ctx context.Context, s *storm) {
		p := s.any()
		p.Pause()
		s.AwaitTaskManagers(ctx, taskManagers-1)
		p.Resume()
	}},
	{name: "task manager drained", strike: func(ctx context.Context, s *storm) {
		p := s.mortal(1)[0]
		p.Stop() // SIGTERM
		s.AwaitTaskManagers(ctx, taskManagers-1)
		s.Restart(ctx, p)
	}},
	{name: "leader killed", strike: func(ctx context.Context, s *storm) {
		l := s.Leads(ctx)
		l.Kill()
		s.AwaitOther(ctx, l)
		s.Restart(ctx, l)
	}},
	{name: "leader killed between two steps", strike: func(ctx context.Context, s *storm) {
		l := s.Leads(ctx)
		points := []string{crash.BeforeManifest, crash.BeforeComplete, crash.AfterComplete}
		point := points[s.random.IntN(len(points))]
		before := l.Mark(s.T)
		l.CrashAt(s.T, point)
		l.AwaitSaid(ctx, s.T, before, "crash point "+point)
		s.AwaitOther(ctx, l)
		s.Restart(ctx, l)
	}},
	{name: "leader paused with a decided write", strike: pauseLeaderWithWrite},
	{name: "standby killed", strike: func(ctx context.Context, s *storm) {
		l := s.Leads(ctx)
		for _, j := range s.JobManagers {
			if j != l {
				j.Kill()
				s.Restart(ctx, j)
			}
		}
	}},
	{name: "all killed", early: true, strike: func(ctx context.Context, s *storm) {
		for _, p := range s.All() {
			p.Kill()
		}
		s.Restart(ctx, s.All()...)
	}},
	{name: "rescaled by hand", strike: func(ctx context.Context, s *storm) {
		for _, n := range []int{1, 3, parallelism} {
			s.rescale(ctx, n)
		}
	}},
	{name: "disk of the state cache full", root: true, strike: fillDisk},
}

// servers are faults of what millrace relies on.
var servers = []fault{
	{name: "etcd member killed", strike: func(ctx context.Context, s *storm) {
		m := s.Etcd.Members()[s.random.IntN(3)]
		m.Kill()
		s.job.AwaitRunning(ctx)
		s.must(m.Restart(ctx))
	}},
	{name: "etcd leader killed", strike: func(ctx context.Context, s *storm) {
		m, err := s.Etcd.Leader(ctx)
		s.must(err)
		m.Kill()
		s.job.AwaitRunning(ctx)
		s.must(m.Restart(ctx))
	}},
	{name: "etcd quorum paused", strike: func(ctx context.Context, s *storm) {
		pair := s.random.Perm(3)[:2]
		for _, i := range pair {
			s.Etcd.Members()[i].Pause()
		}
		s.last(ctx, quorumAway)
		for _, i := range pair {
			s.Etcd.Members()[i].Resume()
		}
	}},
	{name: "store paused", strike: func(ctx context.Context, s *storm) {
		s.S3.Pause()
		s.last(ctx, storeAway)
		s.S3.Resume()
	}},
	{name: "store killed", strike: func(ctx context.Context, s *storm) {
		s.S3.Kill()
		before := s.job.Describe(ctx).CheckpointsFailed
		s.job.AwaitDescription(ctx, "trouble with the store", func(d *apiv1.DescribeJobResponse) bool {
			return d.WaitingFor != "" || platformtest.TasksTrouble(d) != "" || d.CheckpointsFailed > before
		})
		s.must(s.S3.Restart(ctx))
	}},
	{name: "broker killed", strike: brokerEnds((*realkafka.Broker).Kill)},
	{name: "broker stopped", strike: brokerEnds((*realkafka.Broker).Stop)}, // SIGTERM
	{name: "broker paused", strike: func(ctx context.Context, s *storm) {
		s.Broker.Pause()
		s.last(ctx, brokerAway)
		s.Broker.Resume()
	}},
}

// networks are faults between hosts.
var networks = []fault{
	{name: "task manager isolated", network: true, strike: severed(func(_ *storm, w *platformtest.Part) { w.Host.Isolate() })},
	{name: "task manager cut off from job managers", network: true, strike: severed(func(s *storm, w *platformtest.Part) {
		w.Host.Isolate(s.JobManagers[0].Host, s.JobManagers[1].Host)
	})},
	{name: "task manager deaf", network: true, strike: severed(func(_ *storm, w *platformtest.Part) { w.Host.Deafen() })},
	{name: "task manager mute", network: true, strike: severed(func(_ *storm, w *platformtest.Part) { w.Host.Mute() })},
	{name: "leader cut off from etcd", network: true, strike: func(ctx context.Context, s *storm) {
		l := s.Leads(ctx)
		l.Host.Isolate(s.EtcdHost)
		s.AwaitOther(ctx, l)
		l.Host.Heal()
	}},
	{name: "task manager loses packets", network: true, strike: troubled(func(w *platformtest.Part) { w.Host.Lose(lossPercent) })},
	{name: "task manager narrow", network: true, strike: troubled(func(w *platformtest.Part) { w.Host.Limit(narrowBytesPerSecond) })},
}

func severed(cut func(*storm, *platformtest.Part)) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		s.Severed(ctx, s.job, func(w *platformtest.Part) { cut(s, w) })
	}
}

// troubledCheckpoints are so many that all of the job's links are used while the trouble lasts.
const troubledCheckpoints = 3

func troubled(trouble func(*platformtest.Part)) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		w := s.Worker(ctx, s.job)
		trouble(w)
		for range troubledCheckpoints {
			s.job.AwaitRunning(ctx)
		}
		w.Host.Heal()
	}
}

func (s *storm) must(err error) {
	s.T.Helper()
	if err != nil {
		s.T.Fatal(err)
	}
}

// rescale asks whoever leads until it is taken.
func (s *storm) rescale(ctx context.Context, n int) {
	platformtest.Await(ctx, s.T, "a leader that rescales", func() bool {
		_, err := s.Jobs.RescaleJob(ctx, &apiv1.RescaleJobRequest{JobId: s.job.ID, Parallelism: int32(n)})
		return err == nil
	})
	s.job.AwaitDescription(ctx, "the new parallelism", platformtest.Parallel(n))
	s.job.AwaitRunning(ctx)
}

// killTaskManagerAtPoint orders all task managers to die at a point of a checkpoint, and the first to come there does.
func killTaskManagerAtPoint(ctx context.Context, s *storm) {
	points := []string{crash.BeforePrepare, crash.AfterPrepare, crash.BeforeCommit, crash.AfterCommit}
	point := points[s.random.IntN(len(points))]
	before := make(map[*platformtest.Part]platformtest.Mark)
	all := s.TaskManagers
	for _, p := range all {
		before[p] = p.Mark(s.T)
		p.CrashAt(s.T, point)
	}
	var dead []*platformtest.Part
	platformtest.Await(ctx, s.T, "a crash at "+point, func() bool {
		for _, p := range all {
			if len(p.Said(s.T, before[p], "crash point "+point)) > 0 {
				dead = append(dead, p)
			}
		}
		return len(dead) > 0
	})
	for _, p := range all {
		if !p.Unhold() && !slices.Contains(dead, p) {
			dead = append(dead, p) // a moment later
		}
	}
	s.kill(ctx, dead...)
}

// pauseLeaderWithWrite pauses the leader with a write that it has decided until another leads and has completed a checkpoint.
func pauseLeaderWithWrite(ctx context.Context, s *storm) {
	l := s.Leads(ctx)
	points := []string{crash.BeforeManifest, crash.BeforeComplete}
	point := points[s.random.IntN(len(points))]
	before := l.Mark(s.T)
	l.Hold(s.T, point)
	l.AwaitSaid(ctx, s.T, before, "pauses at "+point)
	s.AwaitOther(ctx, l)
	s.job.AwaitRunning(ctx)
	l.Resume()
	l.AwaitSaid(ctx, s.T, before, "leadership is lost")
}

// brokerEnds ends the broker with whatever is under way, and starts it again. It may have forgotten the commit markers of what was committed a moment before
// (docs/design/0002-kafka-transactions.md, hole 2): the sink writes them.
func brokerEnds(end func(*realkafka.Broker)) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		end(s.Broker)
		s.awaitBrokerMissed(ctx)
		s.restartBroker(ctx)
	}
}

// restartBroker starts the broker as often as it takes: its Java machine is killed where it does not serve within a minute,
// which on a machine that does other things as well it may not.
func (s *storm) restartBroker(ctx context.Context) {
	err := s.Broker.Restart(ctx)
	for err != nil && ctx.Err() == nil {
		s.T.Logf("the broker is started again: %v", err)
		err = s.Broker.Restart(ctx)
	}
	s.must(err)
}

func (s *storm) awaitBrokerMissed(ctx context.Context) {
	s.job.AwaitDescription(ctx, "trouble with the broker", func(d *apiv1.DescribeJobResponse) bool {
		return strings.Contains(platformtest.TasksTrouble(d)+d.WaitingFor, s.Broker.Addr()) || d.Summary.State != apiv1.JobState_JOB_STATE_RUNNING
	})
}

// fillDisk leaves nothing of the disk on which the first task manager keeps state files. What it keeps there is for speed only.
func fillDisk(ctx context.Context, s *storm) {
	path := filepath.Join(s.Dir(s.TaskManagers[0]), "filler")
	f, err := os.Create(path)
	s.must(err)
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.T.Fatalf("fill the disk: %v", err)
	}
	s.must(f.Close())
	for range troubledCheckpoints {
		s.job.AwaitRunning(ctx)
	}
	s.must(os.Remove(path))
}

// smallDisk gives the first task manager a disk of its own. It tells whether that is possible.
func smallDisk(p *platformtest.Platform) bool {
	dir := p.Dir(p.TaskManagers[0])
	if os.Geteuid() != 0 || os.MkdirAll(dir, 0o755) != nil {
		return false
	}
	if err := mountSmall(dir, diskBytes); err != nil {
		p.T.Logf("no disk of its own: %v", err)
		return false
	}
	p.T.Cleanup(func() {
		if err := unmount(dir); err != nil {
			p.T.Errorf("unmount the disk: %v", err)
		}
	})
	return true
}
