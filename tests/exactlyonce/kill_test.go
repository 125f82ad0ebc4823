package exactlyonce

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/internal/crash"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// atRandom is the kind of kill that comes at any moment.
const atRandom = "at a random moment"

// killScale is how much of the test runs.
type killScale struct {
	perPart   int64
	perSecond int64 // records of a partition while the job lives
	kinds     []string
	limit     time.Duration
}

// scaleOf returns the kinds of kill in their order. The first is at random, since a crash point might be passed before
// anything is committed; the last is in the final checkpoint.
func scaleOf(r *rand.Rand) killScale {
	points := slices.DeleteFunc(slices.Clone(crash.Points), func(p string) bool { return p == crash.InFinalCheckpoint })
	if !matrix.All() {
		return killScale{
			perPart: 120_000, perSecond: 8_000, limit: 5 * time.Minute,
			kinds: []string{atRandom, points[r.IntN(len(points))], atRandom, crash.InFinalCheckpoint},
		}
	}
	s := killScale{perPart: 1_050_000, perSecond: 14_000, limit: 30 * time.Minute}
	for len(s.kinds) < 29 {
		s.kinds = append(s.kinds, atRandom)
		s.kinds = append(s.kinds, points[len(s.kinds)/2%len(points)])
	}
	s.kinds = append(s.kinds[:29], crash.InFinalCheckpoint)
	return s
}

// TestKillMinusNine kills the process of a whole cluster again and again: at random moments and between any two durable
// steps, each time between the first and the last committed output and behind a complete checkpoint. Then the output must
// be the model's, record by record.
func TestKillMinusNine(t *testing.T) {
	t.Parallel()
	r := matrix.Rand(t)
	s := scaleOf(r)
	broker := platformtest.SharedBroker(t)
	ctx := platformtest.Limited(t, s.limit)
	k := newKills(ctx, t, broker, s, r)
	for i, kind := range s.kinds {
		k.tap.Raise(1)
		k.life(ctx, kind, s.perPart*int64(i+1)/int64(len(s.kinds)+1))
	}
	k.lastLife(ctx)
	c := platformtest.Verify(ctx, t, broker, k.job.Out, k.load.Model())
	k.checkMoments(ctx)
	t.Logf("%d bids in %d partitions, %d records of output, %d kills:", k.load.Model().Bids(), k.load.Partitions, c.Records, len(k.after))
	for _, kind := range slices.Sorted(maps.Keys(k.counts)) {
		t.Logf("  %2d %s", k.counts[kind], kind)
	}
}

// kills is the state of the test.
type kills struct {
	t       *testing.T
	random  *rand.Rand
	scale   killScale
	load    platformtest.Load
	job     platformtest.Job
	spec    clusterSpec
	tap     *platformtest.Tap
	written *platformtest.Writing
	tail    *realkafka.Tail
	// complete tells whether a checkpoint was complete before the present life.
	complete bool
	counts   map[string]int
	after    []int64 // output committed when each killed process was gone
}

func newKills(ctx context.Context, t *testing.T, b *realkafka.Broker, s killScale, r *rand.Rand) *kills {
	t.Helper()
	k := &kills{t: t, random: r, scale: s, load: platformtest.Load{Partitions: 2, PerPart: s.perPart}, tap: platformtest.NewTap(), counts: make(map[string]int)}
	k.job = platformtest.Job{
		Brokers: b.Addr(), In: "kill-bids", Out: "kill-bids-per-auction", Ends: k.load.Ends(),
		Parallelism: 2, Interval: 250 * time.Millisecond,
	}
	k.spec = clusterSpec{Dir: filepath.Join(t.TempDir(), "cluster"), TaskManagers: 2, Slots: 1}
	platformtest.CreateTopics(ctx, t, b, 2, k.job.In, k.job.Out)
	k.written = platformtest.Write(ctx, b, k.job.In, k.tap, k.job.Ends, k.load.Record)
	var err error
	if k.tail, err = b.Tail(k.job.Out); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.tail.Close)
	return k
}

