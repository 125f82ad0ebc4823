package collect

import (
	"context"
	"fmt"

	"millrace/blobstore/results"
	"millrace/connectors"
	"millrace/failure"
	"millrace/types"
)

// Committer implements connectors.Sink.
func (s *sink) Committer(ctx connectors.CommitterContext) (connectors.Committer, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	return &committer{ctx: ctx, log: results.Log{Store: store, Job: ctx.Job}, limits: s.limits}, nil
}

// committer makes parts results.
type committer struct {
	ctx    connectors.CommitterContext
	log    results.Log
	limits limits
	// kept is at least what the store keeps: nobody says here what has been fetched.
	kept struct {
		parts int
		bytes int64
	}
}

// Recover implements connectors.Committer.
func (c *committer) Recover(ctx context.Context, id types.CheckpointID, committables [][]byte) error {
	if err := c.commit(ctx, committables); err != nil {
		return err
	}
	if err := c.behind(ctx, id); err != nil {
		return err
	}
	if err := c.log.Sweep(ctx, c.ctx.Attempt, id); err != nil {
		return err
	}
	if err := c.count(ctx); err != nil {
		return err
	}
	return c.behind(ctx, id) // now that nobody is left to commit
}

// behind is ErrAhead where a later checkpoint has results.
func (c *committer) behind(ctx context.Context, id types.CheckpointID) error {
	newest, err := c.log.Newest(ctx)
	if err == nil && newest > id {
		err = connectors.Ahead("the results of job "+string(c.ctx.Job), newest, id)
	}
	return err
}

// Commit implements connectors.Committer. It fails when too much waits to be fetched.
func (c *committer) Commit(ctx context.Context, _ types.CheckpointID, committables [][]byte) error {
	if err := c.commit(ctx, committables); err != nil {
		return err
	}
	if !c.full() {
		return nil
	}
	if err := c.count(ctx); err != nil || !c.full() {
		return err
	}
	return failure.Userf("nobody fetches the results of job %s: %d bytes of them wait in %d parts, and at most %d bytes in %d parts may; "+
		"fetch them while the query runs, or insert them into a table", c.ctx.Job, c.kept.bytes, c.kept.parts, c.limits.keptBytesMax, c.limits.keptPartsMax)
}

// commit makes lots results. Those of another job, from whose checkpoint this one was
// started, are the results of that.
func (c *committer) commit(ctx context.Context, committables [][]byte) error {
	var lots []results.Lot
	for _, p := range committables {
		l, err := results.DecodeLot(p)
		if err != nil {
			return fmt.Errorf("committable: %w", err)
		}
		if l.Job != c.ctx.Job {
			continue
		}
		lots = append(lots, l)
		for _, part := range l.Parts {
			c.kept.parts++
			c.kept.bytes += part.Bytes
		}
	}
	return c.log.Commit(ctx, c.ctx.Operator, lots)
}

func (c *committer) full() bool {
	return c.kept.bytes > c.limits.keptBytesMax || c.kept.parts > c.limits.keptPartsMax
}

// count finds out what the store keeps.
func (c *committer) count(ctx context.Context) (err error) {
	c.kept.parts, c.kept.bytes, err = c.log.Kept(ctx)
	return err
}

// Close implements connectors.Committer.
func (*committer) Close() error { return nil }
