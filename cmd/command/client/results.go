package client

import (
	"context"

	"millrace/exchange/inflight"
	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/stream"
	"millrace/types"
)

// Results gives visit the rows of a query, which is a job with the sink collect, until the job has ended and nothing is
// left, and returns what is known of the job then. Each row comes once, whatever happens to answers and leaders on the
// way, and behind those of earlier checkpoints; it comes when its checkpoint is complete. Batches are of the pool, and
// borrowed for the call, which runs on the caller's goroutine; an error of visit ends the fetching.
//
// What visit was given is deleted in the cluster some time later, so a second reader of the same job misses rows and is
// told so.
func (c *Client) Results(ctx context.Context, job string, pool *stream.Pool, visit func(types.CheckpointID, *stream.Batch) error) (*apiv1.DescribeJobResponse, error) {
	at := &apiv1.FetchResultsRequest{JobId: job}
	for {
		var answer *apiv1.FetchResultsResponse
		err := c.patiently(ctx, func() (err error) {
			answer, err = c.jobs.FetchResults(ctx, at)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, p := range answer.Parts {
			if err := rows(at, p, pool, visit); err != nil {
				return nil, err
			}
		}
		if answer.Ended {
			return c.described(ctx, job)
		}
	}
}

// described is Describe that waits for a leader.
func (c *Client) described(ctx context.Context, job string) (d *apiv1.DescribeJobResponse, err error) {
	err = c.patiently(ctx, func() (err error) {
		d, err = c.jobs.DescribeJob(ctx, &apiv1.DescribeJobRequest{JobId: job})
		return err
	})
	return d, err
}

// rows visits the rows of a part and moves on behind it.
func rows(at *apiv1.FetchResultsRequest, p *apiv1.ResultPart, pool *stream.Pool, visit func(types.CheckpointID, *stream.Batch) error) error {
	if p.Checkpoint <= at.AfterCheckpoint || p.Number != at.Parts || at.Parts > 0 && p.Checkpoint != at.Checkpoint {
		return failure.Internalf("part %d of the results of checkpoint %d came behind %d parts of checkpoint %d", p.Number, p.Checkpoint, at.Parts, at.Checkpoint)
	}
	channels, err := inflight.Open(p.Rows)
	if err != nil {
		return err
	}
	for i := range channels {
		err := channels[i].Each(pool, func(e stream.Element) error {
			if e.Kind != stream.RowsElement {
				return nil
			}
			defer e.Batch.Release()
			return visit(types.CheckpointID(p.Checkpoint), e.Batch)
		})
		if err != nil {
			return err
		}
	}
	at.Checkpoint, at.Parts = p.Checkpoint, at.Parts+1
	if p.Last {
		at.AfterCheckpoint, at.Checkpoint, at.Parts = p.Checkpoint, 0, 0
	}
	return nil
}
