// Package client is how commands speak to a cluster: it dials the job service, turns refusals into messages for people,
// and follows a job to its end.
//
// Await is the one way to wait for a job. It watches, and where the stream breaks (a leader that went away) it asks
// again, for as long as Patience allows, so that the caller sees one job and not the connections to it. What a watch
// loses, Describe has: the outcome is always read anew.
//
// There is no encryption: connections stay on loopback.
package client

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/cmd/leader"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	apiv1 "millrace/proto/millrace/api/v1"
)

const (
	// Patience is how long a cluster may be away or without a leader until Await and the first call give up.
	Patience = 30 * time.Second
	// again is the pause between two attempts.
	again = 200 * time.Millisecond
)

// Client speaks to one cluster. It is safe for concurrent use.
type Client struct {
	conn    io.Closer // nil over somebody else's connection
	jobs    apiv1.JobServiceClient
	cluster apiv1.ClusterServiceClient
	clock   clock.Clock
}

// Dial returns a client of the cluster whose job managers have these addresses; one that leads, or knows who does, is
// enough. It does not reach out yet.
func Dial(addresses ...string) (*Client, error) {
	finder, err := leader.New(addresses)
	if err != nil {
		return nil, err
	}
	return &Client{finder, apiv1.NewJobServiceClient(finder), apiv1.NewClusterServiceClient(finder), clock.System()}, nil
}

// Over returns a client that uses somebody else's connection; Close leaves that open.
func Over(jobs apiv1.JobServiceClient) *Client {
	return &Client{jobs: jobs, clock: clock.System()}
}

// Close ends the connection.
func (c *Client) Close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

