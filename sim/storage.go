package sim

import (
	"context"
	"fmt"
	"io"

	"millrace/blobstore"
	"millrace/jobmanager/coord"
	"millrace/jobmanager/coord/memory"
	"millrace/types"
)

// blobs is what a process has of the blob store: the model of blobstore/memory, whose calls may fail, whose answers may be
// lost, and in which a create that failed may leave half an object.
type blobs struct {
	blobstore.Store
	p *process
}

func (b blobs) fails(what, key string) error {
	if w := b.p.w; !w.answers(b.p.name, "blob") || w.chance(w.faults.blob) {
		b.p.tell("blob %s %s: unavailable", what, key)
		return fmt.Errorf("%s %s: %w", what, key, blobstore.ErrUnavailable)
	}
	return nil
}

// Create implements blobstore.Store.
func (b blobs) Create(ctx context.Context, key string, body blobstore.Body) error {
	if err := b.fails("create", key); err != nil {
		return err
	}
	w := b.p.w
	if k, err := blobstore.ParseChunkKey(key); err == nil && k.Job != "" && w.chance(w.faults.blob/2) {
		half := make([]byte, body.Size()/2)
		if _, err := body.ReadAt(half, 0); err != nil && err != io.EOF { //nolint:errorlint // ReaderAt's own
			return err
		}
		b.p.tell("blob create %s: torn", key)
		_ = b.Store.Create(ctx, key, blobstore.Bytes(half)) // whatever becomes of it: nobody names it
		return fmt.Errorf("create %s: %w", key, blobstore.ErrUnavailable)
	}
	if err := b.Store.Create(ctx, key, body); err != nil {
		return err
	}
	return b.fails("create, answer of", key)
}

// Read implements blobstore.Store.
func (b blobs) Read(ctx context.Context, key string) ([]byte, error) {
	if err := b.fails("read", key); err != nil {
		return nil, err
	}
	return b.Store.Read(ctx, key)
}

// ReadRange implements blobstore.Store.
func (b blobs) ReadRange(ctx context.Context, key string, off, n int64) ([]byte, error) {
	if err := b.fails("read", key); err != nil {
		return nil, err
	}
	return b.Store.ReadRange(ctx, key, off, n)
}

// List implements blobstore.Store.
func (b blobs) List(ctx context.Context, query blobstore.Query) ([]blobstore.Info, error) {
	if err := b.fails("list", query.Prefix); err != nil {
		return nil, err
	}
	return b.Store.List(ctx, query)
}

// Delete implements blobstore.Store.
func (b blobs) Delete(ctx context.Context, key string) error {
	if err := b.fails("delete", key); err != nil {
		return err
	}
	if err := b.Store.Delete(ctx, key); err != nil {
		return err
	}
	return b.fails("delete, answer of", key)
}

// etcd is what a process has of the coordination store: a session of the model of coord/memory whose calls may fail and
// whose answers may be lost.
type etcd struct {
	*memory.Store
	p *process
}

var _ coord.Store = etcd{}

func (e etcd) fails(what string) error {
	if w := e.p.w; !w.reaches(e.p.name, "etcd") || w.chance(w.faults.etcd) {
		e.p.tell("etcd %s: unavailable", what)
		return fmt.Errorf("%s: %w", what, coord.ErrUnavailable)
	}
	return nil
}

// Get implements coord.Store.
func (e etcd) Get(ctx context.Context, key string) (coord.Entry, error) {
	if err := e.fails("get " + key); err != nil {
		return coord.Entry{}, err
	}
	return e.Store.Get(ctx, key)
}

// List implements coord.Store.
func (e etcd) List(ctx context.Context, prefix string) ([]coord.Entry, error) {
	if err := e.fails("list " + prefix); err != nil {
		return nil, err
	}
	return e.Store.List(ctx, prefix)
}

// Txn implements coord.Store.
func (e etcd) Txn(ctx context.Context, fence types.Term, compares []coord.Compare, ops []coord.Op) error {
	if err := e.fails("txn"); err != nil {
		return err
	}
	err := e.Store.Txn(ctx, fence, compares, ops)
	if err == nil {
		e.p.w.oracle.written(ops)
	}
	if w := e.p.w; !w.reaches("etcd", e.p.name) || w.chance(w.faults.etcd) {
		e.p.tell("etcd txn: answer lost (%v)", err)
		return fmt.Errorf("txn: %w", coord.ErrOutcomeUnknown)
	}
	return err
}
