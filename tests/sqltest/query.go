package sqltest

import (
	"context"
	"testing"
	"time"

	"millrace/cmd/command/client"
	"millrace/internal/clock"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/sql/session"
	"millrace/stream"
	"millrace/types"
)

const (
	// Patience is how long something may take that is to happen: long enough for a machine that is busy.
	Patience = 2 * time.Minute
	// Again lies between two looks at a condition.
	Again = 5 * time.Millisecond
)

// Query is a job that runs, and whose rows are taken.
type Query struct {
	client *client.Client
	id     string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done
}

// Begin submits a job. take is given the batches of a query's rows, each row once, on one goroutine; they are borrowed. Other jobs have no rows.
func (c *Cluster) Begin(t *testing.T, j *session.Job, take func(*stream.Batch) error) *Query {
	t.Helper()
	answer, err := c.Client.Submit(t.Context(), j.Graph, false, "")
	if err != nil {
		t.Fatal(err)
	}
	q := &Query{client: c.Client, id: answer.JobId, done: make(chan struct{})}
	var ctx context.Context
	ctx, q.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(q.done)
		q.err = q.follow(ctx, j, take)
	}()
	return q
}

// follow takes rows until the job has ended.
func (q *Query) follow(ctx context.Context, j *session.Job, take func(*stream.Batch) error) (err error) {
	var d *apiv1.DescribeJobResponse
	if j.Query == nil {
		d, err = q.client.Await(ctx, q.id, func(*apiv1.WatchJobResponse) error { return nil })
	} else {
		var pool stream.Pool
		d, err = q.client.Results(ctx, q.id, &pool, func(_ types.CheckpointID, b *stream.Batch) error { return take(b) })
	}
	if err != nil {
		return err
	}
	return client.Outcome(d)
}

// Done is closed when the job has ended and its rows have been taken.
func (q *Query) Done() <-chan struct{} { return q.done }

// Err returns how the job has ended, nil if it finished. Done is closed.
func (q *Query) Err() error { return q.err }

// Describe returns what is known of the job.
func (q *Query) Describe(t *testing.T) *apiv1.DescribeJobResponse {
	t.Helper()
	d, err := q.client.Describe(t.Context(), q.id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Until waits for a condition while the job runs.
func (q *Query) Until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := clock.System().After(Patience)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s\n%v", Patience, what, q.Describe(t))
		case <-q.done:
			t.Fatalf("%s: the job has ended: %v", what, q.err)
		case <-clock.System().After(Again):
		}
	}
}

// UntilCheckpoint waits for a checkpoint that begins from now on.
func (q *Query) UntilCheckpoint(t *testing.T, what string) {
	t.Helper()
	now := clock.System().Now()
	q.Until(t, what+": a checkpoint behind it is complete", func() bool {
		c := q.Describe(t).LastCheckpoint
		return c != nil && c.Triggered.AsTime().After(now)
	})
}

// End waits for the end of the job and returns how it ended.
func (q *Query) End(t *testing.T) error {
	t.Helper()
	select {
	case <-q.done:
	case <-clock.System().After(Patience):
		t.Fatalf("the job has not ended within %s: %v", Patience, q.Describe(t))
	}
	return q.err
}

// Drop ends a job that may still run, and waits for the end of its rows.
func (q *Query) Drop() {
	select {
	case <-q.done:
	default:
		_ = q.client.Cancel(context.Background(), q.id) // it may have ended by itself
		q.cancel()
		<-q.done
	}
}
