package results_test

import (
	"context"
	"errors"
	"testing"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/blobstore/results"
	"millrace/internal/clock"
)

// fetchedBetween deletes an object once its key was found to exist, as somebody does who has fetched it.
type fetchedBetween struct{ blobstore.Store }

func (f fetchedBetween) Create(ctx context.Context, key string, body blobstore.Body) error {
	err := f.Store.Create(ctx, key, body)
	if errors.Is(err, blobstore.ErrExists) {
		err = errors.Join(err, f.Delete(ctx, key))
	}
	return err
}

// TestCommitAgainWhileItIsFetched commits once more, as a recovery does, while the first commit's results are fetched and deleted.
func TestCommitAgainWhileItIsFetched(t *testing.T) {
	store := memory.New(clock.System())
	lots := []results.Lot{{Job: "0123456789abcdef0123456789abcdef", Checkpoint: 7, Operator: "sink", Attempt: 1}}
	log := results.Log{Store: store, Job: lots[0].Job}
	if err := log.Commit(t.Context(), "sink", lots); err != nil {
		t.Fatal(err)
	}
	log.Store = fetchedBetween{store}
	if err := log.Commit(t.Context(), "sink", lots); err != nil {
		t.Fatal(err)
	}
}
