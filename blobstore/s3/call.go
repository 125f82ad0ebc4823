package s3

import (
	"context"
	"fmt"
	"time"

	"millrace/blobstore"
)

// call is one call of the store with its deadline.
type call struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the call.
	outer  context.Context //nolint:containedctx // the caller's.
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

// begin starts the call's clock; size is the bytes that it is known to move.
func (s *Store) begin(ctx context.Context, size int64) *call {
	c := &call{outer: ctx, limit: s.location.timeout}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.timer = time.AfterFunc(c.allowed(size), func() { c.cancel(errNoAnswer) })
	return c
}

var errNoAnswer = fmt.Errorf("%w: no answer within the call's deadline", blobstore.ErrUnavailable)

func (c *call) allowed(size int64) time.Duration {
	return c.limit + time.Duration(float64(size)/bytesPerSecondMin*float64(time.Second))
}

// extend sets the deadline anew, from now on, for so many bytes.
func (c *call) extend(size int64) {
	if c.timer.Stop() {
		c.timer.Reset(c.allowed(size))
	}
}

func (c *call) end() {
	c.timer.Stop()
	c.cancel(nil)
}

// wrap gives err its meaning and says what was being done. The caller's end goes before whatever came of it.
func (c *call) wrap(op, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case c.outer.Err() != nil:
		err = fmt.Errorf("%w: %w", c.outer.Err(), err)
	case context.Cause(c.ctx) != nil:
		err = fmt.Errorf("%w: %w", context.Cause(c.ctx), err)
	default:
		err = classify(err)
	}
	return fmt.Errorf("%s %s: %w", op, key, err)
}
