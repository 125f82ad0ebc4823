package jobmanager

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"millrace/internal/metrics"
	"millrace/jobmanager/coord"
	"millrace/types"
)

// fenced is a store whose leader is another.
type fenced struct{ coord.Store }

func (fenced) Txn(context.Context, types.Term, []coord.Compare, []coord.Op) error {
	return coord.ErrFenced
}

// A deposed leader's writes are counted; its question whether it still leads is none.
func TestRefusedWritesAreCounted(t *testing.T) {
	var count metrics.Counter
	r := refusals{fenced{}, &count, slog.New(slog.DiscardHandler)}
	for _, ops := range [][]coord.Op{nil, {coord.Delete("a"), coord.Delete("b")}} {
		if err := r.Txn(t.Context(), 1, nil, ops); !errors.Is(err, coord.ErrFenced) {
			t.Errorf("%d writes: %v", len(ops), err)
		}
	}
	if n := count.Load(); n != 1 {
		t.Errorf("%d transactions counted, want that with writes", n)
	}
}
