package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/netns"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// timeVariable is how long the whole run lasts; `make chaos` sets it. Without it, a short one is run.
const timeVariable = "CHAOS_TIME"

// run is how much is run.
type run struct {
	whole  bool
	lasts  time.Duration
	faults int
	kinds  []fault
}

const (
	// perSecond are the records of both partitions: 20 million and more in half an hour.
	perSecond = 11_600
	// faultEvery is how often something strikes in a whole run: 66 times in half an hour.
	faultEvery = 27 * time.Second
	// kindsLeast and faultsLeast are what a run of half an hour promises.
	kindsLeast, faultsLeast = 12, 60
	// calmLeast is how long the platform is left alone between two faults, and calmEnd at the end, where usage is noted.
	calmLeast, calmEnd = 4 * time.Second, 20 * time.Second
	// faultLimit bounds a fault from its strike to the next checkpoint.
	faultLimit = 4 * time.Minute
	// endLimit bounds the rest of the input, the job's end and the comparison.
	endLimit = 20 * time.Minute
)

// plan returns the run that the environment asks for.
func plan(t *testing.T, disk bool) run {
	t.Helper()
	text := os.Getenv(timeVariable)
	if text == "" {
		// Kinds that need no hosts, and no half minute of patience.
		short := slices.DeleteFunc(slices.Concat(processes, servers), func(f fault) bool { return f.network || f.root })
		n := 3
		if matrix.All() {
			n = len(short)
		}
		return run{lasts: time.Duration(n) * 15 * time.Second, faults: n, kinds: short}
	}
	lasts, err := time.ParseDuration(text)
	if err != nil || lasts <= 0 {
		t.Fatalf("%s=%q: want a duration, such as 30m", timeVariable, text)
	}
	kinds := slices.Concat(processes, servers)
	if onHosts() {
		kinds = append(kinds, networks...)
	}
	if !disk {
		kinds = slices.DeleteFunc(kinds, func(f fault) bool { return f.root })
	}
	return run{whole: true, lasts: lasts, faults: int(max(1, lasts/faultEvery)), kinds: kinds}
}

// onHosts tells whether the whole run has hosts of its own. Without root there are none, and no faults between them.
func onHosts() bool { return os.Getenv(timeVariable) != "" && os.Geteuid() == 0 }

// TestChaos is one run.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a platform")
	}
	random := matrix.Rand(t)
	// A context of the test alone: what a run may take follows from its faults.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var network *netns.Network
	if onHosts() {
		network = netns.Start(t, "the main job through everything")
	}
	disk := false
	p := platformtest.Start(ctx, t, platformtest.Spec{
		TaskManagers: taskManagers, OwnBroker: true, Network: network,
		Prepare: func(p *platformtest.Platform) { disk = os.Getenv(timeVariable) != "" && smallDisk(p) },
	})
	c := begin(ctx, t, p, plan(t, disk), random)
	t.Cleanup(c.repeat)
	for i, f := range schedule(random, c.kinds, c.faults) {
		c.strike(ctx, i, f)
	}
	c.calm(ctx, calmEnd)
	c.end(ctx)
}

// chaos is the state of a run.
type chaos struct {
	run
	storm
	t       *testing.T
	load    platformtest.Load
	tap     *platformtest.Tap
	in, out string
	written *platformtest.Writing
	history *platformtest.History
	usage   sampler
	struck  []struck
	began   time.Time
}

// struck is a fault that is over.
type struck struct {
	name             string
	lasted, recovers time.Duration // from the strike to the next checkpoint; from healing to it
}

