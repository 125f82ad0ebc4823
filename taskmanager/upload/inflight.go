package upload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"millrace/blobstore"
	"millrace/exchange"
	"millrace/exchange/inflight"
	checkpointv1 "millrace/proto/millrace/checkpoint/v1"
	"millrace/statebackend"
	"millrace/stream"
	"millrace/taskmanager/cache"
	"millrace/taskmanager/task"
)

// InFlightKind is the kind of a state file that has what was in flight.
const InFlightKind = 3

// storeInFlight writes what a barrier overtook and tells the task.
func (u *Uploader) storeInFlight(ctx context.Context, j job) {
	defer j.release()
	start := u.Clock.Now()
	file, err := u.store(ctx, j.id, func(to io.Writer) (statebackend.FileInfo, error) { return WriteInFlight(to, j.inFlight, u.Pool) })
	if err != nil {
		u.Post(task.Stored{ID: j.id, Err: err})
		return
	}
	u.Post(task.Stored{ID: j.id, File: file, Micros: u.Clock.Now().Sub(start).Microseconds()})
}

// WriteInFlight writes the object of what was in flight, which it borrows.
func WriteInFlight(to io.Writer, f *exchange.InFlight, pool *stream.Pool) (statebackend.FileInfo, error) {
	sum := sha256.New()
	info, err := inflight.Write(io.MultiWriter(to, sum), f, pool)
	out := statebackend.FileInfo{Bytes: info.Bytes, Rows: info.Rows, Kind: InFlightKind}
	sum.Sum(out.Sum[:0])
	return out, err
}

// InFlight reads an object that WriteInFlight has written: from the cache where it has
// it, and else from the store. What is not what was written is statebackend.ErrCorrupt.
func InFlight(ctx context.Context, store blobstore.Store, c *cache.Cache, f *checkpointv1.StateFile) ([]inflight.Channel, error) {
	file := Files(store, c, []*checkpointv1.StateFile{f})[0]
	if f.Bytes > inflight.ObjectBytesMax {
		return nil, fmt.Errorf("%w: %s has %d bytes, the limit is %d", statebackend.ErrCorrupt, file.Name(), f.Bytes, inflight.ObjectBytesMax)
	}
	r, err := file.Open(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, f.Bytes+1))
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("read what was in flight: %w", err)
	}
	if sha256.Sum256(raw) != [sha256.Size]byte(f.Sha256) {
		return nil, fmt.Errorf("%w: %s does not have its checksum", statebackend.ErrCorrupt, file.Name())
	}
	channels, err := inflight.Open(raw)
	if err != nil {
		return nil, asCorrupt(fmt.Errorf("%s: %w", file.Name(), err))
	}
	return channels, nil
}

// asCorrupt says of an object that is not what was written what is said of other files
// of a checkpoint: the checkpoint before it is tried.
func asCorrupt(err error) error {
	if errors.Is(err, inflight.ErrCorrupt) {
		return fmt.Errorf("%w: %w", statebackend.ErrCorrupt, err)
	}
	return err
}

var _ task.InFlights = (*Uploader)(nil)
