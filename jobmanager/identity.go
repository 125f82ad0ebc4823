package jobmanager

import (
	"context"
	"errors"
	"fmt"

	"millrace/blobstore"
	"millrace/failure"
	"millrace/jobmanager/coord"
	"millrace/types"
)

// identify makes sure that the blob store is the one that the cluster's jobs are
// in. Each store has an identity for each cluster, made by whoever comes first, and
// the first leader notes it in the coordination store. A second cluster of the same
// name, with a store of its own, would otherwise take over jobs whose checkpoints
// it can't find; it is refused instead.
//
// If it crashes in between, the next leader finds the object and notes it.
func (j *JobManager) identify(ctx context.Context, term types.Term) error {
	id, err := j.storeIdentity(ctx)
	if err != nil {
		return err
	}
	e, err := j.Coord.Get(ctx, coord.StoreKey())
	if errors.Is(err, coord.ErrNotFound) {
		return j.Coord.Txn(ctx, term, []coord.Compare{coord.Absent(coord.StoreKey())}, []coord.Op{coord.Put(coord.StoreKey(), []byte(id))})
	}
	if err != nil {
		return err
	}
	if string(e.Value) != id {
		return failure.Message{
			Primary: fmt.Sprintf("cluster %q keeps its jobs in another blob store", j.Cluster),
			Detail:  fmt.Sprintf("the coordination store says %s, the blob store of this job manager is %s", e.Value, id),
			Hint:    "give this cluster a name of its own by high-availability.cluster-id, or the store of the other by execution.checkpointing.dir",
		}
	}
	return nil
}

// clusterIdentity returns what tells the cluster from every other, of its name too, and from one that had this name and lost
// its coordination store. Jobs have it in their ids, for these are in the names of transactions and objects that may
// outlive a cluster. The first leader makes it.
func (j *JobManager) clusterIdentity(ctx context.Context, term types.Term) (string, error) {
	e, err := j.Coord.Get(ctx, coord.IdentityKey())
	if err == nil || !errors.Is(err, coord.ErrNotFound) {
		return string(e.Value), err
	}
	id := newID()
	return id, j.Coord.Txn(ctx, term, []coord.Compare{coord.Absent(coord.IdentityKey())}, []coord.Op{coord.Put(coord.IdentityKey(), []byte(id))})
}

// storeIdentity reads the identity, and makes it where there is none.
func (j *JobManager) storeIdentity(ctx context.Context) (string, error) {
	key, err := blobstore.IdentityPath(j.Cluster)
	if err != nil {
		return "", failure.User(fmt.Errorf("cluster name: %w", err))
	}
	err = j.Store.Create(ctx, key, blobstore.Bytes([]byte(newID())))
	if err != nil && !errors.Is(err, blobstore.ErrExists) && !worthWaiting(err) {
		return "", fmt.Errorf("identity of the blob store: %w", err)
	}
	id, err := j.Store.Read(ctx, key) // also where the answer was lost
	if err != nil {
		return "", fmt.Errorf("identity of the blob store: %w", err)
	}
	return string(id), nil
}