func begin(ctx context.Context, t *testing.T, p *platformtest.Platform, r run, random *rand.Rand) *chaos {
	t.Helper()
	c := &chaos{run: r, t: t, in: "chaos", out: "chaos-out", tap: platformtest.NewTap(), usage: sampler{lives: make(map[int]*life)}}
	c.load = platformtest.Load{Partitions: 2, PerPart: int64(r.lasts.Seconds()) * perSecond / 2, Numbered: true}
	j := platformtest.Job{
		Brokers: p.Broker.Addr(), In: c.in, Out: c.out, Ends: c.load.Ends(), Parallelism: parallelism, Interval: checkpointInterval,
	}
	platformtest.CreateTopics(ctx, t, p.Broker, 2, c.in, c.out)
	c.written = platformtest.Write(ctx, p.Broker, c.in, c.tap, j.Ends, c.load.Record)
	p.AwaitTaskManagers(ctx, taskManagers)
	c.storm = storm{Platform: p, random: random, job: platformtest.Run(ctx, t, p.Jobs, j.Graph(t))}
	c.history = p.Follow(t, c.job.ID)
	resume := c.drip(ctx)
	c.hush = func() func() {
		resume()
		return func() { resume = c.drip(ctx) }
	}
	c.job.AwaitDescription(ctx, "the first checkpoints", platformtest.Checkpointed(3))
	t.Logf("%d records in %s, %d faults of %d kinds", c.load.Partitions*c.load.PerPart, r.lasts, r.faults, len(r.kinds))
	c.began = time.Now()
	return c
}

// checkpointInterval is short, so that much is under way whenever something strikes.
const checkpointInterval = 500 * time.Millisecond

// drip lets the input come at its pace until what it returns is called. Some is left for a run that takes longer than planned.
func (c *chaos) drip(ctx context.Context) (stop func()) {
	dripping, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.tap.Drip(dripping, perSecond/2, c.load.PerPart*9/10)
	}()
	return func() {
		cancel()
		<-done
	}
}

// strike has a fault strike, waits until the job has recovered, and leaves it alone for a while.
func (c *chaos) strike(ctx context.Context, i int, f fault) {
	limited, cancel := context.WithTimeout(ctx, faultLimit)
	defer cancel()
	began := time.Now()
	c.t.Logf("%s: fault %d of %d: %s", began.Sub(c.began).Round(time.Second), i+1, c.faults, f.name)
	f.strike(limited, &c.storm)
	healed := time.Now()
	c.job.AwaitRunning(limited)
	c.AwaitTaskManagers(limited, taskManagers)
	c.job.AwaitDescription(limited, "the job as it was", func(d *apiv1.DescribeJobResponse) bool {
		return platformtest.Parallel(parallelism)(d) && platformtest.TasksTrouble(d) == "" && d.WaitingFor == ""
	})
	c.job.AwaitRunning(limited)
	now := time.Now()
	c.struck = append(c.struck, struck{f.name, now.Sub(began), now.Sub(healed)})
	c.t.Logf("  recovered %s behind the strike, %s behind healing", now.Sub(began).Round(time.Millisecond), now.Sub(healed).Round(time.Millisecond))
	// The time that the plan has for a fault is spent, so that the input lasts as long as the faults.
	c.calm(ctx, max(calmLeast, time.Duration(i+1)*c.lasts/time.Duration(c.faults)-now.Sub(c.began)))
}

// calm notes once a second what everybody takes.
func (c *chaos) calm(ctx context.Context, lasts time.Duration) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return
		case at := <-ticks.C:
			c.usage.sample(ctx, c.Platform, at)
		}
	}
}

// end lets the job come to its end, and judges.
func (c *chaos) end(ctx context.Context) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	c.hush()
	c.tap.Raise(c.load.PerPart)
	d := c.job.Finish(ctx)
	if err := c.written.Wait(); err != nil {
		c.t.Fatal(err)
	}
	model := platformtest.FoldLog(ctx, c.t, c.Broker, c.in, c.load)
	comparison := platformtest.Verify(ctx, c.t, c.Broker, c.out, model)
	c.history.Check(c.t)
	for _, text := range c.grown() {
		c.t.Error(text)
	}
	if c.whole && c.lasts >= 30*time.Minute && (len(c.struck) < faultsLeast || len(c.byKind()) < kindsLeast) {
		c.t.Errorf("%d faults of %d kinds, want at least %d of %d", len(c.struck), len(c.byKind()), faultsLeast, kindsLeast)
	}
	c.summarise(d, model, comparison)
}

// repeat says how a run that failed is repeated.
func (c *chaos) repeat() {
	if !c.t.Failed() {
		return
	}
	c.table()
	command := fmt.Sprintf("make test MILLRACE_SEED=%d GOTESTFLAGS='-run TestChaos'", matrix.Seed())
	if c.whole {
		command = fmt.Sprintf("make chaos MILLRACE_SEED=%d CHAOS_TIME=%s", matrix.Seed(), c.lasts)
	}
	c.t.Logf("a violation; the same faults strike again with: %s", command)
}
