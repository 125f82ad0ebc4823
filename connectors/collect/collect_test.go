package collect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"millrace/blobstore"
	"millrace/blobstore/memory"
	"millrace/blobstore/results"
	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/exchange/inflight"
	"millrace/internal/clock"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var schema = types.NewSchema(
	types.Field{Name: "id", Type: types.Of(types.BigInt)},
	types.Field{Name: "name", Type: types.StringType()},
	types.Field{Name: "at", Type: types.TimestampOf(3)},
)

// open returns a sink over a store, whose parts are small.
func open(t *testing.T, store blobstore.Store) *sink {
	t.Helper()
	c := &Connector{}
	c.UseStore(store)
	var r connectors.Registry
	c.Register(&r)
	s, err := r.Sink(&jobgraph.SinkSpec{Connector: Name}, schema)
	if err != nil {
		t.Fatal(err)
	}
	out := s.(*sink)
	out.limits.partBytes, out.limits.queuedBytesMax = 2<<10, 8<<10
	return out
}

// fetched returns all results that there are, in order, without acknowledging them.
func fetched(ctx context.Context, g results.Log) (rows []string, err error) {
	after, err := g.Fetched(ctx)
	if err != nil {
		return nil, err
	}
	for {
		w, err := g.Next(ctx, after)
		if err != nil || w.Checkpoint == 0 {
			return rows, err
		}
		for _, p := range w.Parts {
			object, err := g.Read(ctx, p)
			if err != nil {
				return nil, err
			}
			some, err := rowsOf(object)
			if err != nil {
				return nil, err
			}
			if int64(len(some)) != p.Rows {
				return nil, fmt.Errorf("%s has %d rows, not %d", p.Key, len(some), p.Rows)
			}
			rows = append(rows, some...)
		}
		after = w.Checkpoint
	}
}

func rowsOf(object []byte) (rows []string, err error) {
	var pool stream.Pool
	channels, err := inflight.Open(object)
	if err != nil {
		return nil, err
	}
	for i := range channels {
		err = channels[i].Each(&pool, func(e stream.Element) error {
			defer e.Batch.Release()
			rows = append(rows, streamtest.Rows(e.Batch)...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func TestConformance(t *testing.T) {
	connectortest.RunSink(t, func(t *testing.T) connectortest.SinkCase {
		store := memory.New(clock.System())
		return connectortest.SinkCase{
			Sink: open(t, store), Schema: schema,
			Batch: func(r *rand.Rand, p *stream.Pool) *stream.Batch {
				return streamtest.Random(r, p, schema, streamtest.RandomOptions{Rows: 1 + r.IntN(200), NullPercent: 10, Kinds: true, Reencode: true})
			},
			Visible: func(t *testing.T) []string {
				rows, err := fetched(t.Context(), results.Log{Store: store, Job: "job"})
				if err != nil {
					t.Fatal(err)
				}
				return rows
			},
		}
	})
}
