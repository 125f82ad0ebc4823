package garbage

import (
	"context"
	"fmt"

	"millrace/blobstore"
)

// Swept says what a sweep has done.
type Swept struct {
	Deleted int
	Bytes   int64
	// More says that DeletesMax was reached: garbage may be left.
	More bool
}

// Sweep deletes the garbage among a job's objects, page by page. Before it
// deletes anything of a page it asks fence whether the caller still leads. What
// it has deleted when an error ends it stays deleted, and counts.
func Sweep(ctx context.Context, s blobstore.Store, r *Roots, fence func(context.Context) error) (Swept, error) {
	var done Swept
	prefix, err := blobstore.JobPrefix(r.Job)
	if err != nil {
		return done, fmt.Errorf("sweep: %w", err)
	}
	query := blobstore.Query{Prefix: prefix, Limit: blobstore.PageMax}
	for {
		page, err := s.List(ctx, query)
		if err != nil {
			return done, fmt.Errorf("sweep: list objects: %w", err)
		}
		if err := done.page(ctx, s, r, page, fence); err != nil {
			return done, fmt.Errorf("sweep: %w", err)
		}
		if done.More || len(page) < query.Limit {
			return done, nil
		}
		query.After = page[len(page)-1].Key
	}
}

func (d *Swept) page(ctx context.Context, s blobstore.Store, r *Roots, page []blobstore.Info, fence func(context.Context) error) error {
	asked := false
	for _, o := range page {
		if !r.Garbage(o) {
			continue
		}
		if d.Deleted == DeletesMax {
			d.More = true
			return nil
		}
		if !asked {
			if err := fence(ctx); err != nil {
				return err
			}
			asked = true
		}
		if err := s.Delete(ctx, o.Key); err != nil {
			return fmt.Errorf("delete %s: %w", o.Key, err)
		}
		d.Deleted++
		d.Bytes += o.Size
	}
	return nil
}