// life is one process from its start to its violent end.
func (k *kills) life(ctx context.Context, kind string, bound int64) {
	k.t.Helper()
	point := ""
	if kind != atRandom {
		point = kind
		if kind != crash.InFinalCheckpoint {
			// A point in the tasks is passed by both in each checkpoint.
			point = fmt.Sprintf("%s@%d", kind, 1+k.random.IntN(5))
		}
	}
	p := startProcess(ctx, k.t, k.spec, point)
	r := platformtest.Run(ctx, k.t, p.jobs, k.job.Graph(k.t))
	dripping, stop := context.WithCancel(ctx)
	defer stop()
	switch kind {
	case atRandom:
		go k.tap.Drip(dripping, k.scale.perSecond, bound)
		k.killAtRandom(ctx, p, r)
	case crash.InFinalCheckpoint:
		k.tap.Raise(k.load.PerPart)
		p.awaitDeath(ctx, k.t, kind)
	default:
		go k.tap.Drip(dripping, k.scale.perSecond, bound)
		p.awaitDeath(ctx, k.t, kind)
	}
	stop()
	k.record(ctx, kind, p)
}

// killAtRandom kills some way behind the first checkpoint and the first output of this life.
func (k *kills) killAtRandom(ctx context.Context, p *process, r platformtest.Running) {
	k.t.Helper()
	before := k.output(ctx)
	r.AwaitDescription(ctx, "a checkpoint", platformtest.Checkpointed(1))
	k.complete = true
	platformtest.Await(ctx, k.t, "output of this life", func() bool { return k.output(ctx) > before })
	select {
	case <-time.After(time.Duration(k.random.Int64N(int64(4 * k.job.Interval)))): // the moment that was drawn
	case <-p.Ended:
		k.t.Fatalf("the process ended by itself: %v\n%s", p.Err, p.lastWords())
	}
	p.Kill()
}

// record takes down what was committed when the process was gone.
func (k *kills) record(ctx context.Context, kind string, p *process) {
	k.t.Helper()
	if !p.killed() {
		k.t.Fatalf("the process was not killed: %v\n%s", p.Err, p.lastWords())
	}
	if !k.complete {
		k.t.Fatalf("killed (%s) before a checkpoint was complete", kind)
	}
	n := k.output(ctx)
	k.t.Logf("kill %d, %s: %d records of output are committed", len(k.after)+1, kind, n)
	k.counts[kind]++
	k.after = append(k.after, n)
}

func (k *kills) output(ctx context.Context) int64 {
	k.t.Helper()
	n, err := k.tail.Count(ctx)
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

// lastLife lets the job come to its end. A job whose end was stored by a process that was killed is not there any more.
func (k *kills) lastLife(ctx context.Context) {
	k.t.Helper()
	k.tap.Raise(k.load.PerPart)
	if err := k.written.Wait(); err != nil {
		k.t.Fatal(err)
	}
	p := startProcess(ctx, k.t, k.spec, "")
	r := platformtest.Run(ctx, k.t, p.jobs, k.job.Graph(k.t))
	if _, err := p.jobs.DescribeJob(ctx, &apiv1.DescribeJobRequest{JobId: r.ID}); status.Code(err) != codes.NotFound {
		r.Finish(ctx)
	}
	_ = p.input.Close()
	<-p.Ended
	if p.Err != nil {
		k.t.Errorf("the last process did not end well: %v\n%s", p.Err, p.lastWords())
	}
}

// checkMoments checks that every kill lay between the first and the last committed output.
func (k *kills) checkMoments(ctx context.Context) {
	k.t.Helper()
	last := k.output(ctx)
	for i, n := range k.after {
		// What comes at the end of the input may be committed by a periodic checkpoint, before the final one.
		ended := n == last && k.scale.kinds[i] == crash.InFinalCheckpoint
		if n == 0 || n >= last && !ended {
			k.t.Errorf("kill %d does not lie between the first and the last committed output: %d of %d", i+1, n, last)
		}
	}
}
