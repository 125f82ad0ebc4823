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
)

// poisoned is a load in which every so many records can't be decoded.
type poisoned struct {
	load
	every int64
}

func (p poisoned) isPoison(partition, offset int64) bool {
	return p.every > 0 && offset%p.every == p.every/2+partition
}

func (p poisoned) record(partition, offset int64) []byte {
	if p.isPoison(partition, offset) {
		return p.poison(partition, offset)
	}
	return p.load.record(partition, offset)
}

func (p poisoned) poison(partition, offset int64) []byte {
	return fmt.Appendf(nil, `{"auction":7,"price":"no number","extra":"%d/%d`, partition, offset)
}

// each calls f for every record.
func (p poisoned) each(f func(partition, offset int64, poison bool)) {
	for part := range p.partitions {
		for o := range p.perPart {
			f(part, o, p.isPoison(part, o))
		}
	}
}

func (p poisoned) model() model {
	m := model{}
	p.each(func(part, o int64, poison bool) {
		if !poison {
			m.add(p.at(part, o))
		}
	})
	return m
}

// small is enough for a few windows of checkpoints.
var small = poisoned{load: load{partitions: 2, perPart: 12_000}}

// interval is that of the job's checkpoints.
func (poisoned) interval() time.Duration { return 200 * time.Millisecond }

// prepare makes a job's topics and lets its writers begin.
func (p poisoned) prepare(ctx context.Context, t *testing.T, b *realkafka.Broker, name string) (job, *tap, *writing) {
	t.Helper()
	j := job{brokers: b.Addr(), in: name, out: name + "-out", ends: p.ends(), parallelism: 2, interval: p.interval()}
	createTopics(ctx, t, b, 2, j.in, j.out)
	tap := newTap()
	return j, tap, write(ctx, b, j.in, tap, j.ends, p.record)
}

func TestUndecodableRecordFailsTheJob(t *testing.T) {
	b := sharedBroker(t)
	ctx := limited(t, testLimit)
	p := small
	p.every = p.perPart // one in each partition
	j, tap, _ := p.prepare(ctx, t, b, "poison-fail")
	tap.raise(p.perPart)
	c, _ := startCluster(t, cluster.Options{})
	d := run(ctx, t, c.Jobs(), j.graph(t)).awaitDescription(ctx, "the job's end", ended)
	if d.Summary.State != apiv1.JobState_JOB_STATE_FAILED {
		t.Fatalf("the job ended as %s", d.Summary.State)
	}
	one := fmt.Sprintf("topic %s, partition 0, offset %d", j.in, p.every/2)
	two := fmt.Sprintf("topic %s, partition 1, offset %d", j.in, p.every/2+1)
	if f := d.Summary.Failure; !strings.Contains(f, one) && !strings.Contains(f, two) || !strings.Contains(f, "decode record: ") {
		t.Errorf("the failure does not say which record can't be decoded, and why: %q", f)
	}
}

func TestUndecodableRecordsAreSkippedAndCounted(t *testing.T) {
	b := sharedBroker(t)
	ctx := limited(t, testLimit)
	p := small
	p.every = 100
	j, tap, _ := p.prepare(ctx, t, b, "poison-skip")
	j.onError = "skip"
	tap.raise(p.perPart)
	c, _ := startCluster(t, cluster.Options{})
	d := run(ctx, t, c.Jobs(), j.graph(t)).finish(ctx)
	skipped := count(d, func(d *apiv1.TaskDescription) int64 { return d.Progress.GetSkipped() })
	if want := p.partitions * p.perPart / p.every; skipped != want {
		t.Errorf("the job counts %d skipped records, want %d", skipped, want)
	}
	verify(ctx, t, b, j.out, p.model())
}

// deadLetter is a record of the topic of dead letters.
type deadLetter struct {
	Split, Position, Reason string
	Raw                     []byte
}

// TestDeadLettersThroughKill: a dead letter is as exactly-once as any other output.
func TestDeadLettersThroughKill(t *testing.T) {
	t.Parallel()
	b := sharedBroker(t)
	ctx := limited(t, testLimit)
	p := small
	p.every = 50
	j, tap, _ := p.prepare(ctx, t, b, "poison-dead")
	j.onError, j.dead = "dead-letter", "bids-dead"
	createTopics(ctx, t, b, 1, j.dead)
	spec := clusterSpec{Dir: filepath.Join(t.TempDir(), "cluster"), TaskManagers: 2, Slots: 2}
	process := startProcess(ctx, t, spec, "")
	r := run(ctx, t, process.jobs, j.graph(t))
	dripping, stop := context.WithCancel(ctx)
	go tap.drip(dripping, p.perPart/4, p.perPart*3/4)
	random := matrix.Rand(t)
	await(ctx, t, "dead letters", func() bool { return committed(ctx, t, b, j.dead) > 0 })
	r.awaitDescription(ctx, "checkpoints", checkpointed(2+random.Int64N(4)))
	process.Kill()
	stop()
	before := committed(ctx, t, b, j.dead)
	tap.raise(p.perPart)
	process = startProcess(ctx, t, spec, "")
	run(ctx, t, process.jobs, j.graph(t)).finish(ctx)
	verify(ctx, t, b, j.out, p.model())
	checkDead(ctx, t, b, p, j, before)
}

func checkDead(ctx context.Context, t *testing.T, b *realkafka.Broker, p poisoned, j job, before int64) {
	t.Helper()
	var want, got []string
	p.each(func(part, o int64, poison bool) {
		if poison {
			want = append(want, fmt.Sprintf("topic %s, partition %d, offset %d: %s", j.in, part, o, p.poison(part, o)))
		}
	})
	for _, l := range readAll[deadLetter](ctx, t, b, j.dead) {
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
