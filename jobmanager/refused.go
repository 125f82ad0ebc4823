package jobmanager

import (
	"context"
	"errors"
	"log/slog"

	"millrace/internal/metrics"
	"millrace/jobmanager/coord"
	"millrace/types"
)

// refusals is a coordination store that tells of every write that came when its leadership was over.
type refusals struct {
	coord.Store
	count *metrics.Counter
	log   *slog.Logger
}

// Txn implements coord.Store.
func (r refusals) Txn(ctx context.Context, fence types.Term, compares []coord.Compare, ops []coord.Op) error {
	err := r.Store.Txn(ctx, fence, compares, ops)
	if errors.Is(err, coord.ErrFenced) && len(ops) > 0 { // without any it only asks who leads
		r.count.Add(1)
		r.log.Warn("a decided write does not count: another job manager leads", "key", ops[0].Key, "term", fence, "cause", err)
	}
	return err
}
