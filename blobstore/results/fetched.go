package results

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"millrace/blobstore"
	"millrace/failure"
	"millrace/types"
)

// ErrNoResults says that a checkpoint is acknowledged whose results are not there.
var ErrNoResults = errors.New("no results are there")

// Fetched returns the last checkpoint whose results were acknowledged; 0 for none.
func (g Log) Fetched(ctx context.Context) (types.CheckpointID, error) {
	marks, err := g.marks(ctx)
	if err != nil || len(marks) == 0 {
		return 0, err
	}
	return marks[len(marks)-1].Checkpoint, nil
}

// marks returns the marks there are, in order.
func (g Log) marks(ctx context.Context) (out []blobstore.ResultFetchedKey, err error) {
	prefix, err := blobstore.ResultFetchedPrefix(g.Job)
	if err != nil {
		return nil, err
	}
	for o, err := range blobstore.Walk(ctx, g.Store, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list marks of fetched results: %w", err)
		}
		if k, err := blobstore.ParseResultFetchedKey(o.Key); err == nil {
			out = append(out, k)
		}
	}
	return out, nil
}

// Acknowledge notes for ever that the results up to a checkpoint have been fetched,
// which is one that Next gave. ErrNoResults says that they can't have been.
func (g Log) Acknowledge(ctx context.Context, through types.CheckpointID) error {
	indexes, err := g.indexes(ctx, through-1)
	if err != nil {
		return err
	}
	if len(indexes) == 0 || indexes[0].Checkpoint != through {
		return g.acknowledged(ctx, through)
	}
	key, err := blobstore.ResultFetchedKey{Job: g.Job, Checkpoint: through}.Path()
	if err == nil {
		err = blobstore.CreateOrVerify(ctx, g.Store, key, blobstore.Bytes(nil))
	}
	if err != nil && !errors.Is(err, blobstore.ErrNotFound) { // it was there, and a later one is
		return fmt.Errorf("note that results were fetched: %w", err)
	}
	return nil
}

// acknowledged is nil where the index of a checkpoint has gone because it was
// acknowledged before, by a call whose answer was lost.
func (g Log) acknowledged(ctx context.Context, through types.CheckpointID) error {
	fetched, err := g.Fetched(ctx)
	if err == nil && fetched < through {
		err = failure.User(fmt.Errorf("%w of checkpoint %d of job %s", ErrNoResults, through, g.Job))
	}
	return err
}

// Discard deletes what has been fetched. What an error leaves is deleted by the next
// call.
func (g Log) Discard(ctx context.Context) error {
	marks, err := g.marks(ctx)
	if err != nil || len(marks) == 0 {
		return err
	}
	fetched := marks[len(marks)-1].Checkpoint
	indexes, err := g.indexes(ctx, 0)
	if err != nil {
		return err
	}
	for _, k := range indexes {
		if k.Checkpoint > fetched {
			break
		}
		if err := g.discard(ctx, k); err != nil {
			return err
		}
	}
	for _, k := range marks[:len(marks)-1] {
		if err := g.remove(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// discard deletes an index behind its parts.
func (g Log) discard(ctx context.Context, k blobstore.ResultIndexKey) error {
	lots, err := g.index(ctx, k)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var deletes errgroup.Group
	deletes.SetLimit(deletesAtOnce)
	for _, l := range lots {
		for _, p := range l.Parts {
			deletes.Go(func() error {
				key, err := l.Key(p)
				if err == nil {
					err = g.Store.Delete(ctx, key)
				}
				return err
			})
		}
	}
	if err := deletes.Wait(); err != nil {
		return fmt.Errorf("delete fetched results: %w", err)
	}
	return g.remove(ctx, k)
}

func (g Log) remove(ctx context.Context, k interface{ Path() (string, error) }) error {
	key, err := k.Path()
	if err == nil {
		err = g.Store.Delete(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("delete what was fetched: %w", err)
	}
	return nil
}