// patiently repeats a call while the cluster is away or has no leader.
func (c *Client) patiently(ctx context.Context, call func() error) error {
	for waited := time.Duration(0); ; waited += again {
		err := call()
		switch {
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case status.Code(err) != codes.Unavailable || waited >= Patience:
			return understand(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.clock.After(again):
		}
	}
}

// From says with which state a job starts; the zero value is none.
type From struct {
	// Savepoint is where a savepoint is, or a checkpoint's manifest.
	Savepoint string
	// AllowNonRestored leaves behind what the graph has no place for.
	AllowNonRestored bool
}

// Submit is SubmitFrom of a job that starts without state.
func (c *Client) Submit(ctx context.Context, g *jobgraph.Graph, dryRun bool, key string) (*apiv1.SubmitJobResponse, error) {
	return c.SubmitFrom(ctx, g, From{}, dryRun, key)
}

// SubmitFrom gives the cluster a graph, or asks what would become of it. It waits for a leader; key makes that safe: the
// same key is the same job. A refusal is a *failure.Problems.
func (c *Client) SubmitFrom(ctx context.Context, g *jobgraph.Graph, from From, dryRun bool, key string) (*apiv1.SubmitJobResponse, error) {
	message, err := codec.ToProto(g)
	if err != nil {
		return nil, err
	}
	var answer *apiv1.SubmitJobResponse
	err = c.patiently(ctx, func() (err error) {
		answer, err = c.jobs.SubmitJob(ctx, &apiv1.SubmitJobRequest{
			Graph: message, DryRun: dryRun, IdempotencyKey: key, FromSavepoint: from.Savepoint, AllowNonRestoredState: from.AllowNonRestored,
		})
		return err
	})
	return answer, err
}

// List returns the cluster's jobs, the oldest first.
func (c *Client) List(ctx context.Context) ([]*apiv1.JobSummary, error) {
	answer, err := c.jobs.ListJobs(ctx, &apiv1.ListJobsRequest{})
	return answer.GetJobs(), understand(err)
}

// Describe returns everything about a job.
func (c *Client) Describe(ctx context.Context, job string) (*apiv1.DescribeJobResponse, error) {
	answer, err := c.jobs.DescribeJob(ctx, &apiv1.DescribeJobRequest{JobId: job})
	return answer, understand(err)
}

// Cancel ends a job without a last checkpoint. It does not wait for the end.
func (c *Client) Cancel(ctx context.Context, job string) error {
	_, err := c.jobs.CancelJob(ctx, &apiv1.CancelJobRequest{JobId: job})
	return understand(err)
}

// Stop ends a job behind a last checkpoint, with drain after its windows have fired; with savepoint, a savepoint is made of
// that. It does not wait for the end.
func (c *Client) Stop(ctx context.Context, job string, drain, savepoint bool) error {
	_, err := c.jobs.StopJob(ctx, &apiv1.StopJobRequest{JobId: job, Drain: drain, Savepoint: savepoint})
	return understand(err)
}

// Savepoint takes a savepoint of a running job and returns when it is whole. When the answer is lost, Describe lists it.
func (c *Client) Savepoint(ctx context.Context, job string) (*apiv1.SavepointDescription, error) {
	answer, err := c.jobs.TriggerSavepoint(ctx, &apiv1.TriggerSavepointRequest{JobId: job})
	return answer.GetSavepoint(), understand(err)
}

// Rescale gives a job another parallelism: of every vertex, and of those that are named. It does not wait for it.
func (c *Client) Rescale(ctx context.Context, job string, parallelism int32, vertices map[string]int32) error {
	_, err := c.jobs.RescaleJob(ctx, &apiv1.RescaleJobRequest{JobId: job, Parallelism: parallelism, Vertices: vertices})
	return understand(err)
}

// Cluster returns everything about the cluster.
func (c *Client) Cluster(ctx context.Context) (*apiv1.DescribeClusterResponse, error) {
	answer, err := c.cluster.DescribeCluster(ctx, &apiv1.DescribeClusterRequest{})
	return answer, understand(err)
}

// Await tells see what happens to a job, from now on, and returns what is known of the job when it has ended. see runs on
// the caller's goroutine; an error of its ends the wait.
func (c *Client) Await(ctx context.Context, job string, see func(*apiv1.WatchJobResponse) error) (*apiv1.DescribeJobResponse, error) {
	for broken := time.Duration(0); ; broken += again {
		seen, err := c.watch(ctx, job, see)
		if seen {
			broken = 0
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && status.Code(err) != codes.Unavailable:
			return nil, understand(err)
		}
		d, derr := c.jobs.DescribeJob(ctx, &apiv1.DescribeJobRequest{JobId: job})
		if derr == nil && Ended(d.Summary.State) {
			// A watch of an ended job gives the last figures, which the one before may not have lived to see.
			_, err := c.watch(ctx, job, see)
			return d, understand(err)
		}
		if derr != nil && (status.Code(derr) != codes.Unavailable || broken >= Patience) {
			return nil, understand(derr)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.clock.After(again):
		}
	}
}

// watch reads one stream of events to its end; seen tells whether there was any.
func (c *Client) watch(ctx context.Context, job string, see func(*apiv1.WatchJobResponse) error) (seen bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.jobs.WatchJob(ctx, &apiv1.WatchJobRequest{JobId: job})
	if err != nil {
		return false, err
	}
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return seen, nil
		}
		if err != nil {
			return seen, err
		}
		seen = true
		if err := see(event); err != nil {
			return seen, err
		}
	}
}

// Ended tells whether a state is the last of a job.
func Ended(s apiv1.JobState) bool {
	switch s {
	case apiv1.JobState_JOB_STATE_FINISHED, apiv1.JobState_JOB_STATE_CANCELED, apiv1.JobState_JOB_STATE_FAILED,
		apiv1.JobState_JOB_STATE_STOPPED:
		return true
	default:
		return false
	}
}

// Outcome is the error of a job that has ended and did not do what it was started for.
func Outcome(d *apiv1.DescribeJobResponse) error {
	switch d.Summary.State {
	case apiv1.JobState_JOB_STATE_FAILED:
		return failure.Externalf(failure.Never, "job %s failed: %s", d.Summary.JobId, d.Summary.Failure)
	case apiv1.JobState_JOB_STATE_CANCELED:
		return failure.Externalf(failure.Never, "job %s was cancelled", d.Summary.JobId)
	default:
		return nil
	}
}
