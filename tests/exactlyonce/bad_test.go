package exactlyonce

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/cmd/cluster"
	"millrace/internal/testutil/matrix"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// poisoned is a load in which every so many records can't be decoded.
type poisoned struct {
	platformtest.Load
	every int64
}

func (p poisoned) isPoison(partition, offset int64) bool {
	return p.every > 0 && offset%p.every == p.every/2+partition
}

func (p poisoned) record(partition, offset int64) []byte {
	if p.isPoison(partition, offset) {
		return p.poison(partition, offset)
	}
	return p.Record(partition, offset)
}

func (p poisoned) poison(partition, offset int64) []byte {
	return fmt.Appendf(nil, `{"auction":7,"price":"no number","extra":"%d/%d`, partition, offset)
}

// each calls f for every record.
func (p poisoned) each(f func(partition, offset int64, poison bool)) {
	for part := range p.Partitions {
		for o := range p.PerPart {
			f(part, o, p.isPoison(part, o))
		}
	}
}

func (p poisoned) model() platformtest.Model {
	m := platformtest.Model{}
	p.each(func(part, o int64, poison bool) {
		if !poison {
			m.Add(p.At(part, o))
		}
	})
	return m
}

// small is enough for a few windows of checkpoints.
var small = poisoned{Load: platformtest.Load{Partitions: 2, PerPart: 12_000}}

// interval is that of the job's checkpoints.
func (poisoned) interval() time.Duration { return 200 * time.Millisecond }

// prepare makes a job's topics and lets its writers begin.
func (p poisoned) prepare(ctx context.Context, t *testing.T, b *realkafka.Broker, name string) (platformtest.Job, *platformtest.Tap, *platformtest.Writing) {
	t.Helper()
	j := platformtest.Job{Brokers: b.Addr(), In: name, Out: name + "-out", Ends: p.Ends(), Parallelism: 2, Interval: p.interval()}
	platformtest.CreateTopics(ctx, t, b, 2, j.In, j.Out)
	tap := platformtest.NewTap()
	return j, tap, platformtest.Write(ctx, b, j.In, tap, j.Ends, p.record)
}

func TestUndecodableRecordFailsTheJob(t *testing.T) {
	b := platformtest.SharedBroker(t)
	ctx := platformtest.Limited(t, testLimit)
	p := small
	p.every = p.PerPart // one in each partition
	j, tap, _ := p.prepare(ctx, t, b, "poison-fail")
	tap.Raise(p.PerPart)
	c, _ := startCluster(t, cluster.Options{})
	d := platformtest.Run(ctx, t, c.Jobs(), j.Graph(t)).AwaitDescription(ctx, "the job's end", platformtest.Ended)
	if d.Summary.State != apiv1.JobState_JOB_STATE_FAILED {
		t.Fatalf("the job ended as %s", d.Summary.State)
	}
	one := fmt.Sprintf("topic %s, partition 0, offset %d", j.In, p.every/2)
	two := fmt.Sprintf("topic %s, partition 1, offset %d", j.In, p.every/2+1)
	if f := d.Summary.Failure; !strings.Contains(f, one) && !strings.Contains(f, two) || !strings.Contains(f, "decode record: ") {
		t.Errorf("the failure does not say which record can't be decoded, and why: %q", f)
	}
}

func TestUndecodableRecordsAreSkippedAndCounted(t *testing.T) {
	b := platformtest.SharedBroker(t)
	ctx := platformtest.Limited(t, testLimit)
	p := small
	p.every = 100
	j, tap, _ := p.prepare(ctx, t, b, "poison-skip")
	j.OnError = "skip"
	tap.Raise(p.PerPart)
	c, _ := startCluster(t, cluster.Options{})
	d := platformtest.Run(ctx, t, c.Jobs(), j.Graph(t)).Finish(ctx)
	skipped := platformtest.Count(d, func(d *apiv1.TaskDescription) int64 { return d.Progress.GetSkipped() })
	if want := p.Partitions * p.PerPart / p.every; skipped != want {
		t.Errorf("the job counts %d skipped records, want %d", skipped, want)
	}
	platformtest.Verify(ctx, t, b, j.Out, p.model())
}

// deadLetter is a record of the topic of dead letters.
type deadLetter struct {
	Split, Position, Reason string
	Raw                     []byte
}

// TestDeadLettersThroughKill: a dead letter is as exactly-once as any other output.
func TestDeadLettersThroughKill(t *testing.T) {
	t.Parallel()
	b := platformtest.SharedBroker(t)
	ctx := platformtest.Limited(t, testLimit)
	p := small
	p.every = 50
	j, tap, _ := p.prepare(ctx, t, b, "poison-dead")
	j.OnError, j.Dead = "dead-letter", "bids-dead"
	platformtest.CreateTopics(ctx, t, b, 1, j.Dead)
	spec := clusterSpec{Dir: filepath.Join(t.TempDir(), "cluster"), TaskManagers: 2, Slots: 2}
	process := startProcess(ctx, t, spec, "")
	r := platformtest.Run(ctx, t, process.jobs, j.Graph(t))
	dripping, stop := context.WithCancel(ctx)
	go tap.Drip(dripping, p.PerPart/4, p.PerPart*3/4)
	random := matrix.Rand(t)
	platformtest.Await(ctx, t, "dead letters", func() bool { return platformtest.Committed(ctx, t, b, j.Dead) > 0 })
	r.AwaitDescription(ctx, "checkpoints", platformtest.Checkpointed(2+random.Int64N(4)))
	process.Kill()
	stop()
	before := platformtest.Committed(ctx, t, b, j.Dead)
	tap.Raise(p.PerPart)
	process = startProcess(ctx, t, spec, "")
	platformtest.Run(ctx, t, process.jobs, j.Graph(t)).Finish(ctx)
	platformtest.Verify(ctx, t, b, j.Out, p.model())
	checkDead(ctx, t, b, p, j, before)
}

func checkDead(ctx context.Context, t *testing.T, b *realkafka.Broker, p poisoned, j platformtest.Job, before int64) {
	t.Helper()
	var want, got []string
	p.each(func(part, o int64, poison bool) {
		if poison {
			want = append(want, fmt.Sprintf("topic %s, partition %d, offset %d: %s", j.In, part, o, p.poison(part, o)))
		}
	})
	for _, l := range platformtest.ReadAll[deadLetter](ctx, t, b, j.Dead) {
		got = append(got, l.Position+": "+string(l.Raw))
		if l.Reason == "" || l.Split == "" {
			t.Errorf("a dead letter without split or reason: %+v", l)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	t.Logf("%d dead letters, %d of them committed before the kill", len(got), before)
}
