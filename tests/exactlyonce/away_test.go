package exactlyonce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"millrace/blobstore"
	"millrace/cmd/cluster"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/tests/platformtest"
)

// TestBrokerAway takes the broker away before the job begins, when the job says that it waits, and again in the middle. It
// loses nothing and goes on by itself. In the middle no transaction is between its commit and its confirmation, since a broker
// of one node that is killed there may forget to write the commit markers (docs/design/0002-kafka-transactions.md, hole 2).
func TestBrokerAway(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a broker")
	}
	t.Parallel()
	ctx := platformtest.Limited(t, testLimit)
	b := realkafka.Start(t)
	p := small
	j, tap, written := p.prepare(ctx, t, b, "away")
	b.Kill()
	c, _ := startCluster(t, cluster.Options{})
	r := platformtest.Run(ctx, t, c.Jobs(), j.Graph(t))
	r.AwaitDescription(ctx, "trouble with the brokers at the start", platformtest.Troubled)
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	tap.Raise(p.PerPart / 2)
	r.AwaitDescription(ctx, "half of the input", func(d *apiv1.DescribeJobResponse) bool {
		return platformtest.Count(d, platformtest.RecordsIn) == p.Partitions*p.PerPart/2
	})
	quiet := func(what string) {
		done := r.Describe(ctx).CheckpointsCompleted
		r.AwaitDescription(ctx, what, func(d *apiv1.DescribeJobResponse) bool {
			return d.CheckpointsCompleted >= done+3 && d.LastCheckpoint.GetCommitted()
		})
	}
	quiet("checkpoints of half of the input")
	b.Kill()
	quiet("checkpoints without the broker") // they have nothing to write, and go on
	r.AwaitDescription(ctx, "the source's trouble with the broker", func(d *apiv1.DescribeJobResponse) bool {
		text := platformtest.TasksTrouble(d)
		return strings.Contains(text, "topic "+j.In) && strings.Contains(text, b.Addr()) && strings.Contains(text, "is tried again")
	})
	if err := b.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	r.AwaitDescription(ctx, "the end of the troubles", func(d *apiv1.DescribeJobResponse) bool {
		return platformtest.TasksTrouble(d) == "" && d.WaitingFor == ""
	})
	tap.Raise(p.PerPart)
	d := r.Finish(ctx)
	if err := written.Wait(); err != nil {
		t.Fatal(err)
	}
	platformtest.Verify(ctx, t, b, j.Out, p.model())
	t.Logf("%d restarts, %v", d.Summary.Restarts, d.RecentFailures)
}

// TestSinkTopicIsMissing begins without the topic of the output: the job says what to do, and goes on by itself when somebody
// has done it.
func TestSinkTopicIsMissing(t *testing.T) {
	b := platformtest.SharedBroker(t)
	ctx := platformtest.Limited(t, testLimit)
	p := small
	j, tap, _ := p.prepare(ctx, t, b, "missing")
	j.Out += "-output"
	c, _ := startCluster(t, cluster.Options{})
	r := platformtest.Run(ctx, t, c.Jobs(), j.Graph(t))
	tap.Raise(p.PerPart)
	r.AwaitDescription(ctx, "the sink's failure", func(d *apiv1.DescribeJobResponse) bool {
		return slices.ContainsFunc(d.RecentFailures, func(f string) bool {
			return strings.Contains(f, "topic "+j.Out) && strings.Contains(f, "create it")
		})
	})
	platformtest.CreateTopics(ctx, t, b, 2, j.Out)
	d := r.Finish(ctx)
	t.Logf("%d restarts: %s", d.Summary.Restarts, d.RecentFailures)
	platformtest.Verify(ctx, t, b, j.Out, p.model())
}

// TestBlobStoreAway takes the blob store away in the middle: checkpoints fail or wait, the job does not.
func TestBlobStoreAway(t *testing.T) {
	b := platformtest.SharedBroker(t)
	ctx := platformtest.Limited(t, testLimit)
	p := small
	j, tap, _ := p.prepare(ctx, t, b, "blobs-away")
	var away storeSwitch
	c, _ := startCluster(t, cluster.Options{WrapStore: away.wrap})
	r := platformtest.Run(ctx, t, c.Jobs(), j.Graph(t))
	dripping, stop := context.WithCancel(ctx)
	defer stop()
	go tap.Drip(dripping, p.PerPart/6, p.PerPart/2)
	r.AwaitDescription(ctx, "a checkpoint", platformtest.Checkpointed(2))
	away.off.Store(true)
	d := r.AwaitDescription(ctx, "trouble with the blob store", func(d *apiv1.DescribeJobResponse) bool {
		return away.refused.Load() >= 20 && platformtest.Troubled(d)
	})
	if d.Summary.State != apiv1.JobState_JOB_STATE_RUNNING || d.Summary.Restarts > 0 {
		t.Errorf("without a blob store the job is %s after %d restarts", d.Summary.State, d.Summary.Restarts)
	}
	t.Logf("while the blob store was away: %d calls refused, %d checkpoints failed", away.refused.Load(), d.CheckpointsFailed)
	away.off.Store(false)
	before := d.CheckpointsCompleted
	r.AwaitDescription(ctx, "checkpoints again", platformtest.Checkpointed(before+1))
	tap.Raise(p.PerPart)
	if d = r.Finish(ctx); d.Summary.Restarts > 0 {
		t.Errorf("the job restarted %d times: %v", d.Summary.Restarts, d.RecentFailures)
	}
	platformtest.Verify(ctx, t, b, j.Out, p.model())
}

// storeSwitch is a blob store that can be away.
type storeSwitch struct {
	blobstore.Store
	off     atomic.Bool
	refused atomic.Int64
}

func (s *storeSwitch) wrap(inner blobstore.Store) blobstore.Store {
	s.Store = inner
	return s
}

func (s *storeSwitch) there(what, key string) error {
	if !s.off.Load() {
		return nil
	}
	s.refused.Add(1)
	return fmt.Errorf("%s %s: %w", what, key, errors.Join(blobstore.ErrUnavailable, errors.New("switched off")))
}

// Create implements blobstore.Store.
func (s *storeSwitch) Create(ctx context.Context, key string, body blobstore.Body) error {
	if err := s.there("create", key); err != nil {
		return err
	}
	return s.Store.Create(ctx, key, body)
}

// Read implements blobstore.Store.
func (s *storeSwitch) Read(ctx context.Context, key string) ([]byte, error) {
	if err := s.there("read", key); err != nil {
		return nil, err
	}
	return s.Store.Read(ctx, key)
}

// ReadRange implements blobstore.Store.
func (s *storeSwitch) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	if err := s.there("read", key); err != nil {
		return nil, err
	}
	return s.Store.ReadRange(ctx, key, off, n)
}

// List implements blobstore.Store.
func (s *storeSwitch) List(ctx context.Context, q blobstore.Query) ([]blobstore.Info, error) {
	if err := s.there("list", q.Prefix); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, q)
}

// Delete implements blobstore.Store.
func (s *storeSwitch) Delete(ctx context.Context, key string) error {
	if err := s.there("delete", key); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}
