package collect

import (
	"bytes"
	"context"
	"fmt"

	"millrace/blobstore"
	"millrace/blobstore/results"
	"millrace/connectors"
	"millrace/exchange"
	"millrace/exchange/frame"
	"millrace/exchange/inflight"
	"millrace/failure"
	"millrace/stream"
	"millrace/types"
)

// uploader makes parts of batches. The writer's goroutine owns it.
type uploader struct {
	connectors.WriterContext
	store     blobstore.Store
	partBytes int
	compact   frame.Compactor

	// open are the rows of the next part, in the shape in which they are encoded.
	open      []stream.Element
	openBytes int
	object    bytes.Buffer
	// lot has the parts since the last checkpoint.
	lot    results.Lot
	number uint64 // of the last key
}

// take adds a batch, which it takes over, and uploads what is full.
func (u *uploader) take(ctx context.Context, b *stream.Batch) error {
	return u.compact.Each(b, func(c *stream.Batch) error {
		size := c.SizeBytes()
		var err error
		if u.openBytes > 0 && u.openBytes+size > 2*u.partBytes { // one large row
			err = u.flush(ctx)
		}
		u.open = append(u.open, stream.RowsOf(c))
		u.openBytes += size
		if err == nil && u.openBytes >= u.partBytes {
			err = u.flush(ctx)
		}
		return err
	})
}

// seal ends the epoch of a checkpoint and returns its committable: the lot, none
// without rows.
func (u *uploader) seal(ctx context.Context, id types.CheckpointID) ([][]byte, error) {
	if err := u.flush(ctx); err != nil {
		return nil, err
	}
	lot := u.lot
	u.lot.Behind, u.lot.Parts = id, nil
	if len(lot.Parts) == 0 {
		return nil, nil
	}
	lot.Checkpoint = id
	return [][]byte{lot.Encode()}, nil
}

// flush uploads the open part.
func (u *uploader) flush(ctx context.Context) error {
	if len(u.open) == 0 {
		return nil
	}
	u.object.Reset()
	info, err := inflight.Write(&u.object, &exchange.InFlight{Channels: []exchange.InFlightChannel{
		{Watermark: stream.NoWatermark, Elements: u.open},
	}}, u.Pool)
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if info.Bytes > results.PartBytesMax {
		return failure.Userf("a row takes %d bytes: a row of a query's results takes at most %d", info.Bytes, results.PartBytesMax)
	}
	u.drop()
	part := results.Part{Rows: info.Rows, Bytes: info.Bytes}
	if part.Number, err = u.create(ctx, u.object.Bytes()); err != nil {
		return fmt.Errorf("upload results: %w", err)
	}
	u.lot.Parts = append(u.lot.Parts, part)
	return nil
}

// create stores an object under a key of its own and returns its number, trying again
// while the store is away.
func (u *uploader) create(ctx context.Context, object []byte) (uint64, error) {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		// A key a try: the outcome of a failed one may be open.
		u.number++
		key, err := u.lot.Key(results.Part{Number: u.number})
		if err == nil {
			err = u.store.Create(ctx, key, blobstore.Bytes(object))
		}
		if err == nil || failure.ClassOf(err).Retry != failure.Backoff || ctx.Err() != nil {
			u.Trouble.Say("")
			return u.number, err
		}
		u.Trouble.Say("results are not uploaded: " + err.Error())
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-u.Clock.After(wait):
		}
	}
}

// drop releases the rows of the open part.
func (u *uploader) drop() {
	for _, e := range u.open {
		e.Batch.Release()
	}
	clear(u.open)
	u.open, u.openBytes = u.open[:0], 0
}
