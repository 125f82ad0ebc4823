package results

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"millrace/blobstore"
	"millrace/failure"
	"millrace/types"
)

// Log is the results of one job in a store. It has no state of its own: any number may
// be used at a time, in any process. Errors of the store come as they are, wrapped.
type Log struct {
	Store blobstore.Store
	Job   types.JobID
}

// Commit makes the lots of one operator results, checkpoint by checkpoint. It may be
// repeated, with all lots of a checkpoint or some of them, once it was called with all.
func (g Log) Commit(ctx context.Context, operator types.OperatorUID, lots []Lot) error {
	of := make(map[types.CheckpointID][]Lot)
	for _, l := range lots {
		of[l.Checkpoint] = append(of[l.Checkpoint], l)
	}
	var ids []types.CheckpointID
	for id := range of {
		ids = append(ids, id)
	}
	slices.Sort(ids) // a checkpoint that shows is never behind one that comes later
	for _, id := range ids {
		data := encodeIndex(merged(of[id]))
		key, err := blobstore.ResultIndexKey{Job: g.Job, Checkpoint: id, Operator: operator, Digest: digest(data)}.Path()
		if err == nil {
			err = blobstore.CreateOrVerify(ctx, g.Store, key, blobstore.Bytes(data))
		}
		if errors.Is(err, blobstore.ErrNotFound) { // it was there, and has been fetched meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("index the results of checkpoint %d: %w", id, err)
		}
	}
	return nil
}

// merged returns the lots in their order, each once.
func merged(lots []Lot) []Lot {
	order := func(a, b Lot) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Subtask, b.Subtask),
			cmp.Compare(a.Unique, b.Unique))
	}
	lots = slices.Clone(lots)
	slices.SortFunc(lots, order)
	return slices.CompactFunc(lots, func(a, b Lot) bool { return order(a, b) == 0 })
}

// Newest returns the last checkpoint that has, or had, results; 0 for none.
func (g Log) Newest(ctx context.Context) (types.CheckpointID, error) {
	newest, err := g.Fetched(ctx)
	if err != nil {
		return 0, err
	}
	prefix, err := blobstore.ResultIndexPrefix(g.Job)
	if err != nil {
		return 0, err
	}
	for o, err := range blobstore.Walk(ctx, g.Store, prefix) {
		if err != nil {
			return 0, fmt.Errorf("list indexes of results: %w", err)
		}
		if k, err := blobstore.ParseResultIndexKey(o.Key); err == nil {
			newest = max(newest, k.Checkpoint)
		}
	}
	return newest, nil
}

// Kept returns what the parts of the job take of the store, results or not.
func (g Log) Kept(ctx context.Context) (parts int, bytes int64, err error) {
	prefix, err := blobstore.ResultPartPrefix(g.Job)
	if err != nil {
		return 0, 0, err
	}
	for o, err := range blobstore.Walk(ctx, g.Store, prefix) {
		if err != nil {
			return 0, 0, fmt.Errorf("list parts of results: %w", err)
		}
		parts++
		bytes += o.Size
	}
	return parts, bytes, nil
}

// Sweep deletes what the attempts before one wrote behind the checkpoint from which
// that is restored, once everything up to the checkpoint is committed: those rows are
// written again.
func (g Log) Sweep(ctx context.Context, before types.Attempt, restored types.CheckpointID) error {
	prefix, err := blobstore.ResultPartPrefix(g.Job)
	if err != nil {
		return err
	}
	for o, err := range blobstore.Walk(ctx, g.Store, prefix) {
		if err != nil {
			return fmt.Errorf("list parts of results: %w", err)
		}
		k, err := blobstore.ParseResultPartKey(o.Key)
		if err != nil || k.Attempt >= before || k.Behind < restored {
			continue
		}
		if err := g.Store.Delete(ctx, o.Key); err != nil {
			return fmt.Errorf("delete a part that is no result: %w", err)
		}
	}
	return nil
}

// Waiting are the results of one checkpoint.
type Waiting struct {
	Checkpoint types.CheckpointID
	Parts      []Object
}

// Object is a part under its key.
type Object struct {
	Key string
	Part
}

// Next returns the results of the first checkpoint behind one that has any; none where
// that is zero.
func (g Log) Next(ctx context.Context, after types.CheckpointID) (Waiting, error) {
	indexes, err := g.indexes(ctx, after)
	if err != nil || len(indexes) == 0 {
		return Waiting{}, err
	}
	w := Waiting{Checkpoint: indexes[0].Checkpoint}
	var lots []Lot
	for _, k := range indexes {
		if k.Checkpoint != w.Checkpoint {
			break
		}
		some, err := g.index(ctx, k)
		if errors.Is(err, blobstore.ErrNotFound) {
			return Waiting{}, nil // somebody has fetched it since it was listed
		}
		if err != nil {
			return Waiting{}, err
		}
		lots = append(lots, some...)
	}
	for _, l := range merged(lots) {
		for _, p := range l.Parts {
			key, err := l.Key(p)
			if err != nil {
				return Waiting{}, err
			}
			w.Parts = append(w.Parts, Object{key, p})
		}
	}
	return w, nil
}

// indexes returns the first indexes behind a checkpoint.
func (g Log) indexes(ctx context.Context, after types.CheckpointID) ([]blobstore.ResultIndexKey, error) {
	prefix, err := blobstore.ResultIndexPrefix(g.Job)
	if err != nil {
		return nil, err
	}
	at, err := blobstore.ResultIndexAt(g.Job, after+1)
	if err != nil {
		return nil, err
	}
	page, err := g.Store.List(ctx, blobstore.Query{Prefix: prefix, After: at})
	if err != nil {
		return nil, fmt.Errorf("list indexes of results: %w", err)
	}
	var out []blobstore.ResultIndexKey
	for _, o := range page {
		if k, err := blobstore.ParseResultIndexKey(o.Key); err == nil {
			out = append(out, k)
		}
	}
	return out, nil
}

// index reads an index.
func (g Log) index(ctx context.Context, k blobstore.ResultIndexKey) ([]Lot, error) {
	key, err := k.Path()
	if err != nil {
		return nil, err
	}
	data, err := g.Store.Read(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if digest(data) != k.Digest {
		return nil, failure.Internal(fmt.Errorf("%w: %s is not what its name says", ErrCorrupt, key))
	}
	lots, err := decodeIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return lots, nil
}

// Read returns a part.
func (g Log) Read(ctx context.Context, o Object) ([]byte, error) {
	data, err := g.Store.Read(ctx, o.Key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.Key, err)
	}
	if int64(len(data)) != o.Bytes {
		return nil, failure.Internal(fmt.Errorf("%w: %s has %d bytes, and %d were written", ErrCorrupt, o.Key, len(data), o.Bytes))
	}
	return data, nil
}
