package s3

import (
	"context"
	"fmt"
	"time"

	"millrace/blobstore"
)

// call is one call of the store with its deadline.
type call struct {
	ctx   context.Context //nolint:containedctx // it lives as long as the call.
	outer context.Context //nolint:containedctx // the caller's.
	end   context.CancelFunc
}

// readBytesExpected is what the deadline of a Read allows for, whose size nobody knows before.
const readBytesExpected = 64 << 20

var errNoAnswer = fmt.Errorf("%w: no answer within the call's deadline", blobstore.ErrUnavailable)

// begin starts the call's clock; size is the bytes that it is expected to move. The caller ends the call.
func (s *Store) begin(ctx context.Context, size int64) *call {
	limit := s.location.timeout + time.Duration(float64(size)/bytesPerSecondMin*float64(time.Second))
	c := &call{outer: ctx}
	c.ctx, c.end = context.WithTimeoutCause(ctx, limit, errNoAnswer)
	return c
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
