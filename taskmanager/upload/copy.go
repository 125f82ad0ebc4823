package upload

import (
	"context"
	"io"

	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
)

// Copy folds a chain of files into one that stands alone, and stores it where the options say: in the answer while it is
// small, else in the folder of their Savepoint. It runs beside the task that wrote the chain and shares nothing with it;
// a store that is away is tried again until the context ends. What was written before an error stays.
func Copy(ctx context.Context, o Options, chain []*checkpointv1.StateFile) (*checkpointv1.StateFile, error) {
	files := Files(o.Store, o.Cache, chain)
	o.Cache = nil // nobody restores a task from a savepoint while it runs
	u := &Uploader{Options: o, spool: spool{dir: o.Dir}}
	defer u.spool.reset()
	return u.store(ctx, 0, func(w io.Writer) (statebackend.FileInfo, error) {
		return o.Backend.Merge(ctx, files, o.KeyGroups, w)
	})
}
