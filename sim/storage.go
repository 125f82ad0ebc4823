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

// call makes a call, whose answer may be lost where it changes something.
func (b blobs) call(what, key string, changes bool, do func() error) (err error) {
	b.p.remote(func() {
		if err = b.fails(what, key); err == nil {
			err = do()
		}
		if err == nil && changes {
			err = b.fails(what+", answer of", key)
		}
	})
	return err
}

// Create implements blobstore.Store.
func (b blobs) Create(ctx context.Context, key string, body blobstore.Body) error {
	return b.call("create", key, true, func() error {
		w := b.p.w
		if k, err := blobstore.ParseChunkKey(key); err == nil && k.Job != "" && w.chance(w.faults.blob/2) {
			half := make([]byte, body.Size()/2)
			if _, err := body.ReadAt(half, 0); err != nil && err != io.EOF { //nolint:errorlint // ReaderAt's own
				return err
			}
			b.p.tell("blob create %s: torn", key)
			_ = b.Store.Create(b.p.during(ctx), key, blobstore.Bytes(half)) // whatever becomes of it: nobody names it
			return fmt.Errorf("create %s: %w", key, blobstore.ErrUnavailable)
		}
		return b.Store.Create(b.p.during(ctx), key, body)
	})
}

// Read implements blobstore.Store.
func (b blobs) Read(ctx context.Context, key string) (data []byte, err error) {
	err = b.call("read", key, false, func() (err error) {
		data, err = b.Store.Read(b.p.during(ctx), key)
		return err
	})
	return data, err
}

// ReadRange implements blobstore.Store.
func (b blobs) ReadRange(ctx context.Context, key string, off, n int64) (data []byte, err error) {
	err = b.call("read", key, false, func() (err error) {
		data, err = b.Store.ReadRange(b.p.during(ctx), key, off, n)
		return err
	})
	return data, err
}

// List implements blobstore.Store.
func (b blobs) List(ctx context.Context, query blobstore.Query) (list []blobstore.Info, err error) {
	err = b.call("list", query.Prefix, false, func() (err error) {
		list, err = b.Store.List(b.p.during(ctx), query)
		return err
	})
	return list, err
}

// Delete implements blobstore.Store.
func (b blobs) Delete(ctx context.Context, key string) error {
	return b.call("delete", key, true, func() error { return b.Store.Delete(b.p.during(ctx), key) })
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
func (e etcd) Get(ctx context.Context, key string) (entry coord.Entry, err error) {
	e.p.remote(func() {
		if err = e.fails("get " + key); err == nil {
			entry, err = e.Store.Get(e.p.during(ctx), key)
		}
	})
	return entry, err
}

// List implements coord.Store.
func (e etcd) List(ctx context.Context, prefix string) (list []coord.Entry, err error) {
	e.p.remote(func() {
		if err = e.fails("list " + prefix); err == nil {
			list, err = e.Store.List(e.p.during(ctx), prefix)
		}
	})
	return list, err
}

// Txn implements coord.Store.
func (e etcd) Txn(ctx context.Context, fence types.Term, compares []coord.Compare, ops []coord.Op) (err error) {
	e.p.remote(func() {
		if err = e.fails("txn"); err == nil {
			err = e.txn(e.p.during(ctx), fence, compares, ops)
		}
	})
	return err
}

func (e etcd) txn(ctx context.Context, fence types.Term, compares []coord.Compare, ops []coord.Op) error {
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
