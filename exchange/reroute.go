package exchange

import (
	"fmt"

	"millrace/failure"
	"millrace/internal/mutant"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/types"
)

// Reroute says whose rows are sought among those that were in flight to a former task.
//
// Rows dealt out by key go to the owner of their key's group; so whatever becomes of the
// parallelism, each is given to one task, the one that has the state of its key. Rows
// that any task may have go together to one, so that they keep their order. On other
// edges nothing is ever in flight when a barrier passes (GateChannel.InOrder).
type Reroute struct {
	From, FromParallelism int // the former task
	To, ToParallelism     int
	MaxParallelism        int
}

// InOrder tells whether barriers overtake nothing on an edge of that kind: a forwarded
// row belongs to the task that its producer is now, a broadcast row to every task, and
// neither can be told from the rows of the former tasks.
func InOrder(k jobgraph.PartitioningKind) bool {
	return k == jobgraph.Forward || k == jobgraph.Broadcast
}

// Filter returns what makes of a batch that was in flight on the edge the batch of the
// rows that are sought. It takes the batch over, and returns nil where there are none.
func (r Reroute) Filter(p jobgraph.Partitioning, s *types.Schema) (func(*stream.Batch) *stream.Batch, error) {
	same := r.FromParallelism == r.ToParallelism
	switch {
	case mutant.On(mutant.ReplayNotFiltered):
		return all, nil
	case same && r.From == r.To, !same && p.Kind == jobgraph.Rebalance && r.From%r.ToParallelism == r.To:
		return all, nil
	case same || p.Kind == jobgraph.Rebalance:
		return none, nil
	case p.Kind == jobgraph.Hash:
		return r.byKey(p.Keys, s)
	default:
		return nil, failure.Internalf("rows were in flight on an edge of kind %d, on which barriers overtake nothing", p.Kind)
	}
}

func all(b *stream.Batch) *stream.Batch { return b }

func none(b *stream.Batch) *stream.Batch {
	b.Release()
	return nil
}

func (r Reroute) byKey(keys []int, s *types.Schema) (func(*stream.Batch) *stream.Batch, error) {
	reader, err := stream.NewKeyReader(s, keys)
	if err != nil {
		return nil, failure.Internal(fmt.Errorf("rows in flight: %w", err))
	}
	own := types.KeyGroupRangeOf(r.To, r.ToParallelism, r.MaxParallelism)
	return func(b *stream.Batch) *stream.Batch {
		var kept []int32
		for i, hash := range reader.Read(b).Hashes {
			if own.Contains(types.KeyGroupOf(hash, r.MaxParallelism)) {
				kept = append(kept, int32(b.Row(i)))
			}
		}
		return selected(b, kept)
	}, nil
}

// selected returns the batch's rows at these positions, in its place.
func selected(b *stream.Batch, positions []int32) *stream.Batch {
	switch len(positions) {
	case 0:
		return none(b)
	case b.Rows():
		return b
	}
	buf := b.Pool().Get(4 * len(positions))
	copy(stream.Int32s(buf), positions)
	s := b.Share()
	s.SetSel(buf, len(positions))
	b.Release()
	return s
}
